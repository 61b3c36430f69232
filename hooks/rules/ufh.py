"""R2: unfractionated heparin where low-molecular-weight heparin is preferred."""

from hooks.clinic import describe, wording
from hooks.clinic.offer import replacement
from hooks.clinic.picture import Case
from hooks.facts import MedicationOrder, ServiceOrder
from hooks.finding import Answer
from hooks.guidelines import Evidence


def ufh_lmwh_preferred(case: Case, evidence: Evidence) -> Answer:
    """Seed: LMWH over unfractionated heparin for the first days and long term.

    When: treatment-dose UFH is under the pen (bag, bolus, SC treatment dose; not flush, lock, line, 5 000 units).
    With poor clearance, dialysis or planned thrombolysis UFH can be reasonable: information or silence.
    """
    order, picture = case.medication, case.picture
    if order is None or case.drug_class != "UFH" or not case.may_treat or picture.hit or not case.choice_is_open:
        return None
    because = (*describe.both(picture), f"Ordered: {wording.order(order)}")
    poor = picture.clearance.is_below(evidence.number("clearance_limit_ml_min"))
    if poor or _lysis_planned(case):
        why = picture.clearance.words if poor else "thrombolysis is planned"
        return evidence.finding("reasonable", slots={"reason": why}, because=(*because, f"Reason: {why}"))
    if picture.clot is None or not picture.clot.may_be_within(evidence.days("within_days")):
        return None
    offer = replacement(case)
    return evidence.finding(because=because, notes=offer.notes, proposals=offer.proposals)


def _lysis_planned(case: Case) -> bool:
    for other in case.others:
        if isinstance(other, ServiceOrder) and other.means("procedure", "thrombolysis", "thrombectomy"):
            return True
        if isinstance(other, MedicationOrder) and other.drug and other.drug.thrombolytic:
            return other.drug.use != "catheter-clearance"
    return False
