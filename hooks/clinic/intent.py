"""What a dose is for: treatment, extended phase, prophylaxis; unknown where it cannot be computed."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from hooks.dosing import Dosing, Intent
from hooks.facts import Dose, Drug, MedicationOrder

NOT_TREATMENT_USES = frozenset({"flush", "line-irrigation", "catheter-lock", "catheter-clearance", "local"})
_DRAFT = frozenset({"draft", ""})


def current_steps(order: MedicationOrder, today: date) -> tuple[Dose, ...]:
    """The steps of the dosage that hold on ``today``; several only where the order does not say which.

    An order that is not begun (a draft, or one that starts later) is judged by its first day; one whose steps
    are all over by the last that it had.
    """
    if len(order.doses) <= 1:
        return order.doses
    day = today
    if order.starts is not None and (order.status in _DRAFT or order.starts.earliest > today):
        day = order.starts.earliest
    begun = [dose for dose in order.doses if dose.starts is None or dose.starts.earliest <= day]
    if not begun:
        return order.doses[:1]
    going_on = [dose for dose in begun if _last_day(dose) is None or (_last_day(dose) or day) >= day]
    if not going_on:
        return (max(begun, key=lambda dose: _last_day(dose) or day),)
    latest = max(dose.starts.earliest if dose.starts else date.min for dose in going_on)
    return tuple(dose for dose in going_on if (dose.starts.earliest if dose.starts else date.min) == latest)


def current_dose(order: MedicationOrder, today: date) -> Dose | None:
    """The one step that holds on ``today``, or None where there is none, or the order does not say which."""
    steps = current_steps(order, today)
    alike = {(s.amount, s.unit, s.times_per_day, s.per_kg, s.rate) for s in steps}
    return steps[0] if len(alike) == 1 else None


def _last_day(dose: Dose) -> date | None:
    if dose.ends is not None:
        return dose.ends.latest
    if dose.starts is not None and dose.days is not None:
        return dose.starts.latest + timedelta(days=dose.days - 1)
    return None


def computable(
    order: MedicationOrder, drug: Drug, dosing: Dosing, weight_kg: Decimal | None, today: date
) -> Dose | None:
    """Today's dose in the drug's own unit (enoxaparin IU become mg, per-kg doses become totals), or None."""
    dose = current_dose(order, today)
    return _in_own_unit(dose, drug, dosing, weight_kg) if dose else None


def _in_own_unit(dose: Dose, drug: Drug, dosing: Dosing, weight_kg: Decimal | None) -> Dose | None:
    amount, unit = dose.amount, dose.unit
    if amount is None or (dose.per_kg and weight_kg is None):
        return None
    if dose.per_kg and weight_kg is not None:
        amount *= weight_kg
    rows = dosing.intents.get(drug.name, ())
    wanted = rows[0].unit if rows else unit
    if drug.name == "enoxaparin" and unit == "IU":
        amount, unit = amount / dosing.limits["iu_per_mg_enoxaparin"], "mg"
    if wanted and unit != wanted:
        return None
    return replace(dose, amount=amount, unit=unit, per_kg=False)


def dose_intent(order: MedicationOrder, dosing: Dosing, weight_kg: Decimal | None, today: date) -> Intent:
    """What the dose of ``today`` is for: treatment, extended, prophylaxis or unknown."""
    intents = {_intent(order, dose, dosing, weight_kg) for dose in current_steps(order, today) or (Dose(),)}
    return intents.pop() if len(intents) == 1 else "unknown"


def has_treated(order: MedicationOrder, dosing: Dosing, weight_kg: Decimal | None) -> bool:
    """Whether any step of the order is a treatment dose, or one that is not known."""
    steps = order.doses or (Dose(),)
    return any(_intent(order, dose, dosing, weight_kg) in ("treatment", "unknown") for dose in steps)


def _intent(order: MedicationOrder, dose: Dose, dosing: Dosing, weight_kg: Decimal | None) -> Intent:
    """Flush and lock products are prophylaxis (no treatment)."""
    drug = order.drug
    if drug is None or drug.anticoagulant is None:
        return "unknown"
    if drug.use in NOT_TREATMENT_USES:
        return "prophylaxis"
    if drug.anticoagulant in ("VKA", "parenteral-DTI") or drug.use == "infusion-bag" or dose.rate:
        return "treatment"
    known = _in_own_unit(dose, drug, dosing, weight_kg)
    if known is None or known.amount is None:
        return "unknown"
    for row in dosing.intents.get(drug.name, ()):
        if row.fits(known.amount, known.times_per_day, weight_kg):
            return row.intent
    return "unknown"


def is_treatment_drug(order: MedicationOrder) -> bool:
    """Whether the order is for an anticoagulant given to the whole body (not a flush, lock or line)."""
    drug = order.drug
    return drug is not None and drug.anticoagulant is not None and drug.use not in NOT_TREATMENT_USES
