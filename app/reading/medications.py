"""MedicationRequest -> hooks.facts.MedicationOrder."""

from dataclasses import dataclass

from app.reading.dosage import read_doses
from app.reading.elements import (
    Json,
    Pointer,
    Resource,
    codings,
    decimal,
    items,
    label,
    objects,
    own_reference,
    read_date,
    read_period,
    read_reference,
    status,
    string,
    truth,
)
from app.reading.lookup import Index, Lookup, find
from app.reading.timing import bounds, last_day, span
from hooks.dates import PartialDate
from hooks.facts import Dose, Drug, Meaning, MedicationOrder
from hooks.tables import ATC, RXNORM, SNOMED_CT

_MOST_REFILLS = 99
_DRUG_SYSTEMS = frozenset({RXNORM, ATC, SNOMED_CT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Medicine:
    """What an order is for. ``drug`` is None when it is none of ours, or ``unresolved``.

    ``unread`` is the reference of a Medication that is neither in the request nor in the record.
    """

    label: str
    drug: Drug | None = None
    unresolved: bool = False
    unread: str = ""


def read_medicine(resource: Resource, lookup: Lookup, index: Index) -> Medicine | None:
    """The medicine of an order, or None when the order holds no medicine at all (nothing chosen yet)."""
    concept, reference = _medication(resource)
    if concept:
        found = _of_concept(concept, lookup)
        if found is not None:
            return found
    if reference is None:
        return Medicine(label="", unresolved=True) if concept else None
    pointer = read_reference(reference)
    medication = find(index, pointer, resource)
    if medication is not None:
        return _of_medication(medication, lookup) or Medicine(label=label_of(reference), unresolved=True)
    display = label_of(reference)
    if display:
        return Medicine(label=display, drug=lookup.drug({"text": display}))
    named = string(reference.get("reference")) if isinstance(reference, dict) else string(reference)
    if pointer is None and not named and not isinstance(reference, dict):
        return None
    return Medicine(label="", unresolved=True, unread=named if _readable(pointer) else "")


def _readable(pointer: Pointer | None) -> bool:
    return pointer is not None and pointer.kind == "Medication"


def label_of(reference: Json) -> str:
    """The display of a Reference."""
    return string(reference.get("display")) if isinstance(reference, dict) else ""


def _medication(resource: Resource) -> tuple[Json, Json]:
    """CodeableConcept and Reference of ``medication[x]``; R5's CodeableReference too."""
    concept, reference = resource.get("medicationCodeableConcept"), resource.get("medicationReference")
    both = next(iter(objects(resource.get("medication"))), None)
    if both is not None:
        concept, reference = concept or both.get("concept"), reference or both.get("reference")
    return concept or None, reference or None


def _of_concept(concept: Json, lookup: Lookup) -> Medicine | None:
    """None when it says nothing: neither a code nor a word."""
    found = lookup.identify(concept)
    if found.drug is not None:
        return Medicine(label=found.words[0] if found.words else found.drug.name, drug=found.drug)
    if found.words:
        return Medicine(label=found.words[0])
    if not found.codings:
        return None
    known = any(coding.system in _DRUG_SYSTEMS for coding in found.codings)
    return Medicine(label=found.codings[0].code, unresolved=not known)


def _of_medication(medication: Resource, lookup: Lookup) -> Medicine | None:
    found = _of_concept(medication.get("code"), lookup)
    if found is not None and found.drug is not None:
        return found
    parts = [_ingredient(part, lookup) for part in objects(medication.get("ingredient"))]
    known = [part for part in parts if part is not None and part.drug is not None]
    known.sort(key=lambda part: part.drug is None or part.drug.anticoagulant is None)
    if known:
        return Medicine(label=found.label if found and found.label else known[0].label, drug=known[0].drug)
    return found or next((part for part in parts if part is not None), None)


def _ingredient(part: Resource, lookup: Lookup) -> Medicine | None:
    concept = part.get("itemCodeableConcept")
    item = next(iter(objects(part.get("item"))), None)
    return _of_concept(concept or (item.get("concept") if item else None), lookup)


def read_medication_order(resource: Resource, lookup: Lookup, index: Index) -> MedicationOrder | None:
    """The order when its drug is known or could not be identified; None when it is known to be none of ours."""
    concept = resource.get("medicationCodeableConcept")
    if concept:
        found = lookup.identify(concept)
        if found.drug is None and found.words:
            return None
    medicine = read_medicine(resource, lookup, index)
    if medicine is None or (medicine.drug is None and not medicine.unresolved):
        return None
    return order_of(resource, medicine, lookup, index)


def order_of(resource: Resource, medicine: Medicine, lookup: Lookup, index: Index) -> MedicationOrder:
    """The order for a medicine that was read before."""
    supply = next(iter(objects(resource.get("dispenseRequest"))), {})
    refills = decimal(supply.get("numberOfRepeatsAllowed"))
    repeats = int(refills) if refills is not None and 0 <= refills <= _MOST_REFILLS else 0
    authored = read_date(resource.get("authoredOn")) or read_date(resource.get("dateWritten"))
    instructions = resource.get("dosageInstruction") or resource.get("dosage")
    starts = _starts(instructions) or read_period(supply.get("validityPeriod"))[0] or authored
    doses = read_doses(instructions, medicine.drug, starts)
    reasons, reason_text = read_reasons(resource, lookup, index)
    stopped = resource.get("statusReason")
    return MedicationOrder(
        reference=own_reference(resource),
        label=medicine.label,
        drug=medicine.drug,
        status=status(resource.get("status")) or "",
        intent=status(resource.get("intent")) or "order",
        doses=doses,
        authored=authored,
        starts=starts,
        ends=_ends(doses, starts, supply, repeats),
        refills=repeats,
        reasons=reasons,
        reason_text=reason_text,
        stop_reasons=lookup.meanings(stopped),
        stop_reason_text=label(stopped),
        do_not_perform=truth(resource.get("doNotPerform")),
        unresolved=medicine.unresolved,
        inpatient=_is_inpatient(resource.get("category")),
        note=" ".join(filter(None, (string(n.get("text")) for n in objects(resource.get("note"))))),
    )


def _starts(instructions: Json) -> PartialDate | None:
    """The first day that a dosage is bounded by."""
    given = [bounds(dosage.get("timing"))[0] for dosage in objects(instructions)]
    return min((start for start in given if start is not None), default=None)


def _ends(doses: tuple[Dose, ...], starts: PartialDate | None, supply: Resource, repeats: int) -> PartialDate | None:
    """The last day covered: by the dosages when all are bounded, else by validity, else by supply with refills."""
    if doses and all(dose.ends is not None for dose in doses):
        return max(dose.ends for dose in doses if dose.ends is not None)
    valid_until = read_period(supply.get("validityPeriod"))[1]
    return valid_until or last_day(starts, span(supply.get("expectedSupplyDuration")), 1 + repeats)


def read_reasons(resource: Resource, lookup: Lookup, index: Index) -> tuple[tuple[Meaning, ...], str]:
    """Meanings and words of ``reasonCode`` and of Conditions under ``reasonReference`` (R5: ``reason``)."""
    concepts: list[Json] = list(items(resource.get("reasonCode")))
    references: list[Json] = list(items(resource.get("reasonReference")))
    concepts.append(resource.get("reasonCodeableConcept"))
    for both in objects(resource.get("reason")):
        concepts.append(both.get("concept"))
        references.append(both.get("reference"))
    words = [label_of(reference) for reference in references]
    for reference in references:
        condition = find(index, read_reference(reference), resource)
        if condition is not None and condition.get("resourceType") == "Condition":
            concepts.append(condition.get("code"))
    meanings = {meaning: None for concept in concepts for meaning in lookup.meanings(concept)}
    words = [label(concept) for concept in concepts] + words
    return tuple(meanings), "; ".join(dict.fromkeys(word for word in words if word))


def _is_inpatient(category: Json) -> bool:
    words = {code.lower() for _, code, _ in codings(category)} | {label(one).lower() for one in items(category)}
    return "inpatient" in words
