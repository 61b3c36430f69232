"""R27: pregnancy and a vitamin K antagonist or a direct oral anticoagulant."""

from hooks.clinic import describe, wording
from hooks.clinic.blocks import competing_diagnosis
from hooks.clinic.offer import Offer, replacement
from hooks.clinic.picture import Case
from hooks.facts import MedicationOrder
from hooks.finding import Answer
from hooks.guidelines import Evidence


def pregnancy(case: Case, evidence: Evidence) -> Answer:
    """VKA and DOACs are contraindicated in pregnancy; LMWH is used.

    When: pregnant, and a VKA or DOAC is under the pen or runs. A VKA with a mechanical valve is a specialist's
    decision. After HIT no LMWH is offered. Major bleeding: R20 speaks.
    """
    picture = case.picture
    if picture.pregnancy is None or picture.bleeding.major:
        return None
    judged = [o for o in case.judged() if o.drug and (o.drug.is_doac or o.drug.anticoagulant == "VKA")]
    if not judged:
        return None
    word = "Active" if case.on_patient_view else "Ordered"
    because = (f"Pregnancy: {picture.pregnancy.source}", *(f"{word}: {wording.order(o)}" for o in judged))
    valve = competing_diagnosis(case.patient, evidence.lists["valves"])
    if valve and all(_is_vka(o) for o in judged):
        line = f"Valve: {wording.diagnosis(valve, case.patient)}"
        return evidence.finding("valve-view" if case.on_patient_view else "valve", because=(*because, line))
    because = (*because, *describe.clot(picture))
    if case.on_patient_view:
        return evidence.finding("view", because=because)
    offer = Offer() if picture.population != "cat" else replacement(case)
    text = "hit" if picture.hit else "main"
    return evidence.finding(text, because=because, notes=offer.notes, proposals=offer.proposals)


def _is_vka(order: MedicationOrder) -> bool:
    return order.drug is not None and order.drug.anticoagulant == "VKA"
