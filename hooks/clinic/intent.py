"""What a dose is for: treatment, extended phase, prophylaxis; unknown where it cannot be computed."""

from decimal import Decimal

from hooks.dosing import Dosing, Intent
from hooks.facts import Dose, Drug, MedicationOrder

NOT_TREATMENT_USES = frozenset({"flush", "line-irrigation", "catheter-lock", "catheter-clearance", "local"})


def current_dose(order: MedicationOrder) -> Dose | None:
    """The first step of the dosage, the one that begins with the order."""
    return order.doses[0] if order.doses else None


def computable(order: MedicationOrder, drug: Drug, dosing: Dosing, weight_kg: Decimal | None) -> Dose | None:
    """The dose in the drug's own unit (enoxaparin IU become mg, per-kg doses become totals), or None."""
    dose = current_dose(order)
    if dose is None or dose.amount is None:
        return None
    amount = dose.amount
    if dose.per_kg:
        if weight_kg is None:
            return None
        amount *= weight_kg
    unit = dose.unit
    rows = dosing.intents.get(drug.name, ())
    wanted = rows[0].unit if rows else unit
    if drug.name == "enoxaparin" and unit == "IU":
        amount, unit = amount / dosing.limits["iu_per_mg_enoxaparin"], "mg"
    if wanted and unit != wanted:
        return None
    return Dose(
        amount=amount,
        unit=unit,
        times_per_day=dose.times_per_day,
        rate=dose.rate,
        route=dose.route,
        starts=dose.starts,
        ends=dose.ends,
        days=dose.days,
        text=dose.text,
    )


def dose_intent(order: MedicationOrder, dosing: Dosing, weight_kg: Decimal | None) -> Intent:
    """Treatment, extended, prophylaxis or unknown. Flush and lock products are prophylaxis (no treatment)."""
    drug = order.drug
    if drug is None or drug.anticoagulant is None:
        return "unknown"
    if drug.use in NOT_TREATMENT_USES:
        return "prophylaxis"
    dose = current_dose(order)
    if drug.anticoagulant in ("VKA", "parenteral-DTI") or drug.use == "infusion-bag" or (dose and dose.rate):
        return "treatment"
    known = computable(order, drug, dosing, weight_kg)
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
