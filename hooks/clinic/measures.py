"""Laboratory values and body measures as the rules see them: the newest that counts, and how old it is."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from hooks.clinic import wording
from hooks.dates import DayRange
from hooks.facts import Patient, Reading

State = Literal["fresh", "stale", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many days a value is fresh, and after how many it counts as missing."""

    fresh_days: int
    missing_after_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """The newest value of one analyte. ``reading`` is None when ``state`` is ``missing``.

    ``problem`` says in words what is wrong (missing, too old, unit unclear, stale), "" when fresh.
    """

    name: str
    state: State
    reading: Reading | None = None
    days: DayRange | None = None
    problem: str = ""

    @property
    def value(self) -> Decimal | None:
        """The value in the canonical unit, None when missing. ``<20`` lies below 20, ``>20`` above it."""
        if self.reading is None:
            return None
        beside = {"<": self.reading.value.next_minus, ">": self.reading.value.next_plus}
        return beside[self.reading.comparator]() if self.reading.comparator in beside else self.reading.value

    @property
    def comparator(self) -> str:
        """``<``, ``<=``, ``>=``, ``>`` where the laboratory gave only a bound, else ""."""
        return self.reading.comparator if self.reading else ""


NAMES = {
    "creatinine_mg_dl": "creatinine",
    "platelets_10e9_l": "platelets",
    "weight_kg": "weight",
    "height_cm": "height",
    "haemoglobin_g_l": "haemoglobin",
}
WORSE = {"creatinine_mg_dl": max, "platelets_10e9_l": min, "weight_kg": min}
KEYS = {analyte: name for analyte, name in NAMES.items() if name != "haemoglobin"}


def newest(patient: Patient, analyte: str, limits: Limits) -> Measure:
    """The newest usable value. A newer value that could not be used is said, and makes an older one stale."""
    name = NAMES[analyte]
    readings = sorted(
        (r for r in patient.readings.get(analyte, ()) if r.taken.earliest <= patient.as_of),
        key=lambda r: (r.taken.latest, r.moment),
        reverse=True,
    )
    unusable = max(
        (u for u in patient.unusable if u.item == analyte),
        key=lambda u: (u.taken.latest.toordinal() if u.taken else 0, u.reason),
        default=None,
    )
    unusable_words = ""
    if unusable:
        on = f" {wording.day_of(unusable.taken)}" if unusable.taken else ""
        unusable_words = f"{name}{on}: {unusable.reason}"
    if not readings:
        gap = patient.gap(KEYS.get(analyte, name))
        reason = f"{name}: {gap.reason}" if gap else unusable_words or f"{name}: none on record"
        return Measure(name=name, state="missing", problem=reason)
    reading = _worst_of_latest(readings, analyte)
    days = reading.taken.days_before(patient.as_of)
    days = DayRange(fewest=max(days.fewest, 0), most=max(days.most, 0))
    newer_unusable = bool(unusable and (unusable.taken is None or unusable.taken.latest > reading.taken.latest))
    last = f"{name}: last {wording.day_of(reading.taken)}"
    if not days.may_be_at_most(limits.missing_after_days):
        return Measure(name=name, state="missing", days=days, problem=f"{last}, too old to use")
    if newer_unusable:
        return Measure(name=name, state="stale", reading=reading, days=days, problem=f"{unusable_words}; {last} used")
    if not days.may_be_at_most(limits.fresh_days):
        problem = f"{last}, stale ({days} days old), used with caution"
        return Measure(name=name, state="stale", reading=reading, days=days, problem=problem)
    return Measure(name=name, state="fresh", reading=reading, days=days)


def _worst_of_latest(readings: list[Reading], analyte: str) -> Reading:
    """The newest value; of several that cannot be put in order, the one that calls for more care."""
    first = readings[0]
    tied = [
        r for r in readings if r.taken == first.taken and (r.moment == first.moment or not r.moment or not first.moment)
    ]
    if len({r.value for r in tied}) == 1:
        return first
    worst = WORSE[analyte](tied, key=lambda r: r.value) if analyte in WORSE else first
    values = wording.listed(sorted({r.shown for r in tied}))
    return replace(worst, remark=f"{values} on the same day, order unknown")


def shown(measure: Measure, unit: str, places: int = 1) -> str:
    """A value with unit, source value where it differs, date and age, for a card."""
    reading = measure.reading
    if reading is None:
        return measure.problem
    value = f"{reading.comparator}{wording.number(reading.value, places)} {unit}"
    given = f" (reported as {reading.shown})" if reading.shown and not _same(reading) else ""
    stale = ", stale" if measure.state == "stale" else ""
    remark = f", {reading.remark}" if reading.remark else ""
    return f"{measure.name} {value}{given}, {wording.day_of(reading.taken)}{stale}{remark}"


def _same(reading: Reading) -> bool:
    """Whether the record gave the very number that is shown (its unit was the canonical one by another name)."""
    try:
        return Decimal(reading.shown.split()[0].lstrip("<>=")) == reading.value
    except (ArithmeticError, IndexError):
        return False
