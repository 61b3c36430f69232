"""Which daily doses of an LMWH are right for a patient today, and how far an order lies from them."""

from dataclasses import dataclass
from decimal import Decimal

from hooks.clinic.intent import computable
from hooks.clinic.offer import DALTEPARIN, PhaseDose, phase_dose, phase_on, platelet_reduction
from hooks.clinic.picture import Case
from hooks.dosing import FixedDose
from hooks.facts import Dose, MedicationOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The daily dose that is due: exact, as rounded for a product, and the range that passes."""

    exact: Decimal
    product: Decimal
    low: Decimal
    high: Decimal
    also: tuple[Decimal, ...]
    unit: str
    words: str
    times_per_day: int
    top: Decimal | None = None

    def accepts(self, per_day: Decimal) -> bool:
        """Whether a daily dose passes."""
        if self.top is not None and per_day > self.top:
            return False
        return per_day in self.also or self.low <= per_day <= self.high


def daily_dose(case: Case, order: MedicationOrder) -> Decimal | None:
    """Today's daily total of an order in the drug's unit, or None."""
    dose = _dose(case, order)
    return dose.per_day if dose else None


def due_for(case: Case, order: MedicationOrder, *, recurrence: bool) -> tuple[Expected, ...]:
    """The daily doses that are right today for an order: of several regimens those given as often as it is."""
    ahead = (order.starts.latest - case.patient.as_of).days if order.starts else 0
    due = expected(case, order.drug.name if order.drug else "", recurrence=recurrence, days_ahead=max(ahead, 0))
    dose = _dose(case, order)
    as_often = tuple(e for e in due if dose is not None and e.times_per_day == dose.times_per_day)
    return as_often or due


def _dose(case: Case, order: MedicationOrder) -> Dose | None:
    if order.drug is None:
        return None
    return computable(order, order.drug, case.dosing, case.picture.weight.value, case.patient.as_of)


def expected(case: Case, drug: str, *, recurrence: bool, days_ahead: int = 0) -> tuple[Expected, ...]:
    """The daily doses that are right today, or some days ahead; several where more than one regimen is open."""
    weight = case.picture.weight.value
    if weight is None:
        return ()
    if drug == DALTEPARIN:
        return _dalteparin(case, weight, recurrence=recurrence, days_ahead=days_ahead)
    fixed = case.dosing.fixed_dose(drug, weight)
    if fixed:
        return (_fixed(fixed),)
    tolerance = case.dosing.limits["dose_tolerance"]
    found = []
    for regimen in case.dosing.regimens:
        if regimen.drug != drug or not _fits_kidneys(case, regimen.crcl_from_ml_min, regimen.crcl_below_ml_min):
            continue
        exact = regimen.exact(weight) * regimen.times_per_day
        slack = max(exact * tolerance, _half_step(case, drug) * regimen.times_per_day)
        high = exact + slack
        if recurrence:
            high = max(high, exact * case.dosing.limits["recurrence_tolerance"])
        found.append(
            Expected(
                exact=exact,
                product=exact,
                low=exact - slack,
                high=high,
                also=(),
                unit=regimen.unit,
                words=f"{regimen.per_kg.normalize():f} {regimen.unit}/kg {_often(regimen.times_per_day)}",
                times_per_day=regimen.times_per_day,
            )
        )
    return tuple(found)


def _fixed(fixed: FixedDose) -> Expected:
    """A dose for a range of weights: that and no other."""
    per_day = fixed.dose * fixed.times_per_day
    return Expected(
        exact=per_day,
        product=per_day,
        low=per_day,
        high=per_day,
        also=(),
        unit=fixed.unit,
        words=f"{_often(fixed.times_per_day)} from {fixed.weight_from_kg:f} to {fixed.weight_to_kg:f} kg",
        times_per_day=fixed.times_per_day,
    )


def _half_step(case: Case, drug: str) -> Decimal:
    """Half of the step in which syringes come, where doses are rounded to syringes."""
    return case.dosing.limits.get(f"{drug}_syringe_step_iu", Decimal(0)) / 2


def _often(times_per_day: int) -> str:
    return "once daily" if times_per_day == 1 else "every 12 h"


def _fits_kidneys(case: Case, low: Decimal | None, below: Decimal | None) -> bool:
    clearance = case.picture.clearance
    if below is not None:
        return clearance.is_below(below)
    return low is None or not clearance.is_below(low)


def _dalteparin(case: Case, weight: Decimal, *, recurrence: bool, days_ahead: int) -> tuple[Expected, ...]:
    count, phases = case.picture.platelets_10e9_l, _open_phases(case, days_ahead)
    doses = (phase_dose(phase, weight, case.dosing, count) for phase in phases)
    return tuple(_accepted(case, dose, weight, recurrence=recurrence) for dose in doses if dose is not None)


def _open_phases(case: Case, days_ahead: int) -> tuple[str, ...]:
    """The phase of today, or of a day ahead; with no treatment on record clot age and a fresh start both count."""
    treatment, clot = case.picture.treatment, case.picture.clot
    if treatment.day is not None:
        days = (treatment.day.fewest, treatment.day.most)
    elif clot is not None and clot.days is not None:
        days = (0, clot.days.most)
    else:
        days = (0, 0)
    return tuple(dict.fromkeys(phase_on(max(day, 0) + days_ahead, case.dosing) for day in days))


def _accepted(case: Case, dose: PhaseDose, weight: Decimal, *, recurrence: bool) -> Expected:
    limits = case.dosing.limits
    tolerance, top = limits["dose_tolerance"], limits["dalteparin_max_iu_per_day"]
    reduction = platelet_reduction(case.dosing, case.picture.platelets_10e9_l)
    exact_low = (dose.exact_iu - reduction) * (1 - tolerance)
    high = dose.exact_iu * (1 + tolerance)
    table = "months-2-6" if dose.phase == "beyond" else dose.phase
    bands = [case.dosing.band(table, weight, region) for region in ("US", "UK")]
    also = {b.dose_iu for b in bands if b} | {b.dose_iu - reduction for b in bands if b}
    syringe = case.dosing.syringe_up_to(DALTEPARIN, dose.due_iu)
    if syringe:
        also.add(syringe.dose)
    if recurrence:
        high = max(high, max(dose.exact_iu, dose.band_iu) * limits["recurrence_tolerance"])
    regimen = case.dosing.regimen(DALTEPARIN, dose.phase)
    return Expected(
        exact=dose.exact_due_iu,
        product=syringe.dose if syringe else dose.due_iu,
        low=exact_low,
        high=high,
        also=tuple(sorted(also)),
        unit="IU",
        words=f"{regimen.per_kg.normalize():f} IU/kg once daily",
        times_per_day=regimen.times_per_day,
        top=top,
    )
