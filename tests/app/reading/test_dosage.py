"""Doses as EHRs write them: never guessed."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from app.reading.dosage import read_doses
from hooks.dates import PartialDate
from hooks.facts import Dose, Drug
from tests.app.reading.books import APIXABAN, APIXABAN_5, DALTEPARIN_15000, ENOXAPARIN_80

START = PartialDate.on(date(2026, 3, 1))


def dose(quantity: Any, drug: Drug | None = None, **more: Any) -> Dose:
    (found,) = read_doses([{"doseAndRate": [{"doseQuantity": quantity}], **more}], drug, START)
    return found


def day(text: str) -> PartialDate:
    return PartialDate.on(date.fromisoformat(text))


UNITS = [
    # value, unit, code, drug, what it is
    ("5", "mg", "mg", APIXABAN_5, "5 mg"),
    ("0.005", "g", "g", APIXABAN_5, "5 mg"),
    ("5000", "ug", "ug", APIXABAN_5, "5 mg"),
    ("5000", "mcg", "", APIXABAN_5, "5 mg"),
    ("15000", "IU", "[iU]", DALTEPARIN_15000, "15000 IU"),
    ("15000", "", "[IU]", DALTEPARIN_15000, "15000 IU"),
    ("15000", "units", "U", DALTEPARIN_15000, "15000 IU"),
    ("15000", "UNT", "", DALTEPARIN_15000, "15000 IU"),
    ("15000", "Unit", "{unit}", DALTEPARIN_15000, "15000 IU"),
    ("15000", "anti-Xa IU", "", DALTEPARIN_15000, "15000 IU"),
    ("15000", "[USP'U]", "[USP'U]", DALTEPARIN_15000, "15000 IU"),
    ("15", "K UNT", "", DALTEPARIN_15000, "15000 IU"),
    ("8000", "IU", "[iU]", ENOXAPARIN_80, "8000 IU"),
    ("1", "mg/kg", "mg/kg", ENOXAPARIN_80, "1 mg/kg"),
    ("200", "IU/kg", "[iU]/kg", DALTEPARIN_15000, "200 IU/kg"),
    ("200", "units/kg/dose", "", DALTEPARIN_15000, "200 IU/kg"),
    ("2", "tablet", "{tbl}", APIXABAN_5, "10 mg"),
    ("1", "{pill}", "{pill}", APIXABAN_5, "5 mg"),
    ("1", "Tablet", "1", APIXABAN_5, "5 mg"),
    ("0.5", "TAB", "TAB", APIXABAN_5, "2.5 mg"),
    ("1", "syringe", "{syringe}", DALTEPARIN_15000, "15000 IU"),
    ("0.8", "mL", "mL", ENOXAPARIN_80, "80 mg"),
    ("2", "tablet(s)", "", APIXABAN_5, "10 mg"),
    ("2", "Film-coated tablet", "", APIXABAN_5, "10 mg"),
    ("1", "each", "{each}", APIXABAN_5, "5 mg"),
]


@pytest.mark.parametrize(("value", "unit", "code", "drug", "expected"), UNITS)
def test_units_of_dose(value, unit, code, drug, expected):
    found = dose({"value": float(value), "unit": unit, "code": code}, drug)
    amount, _, unit_read = expected.partition(" ")
    assert (found.amount, f"{found.unit}{'/kg' if found.per_kg else ''}") == (Decimal(amount), unit_read)
    assert found.why_unknown == ""


NOT_COMPUTABLE = [
    ({"value": 1, "unit": "tablet"}, APIXABAN, "strength is not known"),
    ({"value": 0.6, "unit": "mL"}, ENOXAPARIN_80, "not one whole product"),
    ({"value": 0.6, "unit": "mL"}, DALTEPARIN_15000, "not one whole product"),
    ({"value": 1}, APIXABAN_5, "no unit"),
    ({"value": 1, "unit": "spoonful"}, APIXABAN_5, "not known"),
    ({"value": 1, "unit": "half tablet"}, APIXABAN_5, "not known"),
    ({"value": 5, "unit": "mg/d"}, APIXABAN_5, "not known"),
    ({"value": 18, "unit": "units/kg/h"}, None, "not known"),
    ({"value": 5, "comparator": "<", "unit": "mg"}, APIXABAN_5, "not as one number"),
    ({"value": 0, "unit": "mg"}, APIXABAN_5, "not above zero"),
    ({"value": -5, "unit": "mg"}, APIXABAN_5, "not above zero"),
    ({"value": "some", "unit": "mg"}, APIXABAN_5, "not a number"),
    ({"value": 5, "unit": "mg", "code": "g"}, APIXABAN_5, "two units that differ"),
]


@pytest.mark.parametrize(("quantity", "drug", "why"), NOT_COMPUTABLE)
def test_what_cannot_be_computed_says_why(quantity, drug, why):
    found = dose(quantity, drug)
    assert found.amount is None
    assert why in found.why_unknown


def test_a_range_is_no_dose_unless_both_ends_are_equal():
    def ranged(low: float, high: float) -> Dose:
        limits = {"low": {"value": low, "unit": "mg"}, "high": {"value": high, "unit": "mg"}}
        return read_doses([{"doseAndRate": [{"doseRange": limits}]}], None, START)[0]

    assert ranged(40, 60).amount is None
    assert "range (40 mg to 60 mg)" in ranged(40, 60).why_unknown
    assert ranged(40, 40).amount == 40


@pytest.mark.parametrize(
    "dosage",
    [
        {"doseAndRate": {"doseQuantity": {"value": 5, "unit": "mg"}}},
        {"doseQuantity": {"value": 5, "unit": "mg"}},
        {"doseSimpleQuantity": {"value": 5, "unit": "mg"}},
    ],
)
def test_shapes_of_other_versions_are_read(dosage):
    assert read_doses(dosage, None, START)[0].amount == 5


def test_of_several_amounts_the_ordered_computable_one_counts():
    def entry(kind: str, value: float, unit: str) -> dict[str, Any]:
        return {"type": {"coding": [{"code": kind}]}, "doseQuantity": {"value": value, "unit": unit}}

    entries = [entry("admin-amount", 0.7, "mL"), entry("calculated", 70, "mg"), entry("ordered", 1, "mg/kg")]
    assert read_doses([{"doseAndRate": entries}], ENOXAPARIN_80, START)[0].amount == 70
    entries = [entry("calculated", 70, "mg"), entry("ordered", 60, "mg")]
    assert read_doses([{"doseAndRate": entries}], ENOXAPARIN_80, START)[0].amount == 60


@pytest.mark.parametrize(
    "rate", [{"rateQuantity": {"value": 18, "unit": "U/kg/h"}}, {"rateRatio": {"numerator": {"value": 1000}}}]
)
def test_a_rate_is_a_continuous_infusion(rate):
    (found,) = read_doses([{"doseAndRate": [rate]}], None, START)
    assert found.rate
    assert found.amount is None
    assert "infusion" in found.why_unknown


def steps(*dosages: dict[str, Any]) -> list[tuple[Any, ...]]:
    doses = read_doses(list(dosages), APIXABAN_5, START)
    return [(d.amount, d.times_per_day, d.starts and str(d.starts), d.ends and str(d.ends), d.days) for d in doses]


def step(value: float, *, days: int | None = None, sequence: int | None = None) -> dict[str, Any]:
    repeat: dict[str, Any] = {"frequency": 2, "period": 1, "periodUnit": "d"}
    if days is not None:
        repeat["boundsDuration"] = {"value": days, "unit": "d"}
    found: dict[str, Any] = {
        "doseAndRate": [{"doseQuantity": {"value": value, "unit": "mg"}}],
        "timing": {"repeat": repeat},
    }
    return found if sequence is None else {**found, "sequence": sequence}


LEAD_IN = [(10, 2, "2026-03-01", "2026-03-07", 7), (5, 2, "2026-03-08", None, None)]


def test_numbered_steps_follow_each_other_in_their_order():
    assert steps(step(5, sequence=2), step(10, days=7, sequence=1)) == LEAD_IN


def test_steps_without_numbers_follow_when_all_but_the_last_have_a_length():
    assert steps(step(10, days=7), step(5)) == LEAD_IN


def test_unbounded_doses_stand_side_by_side():
    assert steps(step(5), step(2.5)) == [(5, 2, None, None, None), (Decimal("2.5"), 2, None, None, None)]


def test_the_same_lead_in_in_words():
    assert steps({"text": "10 mg by mouth twice daily for 7 days, then 5 mg twice daily"}) == LEAD_IN


def test_a_step_bounded_by_dates():
    timing = {"repeat": {"boundsPeriod": {"start": "2026-03-01", "end": "2026-03-30"}, "period": 1, "periodUnit": "d"}}
    (found,) = read_doses([{"timing": timing, "doseQuantity": {"value": 1, "unit": "IU"}}], None, None)
    assert (found.starts, found.ends, found.days) == (day("2026-03-01"), day("2026-03-30"), 30)


def test_a_count_of_doses_is_a_length():
    timing = {"repeat": {"count": 14, "frequency": 2, "period": 1, "periodUnit": "d"}}
    (found,) = read_doses([{"timing": timing, "doseQuantity": {"value": 5, "unit": "mg"}}], None, START)
    assert (found.days, found.ends) == (7, day("2026-03-07"))


@pytest.mark.parametrize(
    "when", [{"asNeededBoolean": True}, {"asNeededCodeableConcept": {"text": "pain"}}, {"asNeeded": True}]
)
def test_as_needed(when):
    assert dose({"value": 5, "unit": "mg"}, **when).as_needed


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ({"coding": [{"system": "http://snomed.info/sct", "code": "34206005"}]}, "subcutaneous"),
        ({"coding": [{"code": "PO"}]}, "oral"),
        ({"text": "Subcutaneous route"}, "subcutaneous"),
        ({"text": "s.c."}, "subcutaneous"),
        ({"text": "Oral"}, "oral"),
        ({"text": "Intravenous"}, "intravenous"),
        ({"text": "Via enteral tube"}, "via enteral tube"),
        (None, ""),
    ],
)
def test_routes(route, expected):
    assert dose({"value": 5, "unit": "mg"}, route=route).route == expected


@pytest.mark.parametrize("instructions", [None, [], {}, [{}], [None], 3])
def test_no_dosage_is_no_dose(instructions):
    assert read_doses(instructions, None, START) == ()


def test_a_dosage_without_a_dose_says_so():
    (found,) = read_doses([{"sequence": 1, "asNeededBoolean": True}], None, START)
    assert (found.amount, found.why_unknown) == (None, "the order gives no dose")


@pytest.mark.parametrize(("value", "unit"), [(3650, "d"), (120, "mo")])
def test_steps_of_absurd_length_do_not_run_over_the_calendar(value, unit):
    def long_step(at: int) -> dict[str, Any]:
        return {"sequence": at, "text": "x", "timing": {"repeat": {"boundsDuration": {"value": value, "unit": unit}}}}

    doses = read_doses([long_step(at) for at in range(900)], None, START)
    assert doses[0].ends is not None
    assert doses[-1].ends is None
