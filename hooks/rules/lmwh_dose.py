"""R6 and R7: is the LMWH dose the one that is due."""

from decimal import Decimal

from hooks.clinic import describe, wording
from hooks.clinic.intent import dose_intent, is_treatment_drug
from hooks.clinic.lmwh import Expected, daily_dose, due_for, expected
from hooks.clinic.milestones import milestones
from hooks.clinic.offer import DALTEPARIN, treatment_day
from hooks.clinic.picture import Case
from hooks.clinic.recurrence import clot_on_treatment
from hooks.facts import MedicationOrder
from hooks.finding import Answer, CannotTell
from hooks.guidelines import Evidence


def dalteparin_step_down(case: Case, evidence: Evidence) -> Answer:
    """Seed: dalteparin 200 IU/kg for 30 days, then 150 IU/kg to month 6.

    When: on patient-view, dalteparin runs on day 30 to 182 with more than the dose of months 2-6.
    Needs: weight, else cannot tell.
    """
    picture = case.picture
    day = picture.treatment.day
    if picture.bleeding.major or picture.hit or day is None:
        return None
    if not (day.fewest >= evidence.number("first_day") and day.fewest <= evidence.number("last_day")):
        return None
    running = [c.order for c in picture.treatment.running_treatment if c.order.drug and c.order.drug.name == DALTEPARIN]
    for order in running:
        if picture.weight.value is None:
            return CannotTell(missing=(picture.weight.problem,))
        given = daily_dose(case, order)
        due = expected(case, DALTEPARIN, recurrence=clot_on_treatment(picture, case.profile) is not None)
        if given is None or not due or any(e.accepts(given) for e in due) or given < due[-1].high:
            continue
        slots = {"dose": wording.dose(due[-1].product, "IU")}
        exact = wording.dose(due[-1].exact.to_integral_value(), "IU")
        because = (
            f"Day {day} of treatment (day 0: {wording.day_of(picture.treatment.day_zero)})"
            if picture.treatment.day_zero
            else f"Day {day} of treatment",
            f"Active: {wording.order(order)}, {wording.dose(given, 'IU')} a day",
            f"Due: {wording.dose(due[-1].product, 'IU')} once daily (exact {exact}); {describe.weight(picture)}",
        )
        return evidence.finding(slots=slots, because=because, notes=(*_held(case), *milestones(case)))
    return None


def _held(case: Case) -> tuple[str, ...]:
    """The dose is for later where platelets or kidneys forbid it now."""
    picture, limits = case.picture, case.dosing.limits
    count = picture.platelets_10e9_l
    if count is not None and count < limits["dalteparin_platelets_hold_below_10e9_l"]:
        return ("Only once the platelets allow a treatment dose.",)
    if picture.clearance.is_below(limits["dalteparin_no_fixed_dose_below_crcl_ml_min"]):
        return ("With this clearance anti-Xa levels decide, not the weight alone.",)
    return ()


def lmwh_dose_check(case: Case, evidence: Evidence) -> Answer:
    """The dose of an LMWH order against the dose that is due by weight, day, kidneys and platelets.

    When: an LMWH or fondaparinux (or prophylactic UFH) is under the pen. Exact dose (within the tolerance) and band
    dose both pass.
    A prophylactic dose while treatment is due is said. Poor clearance, platelets under 50, HIT: R21, R22, R26 speak.
    Needs: weight, else cannot tell.
    """
    order, picture = case.medication, case.picture
    if order is None or order.drug is None or picture.bleeding.major or (picture.hit and order.drug.is_heparin):
        return None
    if case.drug_class not in ("LMWH", "UFH", "parenteral-Xa"):
        return None
    count = picture.platelets_10e9_l
    if count is not None and count < evidence.number("platelets_from_10e9_l"):
        return None
    due = due_for(case, order, recurrence=clot_on_treatment(picture, case.profile) is not None)
    given = daily_dose(case, order)
    if given is not None and any(e.accepts(given) for e in due):
        return None
    if case.intent == "prophylaxis":
        return _prophylactic(case, evidence, order)
    if case.drug_class == "UFH" or given is None:
        return None
    if not due:
        return CannotTell(missing=(picture.weight.problem,)) if picture.weight.value is None else None
    return _deviation(case, evidence, order, given, due)


def _deviation(
    case: Case, evidence: Evidence, order: MedicationOrder, given: Decimal, due: tuple[Expected, ...]
) -> Answer:
    highest = max(due, key=lambda e: e.high)
    above = given > highest.high or (highest.top is not None and given > highest.top)
    over_top = highest.top is not None and given > highest.top
    if case.picture.clearance.is_below(evidence.number("clearance_from_ml_min")) and not over_top:
        return None
    nearest = min(due, key=lambda e: abs(given - e.exact))
    unit = nearest.unit
    product = f"; syringe {wording.dose(nearest.product, unit)}" if nearest.product != nearest.exact else ""
    exact = wording.dose(nearest.exact.quantize(Decimal(1)), unit)
    because = (
        f"Ordered: {wording.order(order)}, {wording.dose(given, unit)} a day",
        f"Due: {exact} a day ({nearest.words}){product}",
        describe.weight(case.picture),
        f"Day {treatment_day(case)} of treatment",
    )
    percent = abs(given - nearest.exact) / nearest.exact * 100
    slots = {
        "drug": wording.drug_name(order).capitalize(),
        "dose": wording.dose(given, unit),
        "due": wording.dose(nearest.product.quantize(Decimal(1)), unit),
        "percent": wording.number(percent, 0),
    }
    return evidence.finding("above" if above else "below", slots=slots, because=because)


def _prophylactic(case: Case, evidence: Evidence, order: MedicationOrder) -> Answer:
    picture = case.picture
    clot, treatment = picture.clot, picture.treatment
    if clot is None or not clot.may_be_within(evidence.days("within_days")):
        return None
    if treatment.running_treatment or _treating_draft(case):
        return None
    if treatment.day is not None and treatment.day.most >= evidence.number("full_dose_days"):
        return None
    because = (*describe.both(picture), f"Ordered: {wording.order(order)}")
    slots = {"drug": wording.drug_name(order).capitalize()}
    return evidence.finding("prophylactic", slots=slots, because=because)


def _treating_draft(case: Case) -> bool:
    weight, today = case.picture.weight.value, case.patient.as_of
    return any(
        is_treatment_drug(d) and dose_intent(d, case.dosing, weight, today) in ("treatment", "unknown")
        for d in case.drafts
    )
