"""Dose tables: weight bands, syringes, regimens, dose intent. The numbers are in ``data/dosing``."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Literal

from hooks.tables import DATA, KnowledgeError, Row, read_rows

Intent = Literal["treatment", "extended", "prophylaxis", "unknown"]
_COLUMNS = {
    "dalteparin-bands": "phase region weight_min_kg weight_max_kg dose_iu source checked",
    "regimens": (
        "drug phase per_kg unit times_per_day max_per_day first_day last_day crcl_from_ml_min "
        "crcl_below_ml_min source checked"
    ),
    "fixed-doses": (
        "drug phase weight_from_kg weight_from_inclusive weight_to_kg weight_to_inclusive dose unit "
        "times_per_day source checked"
    ),
    "syringes": "drug dose unit code display text note",
    "intent": "drug intent measure low high unit times_low times_high source",
    "limits": "name value unit meaning source",
}
_INTENTS: Mapping[str, Intent] = {"treatment": "treatment", "extended": "extended", "prophylaxis": "prophylaxis"}
_MEASURES = frozenset({"dose", "day", "kg-dose", "kg-day"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A weight band in whole kilograms and its daily dose."""

    phase: str
    region: str
    weight_min_kg: Decimal
    weight_max_kg: Decimal
    dose_iu: Decimal
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Regimen:
    """A dose per kilogram: each time, how often, capped per day, for which days and clearance."""

    drug: str
    phase: str
    per_kg: Decimal
    unit: str
    times_per_day: int
    max_per_day: Decimal | None
    first_day: int
    last_day: int | None
    crcl_from_ml_min: Decimal | None
    crcl_below_ml_min: Decimal | None
    source: str

    def exact(self, weight_kg: Decimal) -> Decimal:
        """The exact dose each time for a body weight, capped."""
        dose = self.per_kg * weight_kg
        if self.max_per_day is not None:
            dose = min(dose, self.max_per_day / self.times_per_day)
        return dose


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedDose:
    """A dose for a range of unrounded body weights (fondaparinux)."""

    drug: str
    weight_from_kg: Decimal
    from_inclusive: bool
    weight_to_kg: Decimal
    to_inclusive: bool
    dose: Decimal
    unit: Literal["mg", "IU"]
    times_per_day: int

    def holds(self, weight_kg: Decimal) -> bool:
        """Whether ``weight_kg`` is in the range."""
        above = weight_kg > self.weight_from_kg or (self.from_inclusive and weight_kg == self.weight_from_kg)
        below = weight_kg < self.weight_to_kg or (self.to_inclusive and weight_kg == self.weight_to_kg)
        return above and below


@dataclass(frozen=True, slots=True, kw_only=True)
class Syringe:
    """A product that delivers one whole dose."""

    drug: str
    dose: Decimal
    unit: Literal["mg", "IU"]
    code: str
    display: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentRow:
    """One line of the dose-intent table; the first that fits decides."""

    drug: str
    intent: Intent
    measure: str
    low: Decimal
    high: Decimal | None
    unit: str
    times_low: Decimal | None
    times_high: Decimal | None

    def fits(self, per_dose: Decimal, times: Decimal | None, weight_kg: Decimal | None) -> bool:
        """Whether a dose of ``per_dose`` given ``times`` a day at ``weight_kg`` is on this line."""
        if not self._times_fit(times):
            return False
        amount: Decimal | None = per_dose
        if self.measure.endswith("day"):
            amount = None if times is None else per_dose * times
        if self.measure.startswith("kg"):
            amount = None if amount is None or not weight_kg else amount / weight_kg
        return amount is not None and amount >= self.low and (self.high is None or amount <= self.high)

    def _times_fit(self, times: Decimal | None) -> bool:
        if self.times_low is None and self.times_high is None:
            return True
        if times is None:
            return False
        low_ok = self.times_low is None or times >= self.times_low
        return low_ok and (self.times_high is None or times <= self.times_high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dosing:
    """All dose tables."""

    bands: tuple[Band, ...]
    regimens: tuple[Regimen, ...]
    fixed: tuple[FixedDose, ...]
    syringes: tuple[Syringe, ...]
    intents: Mapping[str, tuple[IntentRow, ...]]
    limits: Mapping[str, Decimal]

    def band(self, phase: str, weight_kg: Decimal, region: str = "US") -> Band | None:
        """The dalteparin band for a weight, rounded half up to whole kilograms first (label tables)."""
        whole = weight_kg.quantize(Decimal(1), rounding=ROUND_HALF_UP)
        return next(
            (
                b
                for b in self.bands
                if b.phase == phase and b.region == region and b.weight_min_kg <= whole <= b.weight_max_kg
            ),
            None,
        )

    def regimen(self, drug: str, phase: str) -> Regimen:
        """The regimen of a drug in a phase.

        Raises:
            KeyError: the table has none.
        """
        for regimen in self.regimens:
            if (regimen.drug, regimen.phase) == (drug, phase):
                return regimen
        raise KeyError((drug, phase))

    def fixed_dose(self, drug: str, weight_kg: Decimal) -> FixedDose | None:
        """The fixed dose for an unrounded weight."""
        return next((f for f in self.fixed if f.drug == drug and f.holds(weight_kg)), None)

    def syringe_up_to(self, drug: str, dose: Decimal) -> Syringe | None:
        """The largest syringe that does not exceed ``dose``."""
        fitting = [s for s in self.syringes if s.drug == drug and s.dose <= dose]
        return max(fitting, key=lambda s: s.dose, default=None)


def _rows(table: str) -> tuple[Row, ...]:
    return read_rows(DATA / "dosing" / f"{table}.csv", _COLUMNS[table].split())


def load_dosing() -> Dosing:
    """All dose tables.

    Raises:
        KnowledgeError: a number is not one, bands overlap or leave a gap, or a needed limit is missing.
    """
    bands = tuple(
        Band(
            phase=row["phase"],
            region=row["region"],
            weight_min_kg=row.decimal("weight_min_kg"),
            weight_max_kg=row.decimal("weight_max_kg"),
            dose_iu=row.decimal("dose_iu"),
            source=row["source"],
        )
        for row in _rows("dalteparin-bands")
    )
    _check_bands(bands)
    intents: dict[str, list[IntentRow]] = {}
    for row in _rows("intent"):
        intents.setdefault(row["drug"], []).append(_intent(row))
    return Dosing(
        bands=bands,
        regimens=tuple(_regimen(row) for row in _rows("regimens")),
        fixed=tuple(_fixed(row) for row in _rows("fixed-doses")),
        syringes=tuple(
            Syringe(
                drug=row["drug"],
                dose=row.decimal("dose"),
                unit=_unit(row),
                code=row["code"],
                display=row["display"],
                text=row["text"],
            )
            for row in _rows("syringes")
        ),
        intents={drug: tuple(rows) for drug, rows in intents.items()},
        limits={row["name"]: row.decimal("value") for row in _rows("limits")},
    )


def _check_bands(bands: tuple[Band, ...]) -> None:
    for phase in {(b.phase, b.region) for b in bands}:
        run = sorted((b for b in bands if (b.phase, b.region) == phase), key=lambda b: b.weight_min_kg)
        for lower, upper in pairwise(run):
            if upper.weight_min_kg != lower.weight_max_kg + 1:
                raise KnowledgeError(
                    DATA / "dosing" / "dalteparin-bands.csv",
                    None,
                    f"{phase}: bands overlap or leave a gap at {lower.weight_max_kg} kg",
                    "make them adjoin",
                )


def _regimen(row: Row) -> Regimen:
    last = row.optional_decimal("last_day")
    return Regimen(
        drug=row["drug"],
        phase=row["phase"],
        per_kg=row.decimal("per_kg"),
        unit=_unit(row),
        times_per_day=row.integer("times_per_day"),
        max_per_day=row.optional_decimal("max_per_day"),
        first_day=row.integer("first_day"),
        last_day=None if last is None else int(last),
        crcl_from_ml_min=row.optional_decimal("crcl_from_ml_min"),
        crcl_below_ml_min=row.optional_decimal("crcl_below_ml_min"),
        source=row["source"],
    )


def _fixed(row: Row) -> FixedDose:
    return FixedDose(
        drug=row["drug"],
        weight_from_kg=row.decimal("weight_from_kg"),
        from_inclusive=row["weight_from_inclusive"] == "yes",
        weight_to_kg=row.decimal("weight_to_kg"),
        to_inclusive=row["weight_to_inclusive"] == "yes",
        dose=row.decimal("dose"),
        unit=_unit(row),
        times_per_day=row.integer("times_per_day"),
    )


def _intent(row: Row) -> IntentRow:
    intent = _INTENTS.get(row["intent"])
    if intent is None:
        raise row.error(f"intent '{row['intent']}' unknown", f"use one of {sorted(_INTENTS)}")
    if row["measure"] not in _MEASURES:
        raise row.error(f"measure '{row['measure']}' unknown", f"use one of {sorted(_MEASURES)}")
    return IntentRow(
        drug=row["drug"],
        intent=intent,
        measure=row["measure"],
        low=row.decimal("low"),
        high=row.optional_decimal("high"),
        unit=_unit(row),
        times_low=row.optional_decimal("times_low"),
        times_high=row.optional_decimal("times_high"),
    )


def _unit(row: Row) -> Literal["mg", "IU"]:
    unit = row["unit"]
    if unit == "mg":
        return "mg"
    if unit == "IU":
        return "IU"
    raise row.error(f"unit '{unit}' unknown", "use mg or IU")
