"""The kinds of record that the service reads: one row each, with prefetch key, FHIR query and who requires it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hooks.labs import LabBook

Json = dict[str, Any]

LONGEST_TEMPLATE = 1500
PATIENT_ID = "{{context.patientId}}"
_MEDICATION_KINDS = ("MedicationRequest", "Medication")
NEWEST_FIRST = "_sort=-date"
EVERY_HOOK = frozenset({"patient-view", "order-select", "order-sign"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One kind of record.

    ``template`` is a FHIR read or search relative to the base, ``{{context.patientId}}`` its only token.
    ``required_by`` are the hooks that cannot be answered without it. ``first_wave`` marks what
    patient-view reads before it knows whether the rest matters. ``what`` names it for a clinician.
    """

    key: str
    resource_type: str
    template: str
    what: str
    required_by: frozenset[str] = frozenset()
    first_wave: bool = False

    @property
    def is_read(self) -> bool:
        """Whether it is one resource by id, not a search."""
        return "?" not in self.template

    def query(self, patient_id: str) -> str:
        """The template for a patient, ready to be put behind the base URL. ``patient_id`` is a checked FHIR id."""
        return self.template.replace(PATIENT_ID, patient_id)


_RECORDS = (
    Source(
        key="patient",
        resource_type="Patient",
        template=f"Patient/{PATIENT_ID}",
        what="the patient's details",
        required_by=EVERY_HOOK,
        first_wave=True,
    ),
    Source(
        key="conditions",
        resource_type="Condition",
        template=f"Condition?patient={PATIENT_ID}&_count=250",
        what="the problem list",
        required_by=EVERY_HOOK,
        first_wave=True,
    ),
    Source(
        key="medications",
        resource_type="MedicationRequest",
        template=f"MedicationRequest?patient={PATIENT_ID}&_count=250",
        what="the medication orders",
        required_by=frozenset({"patient-view"}),
    ),
)
_ANALYTES = (
    ("creatinine", "creatinine_mg_dl", "the creatinine results", 10),
    ("platelets", "platelets_10e9_l", "the platelet counts", 10),
    ("weight", "weight_kg", "the weight", 5),
    ("height", "height_cm", "the height", 5),
    ("pregnancy", "pregnancy-status", "the pregnancy status", 5),
)
"""Prefetch key, analyte (or context) of the laboratory tables, words, and how many of the newest are asked for."""

_MORE_RECORDS = (
    Source(
        key="procedures",
        resource_type="Procedure",
        template=f"Procedure?patient={PATIENT_ID}&_count=250",
        what="the procedures",
    ),
    Source(
        key="allergies",
        resource_type="AllergyIntolerance",
        template=f"AllergyIntolerance?patient={PATIENT_ID}&_count=250",
        what="the allergies",
    ),
)


def table(labs: LabBook) -> tuple[Source, ...]:
    """All rows, in the order of discovery; each analyte has a search of its own by the codes that ``labs`` lists.

    Raises:
        ValueError: an analyte has no codes, or a template is longer than clients can be expected to send.
    """
    return (*_RECORDS, *(_analyte(*row, labs) for row in _ANALYTES), *_MORE_RECORDS)


def _analyte(key: str, analyte: str, what: str, count: int, labs: LabBook) -> Source:
    codes = [
        f"{system}|{code}"
        for (system, code), (effect, meant) in labs.codes.items()
        if meant.analyte == analyte and effect in ("include", "context") and "," not in code
    ]
    template = f"Observation?patient={PATIENT_ID}&code={','.join(codes)}&{NEWEST_FIRST}&_count={count}"
    if not codes or len(template) > LONGEST_TEMPLATE:
        raise ValueError(
            f"{len(codes)} codes for {key}: the query needs one, and at most {LONGEST_TEMPLATE} characters."
        )
    return Source(key=key, resource_type="Observation", template=template, what=what)


def for_caller(rows: tuple[Source, ...], overrides: Mapping[str, str]) -> tuple[Source, ...]:
    """The rows with a caller's own query templates."""
    if not overrides:
        return rows
    return tuple(replace(row, template=overrides[row.key]) if row.key in overrides else row for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A FHIR answer taken apart: the resources that count, and whether the server said that it failed.

    ``urns`` are the Bundle entries whose ``fullUrl`` is a URN (what a reference in the same Bundle may use):
    the resources that count, and the patient.
    """

    resources: tuple[Json, ...] = ()
    failed: bool = False
    urns: Mapping[str, Json] = field(default_factory=dict)


def page_of(source: Source, value: object, patient_id: str) -> Page | None:
    """A resource, Bundle or OperationOutcome taken apart; None for anything else.

    A Bundle may be of any type, lack its type or entries, and hold included resources of other types.
    """
    if not isinstance(value, dict):
        return None
    kind = value.get("resourceType")
    if kind == "OperationOutcome":
        return Page(failed=True)
    if kind == source.resource_type:
        entries: list[Any] = [{"resource": value}]
    elif kind == "Bundle" and isinstance(listed := value.get("entry") or [], list):
        entries = listed
    else:
        return None
    kinds = _MEDICATION_KINDS if source.key == "medications" else (source.resource_type,)
    resources: list[Json] = []
    urns: dict[str, Json] = {}
    failed = others = False
    is_read = source.is_read
    for entry in entries:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict):
            continue
        kind = resource.get("resourceType")
        if kind in kinds and not (is_read and resource.get("id") not in (patient_id, None)):
            resources.append(resource)
        else:
            others = True
            failed = failed or _is_failure(resource)
        url = entry.get("fullUrl")
        if isinstance(url, str) and url.startswith("urn:") and (kind in kinds or kind == "Patient"):
            urns[url] = resource
    if is_read and others and not resources and not failed:
        return None
    return Page(resources=tuple(resources), failed=failed, urns=urns)


def _is_failure(resource: Json) -> bool:
    """Whether it is an OperationOutcome with an error in it; a mere warning beside the matches is none."""
    if resource.get("resourceType") != "OperationOutcome":
        return False
    issues = resource.get("issue")
    return not isinstance(issues, list) or any(
        not isinstance(issue, dict) or issue.get("severity") in ("error", "fatal") for issue in issues
    )
