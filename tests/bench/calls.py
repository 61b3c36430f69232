"""The requests that the bench sends: a fixture patient's record as prefetch, brought to a given number of resources."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from itertools import cycle
from pathlib import Path
from typing import Any

from app.demo.drafts import Wish, draft, wish

Json = dict[str, Any]
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "ehr"
PATIENT = "brief"
NARRATIVE_LINES = 7
UNRELATED = "paracetamol"
GROWS = ("conditions", "medications", "procedures")
_SNOMED, _RXNORM = "http://snomed.info/sct", "http://www.nlm.nih.gov/research/umls/rxnorm"
_KINDS = (
    ("Condition", _SNOMED),
    ("Observation", "http://loinc.org"),
    ("MedicationRequest", _RXNORM),
    ("Procedure", _SNOMED),
)


def call(service: Json, day: date, *orders: str, patient: str = PATIENT) -> Json:
    """A hook request without data, for a service of discovery.

    ``orders`` are written as for `cat-cds try --order`; ``UNRELATED`` is one that is none of ours.
    """
    context: Json = {"userId": "Practitioner/bench", "patientId": patient}
    if service["hook"] != "patient-view":
        drafts = [_draft(order, f"bench-{at}", patient, day) for at, order in enumerate(orders)]
        context["draftOrders"] = {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [{"resource": resource} for resource in drafts],
        }
    if service["hook"] == "order-select":
        context["selections"] = [f"MedicationRequest/{resource['id']}" for resource in drafts]
    instance = "00000000-0000-4000-8000-000000000000"
    return {"hook": service["hook"], "hookInstance": instance, "context": context}


def _draft(order: str, draft_id: str, patient: str, day: date) -> Json:
    about: dict[str, Any] = {
        "draft_id": draft_id,
        "patient_id": patient,
        "user_id": "Practitioner/bench",
        "day": day,
    }
    if order == UNRELATED:
        tablet = Wish(drug=UNRELATED, amount=Decimal(500), unit="mg", times_per_day=3, route="oral")
        return draft(tablet, product=(_RXNORM, "198440", "acetaminophen 500 MG Oral Tablet"), **about)
    return draft(wish(order), **about)


def prefetched(service: Json, patient: str, read: Callable[[str], Json], resources: int) -> Json:
    """The prefetch of a service for a patient, grown by copies of the ordinary part of the chart to so many resources.

    ``read`` answers a FHIR query relative to the base.
    """
    filled = {
        key: read(template.replace("{{context.patientId}}", patient)) for key, template in service["prefetch"].items()
    }
    bundles = {key: filled[key] | {"entry": list(filled[key].get("entry", ()))} for key in GROWS}
    filled |= bundles
    ordinary = cycle(list(_ordinary(bundles)))
    number = count(filled)
    while number < resources:
        key, resource = next(ordinary)
        grown = copy.deepcopy(resource) | {"id": f"bench-{number}"}
        bundles[key]["entry"].append({"resource": grown})
        number += 1
    return {key: _with_narratives(got) for key, got in filled.items()}


def _with_narratives(got: Json) -> Json:
    """A resource or Bundle whose resources carry a narrative, as those of real servers do: about 1.3 kB each."""
    if got["resourceType"] == "Bundle":
        entries = [entry | {"resource": _with_narratives(entry["resource"])} for entry in got.get("entry", ())]
        return got | {"entry": entries}
    line = f"<p>{got['resourceType']} {got.get('id', '')}: recorded on the ward, no change to the plan.</p>"
    div = f'<div xmlns="http://www.w3.org/1999/xhtml">{line * NARRATIVE_LINES}</div>'
    return got | {"text": {"status": "generated", "div": div}}


def irrelevant(resources: int, patient: str = PATIENT) -> list[Json]:
    """So many resources of the patient, of the kinds that are read, with codes that mean nothing to the service."""
    return [_irrelevant(at, patient) for at in range(resources)]


def _irrelevant(at: int, patient: str) -> Json:
    kind, system = _KINDS[at % len(_KINDS)]
    code = {"coding": [{"system": system, "code": str(10_000_000 + at % 150), "display": f"A finding {at % 150}"}]}
    return {
        "resourceType": kind,
        "id": f"bench-{at}",
        "meta": {"versionId": "1", "lastUpdated": "2026-01-05T10:00:00Z"},
        "status": "active" if kind == "MedicationRequest" else "completed" if kind == "Procedure" else "final",
        "category": [{"coding": [{"system": "http://example.org/category", "code": "routine"}]}],
        ("medicationCodeableConcept" if kind == "MedicationRequest" else "code"): code,
        "subject": {"reference": f"Patient/{patient}"},
        "encounter": {"reference": f"Encounter/e{at}"},
        "effectiveDateTime": "2026-01-05T09:00:00Z",
        "performer": [{"reference": "Organization/o1", "display": "Central laboratory"}],
        "note": [{"text": "Seen and discussed with the patient."}],
    }


def count(prefetch: Json) -> int:
    """How many resources a prefetch holds, Bundles not counted."""
    return sum(len(got.get("entry", ())) if got["resourceType"] == "Bundle" else 1 for got in prefetch.values())


def _ordinary(bundles: dict[str, Json]) -> Iterator[tuple[str, Json]]:
    """(key, resource) of what has ended: it is read by the service and decides nothing."""
    ended = {"resolved", "inactive", "stopped", "completed"}
    for key, bundle in bundles.items():
        for entry in bundle["entry"]:
            resource = entry["resource"]
            status = resource.get("status") or resource.get("clinicalStatus", {}).get("coding", [{}])[0].get("code")
            if status in ended:
                yield key, resource
