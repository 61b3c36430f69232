"""The dates of a treatment: which day it is, when the dose steps down, when month 6 ends, when to look again."""

from datetime import timedelta

from hooks.clinic import wording
from hooks.clinic.dalteparin import DALTEPARIN
from hooks.clinic.picture import Case
from hooks.dates import PartialDate


def milestones(case: Case) -> tuple[str, ...]:
    """Lines for a card; a start that is known only to the month or year gives ranges and is said to be approximate.

    Day 0 is the first treatment of the clot on record, else the day of the clot.
    """
    treatment, clot = case.picture.treatment, case.picture.clot
    zero = treatment.day_zero or (clot.onset if clot else None)
    if zero is None:
        return ("Day of treatment not known: neither a start nor the date of the VTE is on record.",)
    today = case.patient.as_of
    what = "first treatment on record" if treatment.day_zero else "VTE, no start of treatment on record"
    lines = [f"Day {_count(zero, case)} of treatment (day 0: {wording.day_of(zero)}, {what})"]
    if any(c.running and c.order.drug and c.order.drug.name == DALTEPARIN for c in treatment.courses):
        step = case.dosing.regimen(DALTEPARIN, "months-2-6").first_day
        lines.append(f"Dalteparin step-down to 150 IU/kg: {_moved(zero, step)}")
    month_six = _moved(zero, int(case.dosing.limits["months_2_6_last_day"]))
    review = today + timedelta(days=int(case.dosing.limits["beyond_review_days"]))
    lines.append(f"Month 6 ends: {month_six}. Next review by: {review.isoformat()}")
    if not zero.is_exact:
        lines.append("The dates are approximate: the start is known only to the month or year.")
    return tuple(lines)


def _moved(zero: PartialDate, days: int) -> str:
    """A date so many days later: of a start known to the month a range, which is no calendar month any more."""
    day = zero.plus(days)
    return day.earliest.isoformat() if day.is_exact else f"about {day.earliest} to {day.latest}"


def _count(zero: PartialDate, case: Case) -> str:
    days = zero.days_before(case.patient.as_of)
    return str(days) if days.is_exact else f"about {max(days.fewest, 0)} to {days.most}"
