"""R3: a vitamin K antagonist in cancer-associated VTE."""

from hooks.clinic import describe, wording
from hooks.clinic.blocks import competing_diagnosis, competing_reason
from hooks.clinic.offer import replacement
from hooks.clinic.picture import Case
from hooks.finding import Answer
from hooks.guidelines import Evidence


def vka_in_cancer(case: Case, evidence: Evidence) -> Answer:
    """Seed: avoid vitamin K antagonists in cancer; LMWH is more effective.

    When: a VKA is under the pen. A mechanical valve, antiphospholipid syndrome, mitral stenosis, CTEPH,
    clearance below the limit or dialysis, or such a reason on the order, makes it an information without a button.
    Not with HIT, major bleeding or pregnancy: R26, R20, R27 speak.
    """
    order, picture = case.medication, case.picture
    if order is None or case.drug_class != "VKA" or picture.hit or not case.choice_is_open:
        return None
    because = (*describe.both(picture), f"Ordered: {wording.order(order)}")
    intended = _intended(case, evidence)
    if intended:
        return evidence.finding("intended", slots={"reason": intended}, because=(*because, f"Reason: {intended}"))
    offer = replacement(case)
    return evidence.finding(because=because, notes=offer.notes, proposals=offer.proposals)


def _intended(case: Case, evidence: Evidence) -> str:
    order = case.medication
    reason = competing_reason(order, case.profile) if order else ""
    if reason:
        return reason
    found = competing_diagnosis(case.patient, evidence.lists["exceptions"])
    if found:
        return wording.diagnosis(found, case.patient)
    if case.picture.clearance.is_below(evidence.number("clearance_exception_below_ml_min")):
        return case.picture.clearance.words
    return ""
