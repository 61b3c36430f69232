"""R26: a history of heparin-induced thrombocytopenia."""

from hooks.clinic import describe, wording
from hooks.clinic.fondaparinux import fondaparinux
from hooks.clinic.picture import Case
from hooks.facts import MedicationOrder
from hooks.finding import Answer
from hooks.guidelines import Evidence


def hit_history(case: Case, evidence: Evidence) -> Answer:
    """No heparin of any kind after immune heparin-induced thrombocytopenia.

    When: HIT is on record and a heparin (flush and lock included) is under the pen or runs; or, on patient-view,
    the clot is untreated and heparin would be the next step. A VKA under the pen or running while HIT is acute: not
    before platelets recover.
    """
    picture, hit = case.picture, case.picture.hit
    if hit is None:
        return None
    because: tuple[str, ...] = (f"HIT: {hit.source}",)
    if case.on_patient_view:
        return _on_view(case, evidence, because)
    order = case.medication
    if order is None or order.drug is None:
        return None
    because += (f"Ordered: {wording.order(order)}",)
    if order.drug.is_heparin:
        offer = fondaparinux(case)
        text = "pregnant" if picture.pregnancy else "acute" if hit.acute else "main"
        return evidence.finding(text, because=because, notes=offer.notes, proposals=offer.proposals)
    if order.drug.anticoagulant == "VKA" and hit.acute and not picture.bleeding.major:
        return evidence.finding("vka", because=(*because, describe.platelets(picture)))
    return None


def _on_view(case: Case, evidence: Evidence, because: tuple[str, ...]) -> Answer:
    picture = case.picture
    running = [c.order for c in picture.treatment.running if c.order.drug and c.order.drug.is_heparin]
    running += [m for m in _flushes(case) if m not in running]
    if running:
        lines = tuple(f"Active: {wording.order(o)}" for o in running)
        return evidence.finding("pregnant-view" if picture.pregnancy else "view", because=(*because, *lines))
    antagonists = [c.order for c in picture.treatment.running if c.anticoagulant == "VKA"]
    if antagonists and picture.hit and picture.hit.acute and not picture.bleeding.major:
        lines = tuple(f"Active: {wording.order(o)}" for o in antagonists)
        return evidence.finding("vka", because=(*because, *lines, describe.platelets(picture)))
    clot = picture.clot
    untreated = clot is not None and not picture.treatment.covered and clot.may_be_within(evidence.days("within_days"))
    if untreated and picture.population == "cat" and not picture.bleeding.major:
        text = "pregnant-view" if picture.pregnancy else "untreated"
        return evidence.finding(text, because=(*because, *describe.both(picture)))
    return None


def _flushes(case: Case) -> list[MedicationOrder]:
    return [m for m in case.patient.medications if m.status == "active" and m.drug is not None and m.drug.is_heparin]
