"""What was got of the record -> hooks.facts.Patient. After this FHIR is over."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from app.gather import Got
from app.reading.allergies import read_allergy
from app.reading.conditions import read_condition
from app.reading.elements import Resource, own_reference, read_date, read_reference
from app.reading.labs import Problem, read_observation
from app.reading.lookup import Books, Index, Lookup
from app.reading.medications import read_medication_order
from app.reading.ownership import belongs
from app.reading.person import is_deceased, read_sex
from app.reading.procedures import read_procedure, read_service
from hooks.facts import (
    Allergy,
    Diagnosis,
    Gap,
    MedicationOrder,
    PastProcedure,
    Patient,
    PregnancyStatus,
    Reading,
    ServiceOrder,
    Unusable,
)

Fact = TypeVar("Fact")
_Pile = dict[str, list[tuple[Resource, str]]]
"""Resources of the patient by type, each with the prefetch key that it came under."""

_ORDERS = frozenset({"MedicationRequest", "ServiceRequest", "DeviceRequest"})
_READ = _ORDERS | {"Condition", "Procedure", "AllergyIntolerance", "Observation"}
_TIES = ("onset", "recorded", "authored", "performed", "status", "taken")


@dataclass(frozen=True, slots=True)
class _Facts:
    """The facts of each resource, a resource that came twice counted once (the later version of it)."""

    by_resource: dict[object, tuple[str, tuple[object, ...]]] = field(default_factory=dict)

    def add(self, resource: Resource, facts: tuple[object, ...]) -> None:
        name: object = own_reference(resource) or len(self.by_resource)
        updated = _last_updated(resource)
        known = self.by_resource.get(name)
        if known is None or updated > known[0]:
            self.by_resource[name] = (updated, facts)

    def by_type(self) -> "_Sorted":
        """The facts by type."""
        sorted_ = _Sorted()
        for _, facts in self.by_resource.values():
            for fact in facts:
                sorted_.by_type.setdefault(type(fact), []).append(fact)
        return sorted_


@dataclass(frozen=True, slots=True)
class _Sorted:
    by_type: dict[type, list[Any]] = field(default_factory=dict)

    def of(self, kind: type[Fact]) -> tuple[Fact, ...]:
        """The facts of one type, by reference, so that the order in which resources came does not matter."""
        found = self.by_type.get(kind, [])
        references = {getattr(fact, "reference", "") for fact in found}
        return tuple(sorted(found, key=_place if len(references) < len(found) else _reference))


@dataclass(slots=True, kw_only=True)
class _Notes:
    """What reading has found so far, so that what comes later is read on top of it."""

    lookup: Lookup
    index: Index = field(default_factory=Index)
    facts: _Facts = field(default_factory=_Facts)
    names: set[str] = field(default_factory=set)
    person: Resource | None = None
    dropped: int = 0
    gaps: dict[str, Gap] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientRead:
    """The patient; how many resources belonged to another one; whether the record says that the patient has died."""

    patient: Patient
    dropped: int = 0
    deceased: bool = False
    notes: _Notes | None = field(default=None, repr=False, compare=False)


def read_patient(
    got: Mapping[str, Got], patient_id: str, as_of: date, knowledge: Books, earlier: PatientRead | None = None
) -> PatientRead:
    """All that the record says and the knowledge understands about the patient, in an order of its own.

    ``got`` may hold any resource under any key (mixed Bundles): the type of a resource decides how it is read.
    ``earlier`` is what was read of other keys in the same call; it is used up.
    """
    notes = (
        earlier.notes if earlier is not None and earlier.notes is not None else _Notes(lookup=Lookup(books=knowledge))
    )
    pile = _sort(got, patient_id, notes)
    lookup, index, facts, person = notes.lookup, notes.index, notes.facts, notes.person
    born = read_date(person.get("birthDate")) if person is not None else None
    readers: dict[str, Callable[[Resource], object | None]] = {
        "Condition": lambda resource: read_condition(resource, lookup, born),
        "MedicationRequest": lambda resource: read_medication_order(resource, lookup, index),
        "Procedure": lambda resource: read_procedure(resource, lookup),
        "ServiceRequest": lambda resource: read_service(resource, lookup, index),
        "DeviceRequest": lambda resource: read_service(resource, lookup, index),
        "AllergyIntolerance": lambda resource: read_allergy(resource, lookup),
    }
    for kind, reader in readers.items():
        for resource, _ in pile.get(kind, ()):
            fact = reader(resource)
            if fact is not None:
                facts.add(resource, (fact,))
    for resource, key in pile.get("Observation", ()):
        found = read_observation(resource, lookup, key)
        if found:
            facts.add(resource, found)
    found_facts = notes.facts.by_type()
    readings = _by_analyte(found_facts.of(Reading))
    return PatientRead(
        patient=Patient(
            as_of=as_of,
            born=born,
            sex=read_sex(person) if person is not None else None,
            diagnoses=found_facts.of(Diagnosis),
            medications=found_facts.of(MedicationOrder),
            procedures=found_facts.of(PastProcedure),
            services=found_facts.of(ServiceOrder),
            allergies=found_facts.of(Allergy),
            readings=readings,
            pregnancy=tuple(sorted(found_facts.of(PregnancyStatus), key=lambda status: status.taken, reverse=True)),
            unusable=_unusable(found_facts.of(Problem), readings),
            gaps=_gaps(got, notes),
        ),
        dropped=notes.dropped,
        deceased=person is not None and is_deceased(person),
        notes=notes,
    )


def _sort(got: Mapping[str, Got], patient_id: str, notes: _Notes) -> _Pile:
    """The patient's resources by type; the Patient, what can be referred to, and others' resources go to the notes."""
    pile: _Pile = {}
    mine = f"Patient/{patient_id}"
    _name(got, patient_id, notes)
    for key, one in got.items():
        for resource in one.resources:
            kind = resource.get("resourceType")
            if not isinstance(kind, str):
                continue
            if kind == "Patient":
                if resource.get("id") in (patient_id, None):
                    notes.person = notes.person or resource
                else:
                    notes.dropped += 1
            elif kind in _READ:
                try:
                    owned = resource["subject"]["reference"] == mine
                except (KeyError, TypeError):
                    owned = False
                if owned or belongs(resource, patient_id, notes.names):
                    pile.setdefault(kind, []).append((resource, key))
                else:
                    notes.dropped += 1
        notes.index.add((resource, "") for resource in one.resources if resource.get("resourceType") == "Medication")
    notes.index.add((resource, "") for resource, _ in pile.get("Condition", ()))
    return pile


def _name(got: Mapping[str, Got], patient_id: str, notes: _Notes) -> None:
    """Notes the URNs by which the Bundles know the patient and what else they hold."""
    names = notes.names  # not the notes themselves: they hold the index, and a circle would keep the whole body alive
    for one in got.values():
        for urn, resource in one.urns.items():
            pointer = read_reference(urn)
            if resource.get("resourceType") == "Patient" and resource.get("id") in (patient_id, None) and pointer:
                names.add(pointer.id)
    notes.index.add(
        (resource, urn)
        for one in got.values()
        for urn, resource in one.urns.items()
        if resource.get("resourceType") == "Medication" or belongs(resource, patient_id, names)
    )


def _reference(fact: object) -> str:
    return getattr(fact, "reference", "")


def _last_updated(resource: Resource) -> str:
    meta = resource.get("meta")
    updated = meta.get("lastUpdated") if isinstance(meta, dict) else None
    return updated if isinstance(updated, str) else ""


def _place(fact: object) -> tuple[str, ...]:
    return (
        getattr(fact, "reference", ""),
        getattr(fact, "label", ""),
        *(str(getattr(fact, name, "")) for name in _TIES),
    )


def _by_analyte(readings: Iterable[Reading]) -> dict[str, tuple[Reading, ...]]:
    """The readings of each analyte, newest first: by day, then by moment; conflicting ones all stay."""
    found: dict[str, list[Reading]] = {}
    for reading in readings:
        found.setdefault(reading.analyte, []).append(reading)
    for listed in found.values():
        listed.sort(key=lambda r: (r.taken.earliest, r.taken.latest, r.moment, r.reference, r.value), reverse=True)
    return {analyte: tuple(listed) for analyte, listed in sorted(found.items())}


def _unusable(problems: Iterable[Problem], readings: Mapping[str, tuple[Reading, ...]]) -> tuple[Unusable, ...]:
    """What could not be used, newest first, each reason once with its newest date.

    A preliminary result is named only when there is no other of its analyte.
    """
    found: dict[tuple[str, str], Unusable] = {}
    for problem in problems:
        one = problem.unusable
        if problem.provisional and readings.get(one.item):
            continue
        known = found.get((one.item, one.reason))
        if known is None or _day(one) > _day(known):
            found[one.item, one.reason] = one
    listed = sorted(found.values(), key=lambda one: (one.item, one.reason))
    return tuple(sorted(listed, key=_day, reverse=True))


def _day(one: Unusable) -> date:
    return one.taken.latest if one.taken is not None else date.min


def _gaps(got: Mapping[str, Got], notes: _Notes) -> tuple[Gap, ...]:
    """What is missing, the Patient resource too when what came under its key was another's."""
    notes.gaps |= {key: one.gap for key, one in got.items() if one.gap is not None}
    asked = got.get("patient")
    if notes.person is None and asked is not None and asked.resources and asked.gap is None:
        notes.gaps["patient"] = Gap(
            key="patient", reason="the Patient resource that came is not this patient's", failed=True
        )
    return tuple(notes.gaps.values())
