"""Doses as EHRs write them: never guessed."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from app.reading.dosage import read_doses
from app.reading.sig import read_sig
from app.reading.timing import last_day, times_per_day
from hooks.facts import Dose, Drug, PartialDate
from tests.app.reading.books import APIXABAN, APIXABAN_5, DALTEPARIN_15000, ENOXAPARIN_80

START = PartialDate.on(date(2026, 3, 1))


def dose(quantity: Any, drug: Drug | None = None, **more: Any) -> Dose:
    (found,) = read_doses([{"doseAndRate": [{"doseQuantity": quantity}], **more}], drug, START)
    return found


def day(text: str) -> PartialDate:
    return PartialDate.on(date.fromisoformat(text))


UNITS = [
    # value, unit, code, drug, amount, unit read, per kg
    ("5", "mg", "mg", APIXABAN_5, "5", "mg", False),
    ("0.005", "g", "g", APIXABAN_5, "5", "mg", False),
    ("5000", "ug", "ug", APIXABAN_5, "5", "mg", False),
    ("5000", "mcg", "", APIXABAN_5, "5", "mg", False),
    ("15000", "IU", "[iU]", DALTEPARIN_15000, "15000", "IU", False),
    ("15000", "", "[IU]", DALTEPARIN_15000, "15000", "IU", False),
    ("15000", "units", "U", DALTEPARIN_15000, "15000", "IU", False),
    ("15000", "UNT", "", DALTEPARIN_15000, "15000", "IU", False),
    ("15000", "Unit", "{unit}", DALTEPARIN_15000, "15000", "IU", False),
    ("15000", "anti-Xa IU", "", DALTEPARIN_15000, "15000", "IU", False),
    ("15000", "[USP'U]", "[USP'U]", DALTEPARIN_15000, "15000", "IU", False),
    ("15", "K UNT", "", DALTEPARIN_15000, "15000", "IU", False),
    ("8000", "IU", "[iU]", ENOXAPARIN_80, "8000", "IU", False),
    ("1", "mg/kg", "mg/kg", ENOXAPARIN_80, "1", "mg", True),
    ("200", "IU/kg", "[iU]/kg", DALTEPARIN_15000, "200", "IU", True),
    ("200", "units/kg/dose", "", DALTEPARIN_15000, "200", "IU", True),
    ("2", "tablet", "{tbl}", APIXABAN_5, "10", "mg", False),
    ("1", "{pill}", "{pill}", APIXABAN_5, "5", "mg", False),
    ("1", "Tablet", "1", APIXABAN_5, "5", "mg", False),
    ("0.5", "TAB", "TAB", APIXABAN_5, "2.5", "mg", False),
    ("1", "syringe", "{syringe}", DALTEPARIN_15000, "15000", "IU", False),
    ("0.8", "mL", "mL", ENOXAPARIN_80, "80", "mg", False),
]


@pytest.mark.parametrize(("value", "unit", "code", "drug", "amount", "unit_read", "per_kg"), UNITS)
def test_units_of_dose(value, unit, code, drug, amount, unit_read, per_kg):
    found = dose({"value": float(value), "unit": unit, "code": code}, drug)
    assert (found.amount, found.unit, found.per_kg) == (Decimal(amount), unit_read, per_kg)
    assert found.why_unknown == ""


NOT_COMPUTABLE = [
    ({"value": 1, "unit": "tablet"}, APIXABAN, "strength is not known"),
    ({"value": 0.6, "unit": "mL"}, ENOXAPARIN_80, "not one whole product"),
    ({"value": 0.6, "unit": "mL"}, DALTEPARIN_15000, "not one whole product"),
    ({"value": 1}, APIXABAN_5, "no unit"),
    ({"value": 1, "unit": "spoonful"}, APIXABAN_5, "not known"),
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


TIMINGS = [
    ({"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}, "1"),
    ({"repeat": {"frequency": 2, "period": 1.0, "periodUnit": "d"}}, "2"),
    ({"repeat": {"frequency": 1, "period": 12, "periodUnit": "h"}}, "2"),
    ({"repeat": {"period": 8, "periodUnit": "h"}}, "3"),
    ({"repeat": {"frequency": "1", "period": "24", "periodUnits": "h"}}, "1"),
    ({"repeat": {"frequency": 7, "period": 1, "periodUnit": "wk"}}, "1"),
    ({"repeat": {"frequency": 1, "period": 2, "periodUnit": "d"}}, "0.5"),
    ({"repeat": {"timeOfDay": ["08:00:00", "20:00:00"]}}, "2"),
    ({"repeat": {"when": ["MORN"]}}, "1"),
    ({"repeat": {"frequency": 1, "frequencyMax": 1, "period": 1, "periodUnit": "d"}}, "1"),
    ({"code": {"coding": [{"code": "QD"}]}}, "1"),
    ({"code": {"coding": [{"code": "BID"}]}}, "2"),
    ({"code": {"coding": [{"code": "Q8H"}]}}, "3"),
    ({"code": {"text": "Q12H"}}, "2"),
    ({"code": {"text": "every 12 hours"}}, "2"),
    ({"code": {"text": "twice a day"}}, "2"),
    ({"code": {"text": "q.a.m."}}, "1"),
    ({"code": {"text": "b.i.d."}}, "2"),
    ({"repeat": {"boundsDuration": {"value": 7, "code": "d"}}, "code": {"text": "QID"}}, "4"),
]
NO_TIMINGS = [
    {"repeat": {"frequency": 1, "frequencyMax": 2, "period": 1, "periodUnit": "d"}},
    {"repeat": {"frequency": 1, "period": 4, "periodMax": 6, "periodUnit": "h"}},
    {"repeat": {"frequency": 1, "period": 1}},
    {"repeat": {"frequency": 1, "period": 0, "periodUnit": "d"}},
    {"code": {"text": "as directed"}},
    {"code": {"text": "Q0H"}},
    {},
    None,
    "BID",
]


@pytest.mark.parametrize(("timing", "times"), TIMINGS)
def test_how_often_a_day(timing, times):
    assert times_per_day(timing) == Decimal(times)


def test_only_on_some_days_of_the_week():
    timing = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d", "dayOfWeek": ["mon", "wed", "fri"]}}
    assert times_per_day(timing) == Decimal(3) / 7


@pytest.mark.parametrize("timing", NO_TIMINGS)
def test_an_unsaid_frequency_is_unknown(timing):
    assert times_per_day(timing) is None


def steps(*dosages: dict[str, Any]) -> list[tuple[Any, ...]]:
    doses = read_doses(list(dosages), APIXABAN_5, START)
    return [(d.amount, d.times_per_day, d.starts and str(d.starts), d.ends and str(d.ends), d.days) for d in doses]


def step(value: float, *, days: int | None = None, sequence: int | None = None) -> dict[str, Any]:
    repeat: dict[str, Any] = {"frequency": 2, "period": 1, "periodUnit": "d"}
    if days is not None:
        repeat["boundsDuration"] = {"value": days, "unit": "d"}
    found: dict[str, Any] = {"doseAndRate": [{"doseQuantity": {"value": value, "unit": "mg"}}], "timing": {"repeat": repeat}}
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
    ("value", "unit", "times", "expected"),
    [(1, "d", 1, "2026-01-31"), (1, "mo", 1, "2026-02-28"), (6, "mo", 1, "2026-07-30"), (30, "d", 3, "2026-04-30"), (2, "wk", 1, "2026-02-13")],
)
def test_the_last_day_is_inside(value, unit, times, expected):
    assert last_day(day("2026-01-31"), (Decimal(value), unit), times) == day(expected)


SIGS = [
    # text, amount, unit, times a day, route
    ("10 mg by mouth twice daily", "10", "mg", 2, "oral"),
    ("15000 IU SC once daily", "15000", "IU", 1, "subcutaneous"),
    ("Inject 15,000 units under the skin every 24 hours.", "15000", "IU", 1, "subcutaneous"),
    ("5 000 IU s.c. once daily", "5000", "IU", 1, "subcutaneous"),
    ("60 mg q12h", "60", "mg", 2, ""),
    ("60mg subcut BID", "60", "mg", 2, "subcutaneous"),
    ("Take 1 tablet (5 mg) by mouth 2 times daily", "5", "mg", 2, "oral"),
    ("2 tablets (10 mg total) po bid", "10", "mg", 2, "oral"),
    ("2 tablets (10 mg) po bid", "10", "mg", 2, "oral"),
    ("one tablet twice a day", "5", "mg", 2, ""),
    ("20 mg by mouth daily with evening meal", "20", "mg", 1, "oral"),
    ("5 mg once daily at bedtime", "5", "mg", 1, ""),
    ("2.5 mg", "2.5", "mg", None, ""),
]
NOT_UNDERSTOOD = [
    "take as directed",
    "5 mg daily except Sunday",
    "not 5 mg daily",
    "5-10 mg daily",
    "5 mg in the morning and 2.5 mg in the evening",
    "0,5 mg daily",
    "inject 0.6 mL daily",
    "5 mg daily if INR < 2",
    "5 mg twice daily, once daily",
    "10 mg twice daily, then 5 mg twice daily",
    "x" * 1000,
    "5 mg " * 50,
]


@pytest.mark.parametrize(("text", "amount", "unit", "times", "route"), SIGS)
def test_a_dosage_in_plain_words(text, amount, unit, times, route):
    (found,) = read_doses([{"text": text}], APIXABAN_5, START)
    assert (found.amount, found.unit, found.times_per_day, found.route) == (Decimal(amount), unit, times, route)
    assert found.text == text


@pytest.mark.parametrize("text", NOT_UNDERSTOOD)
def test_words_that_are_not_understood_in_full_give_no_dose(text):
    assert read_sig(text) == ()
    (found,) = read_doses([{"text": text}], APIXABAN_5, START)
    assert found.amount is None
    assert "free text" in found.why_unknown


def test_pieces_in_words_whose_strength_is_in_doubt_give_no_dose():
    (found,) = read_doses([{"text": "2 tablets (5 mg) po bid"}], APIXABAN_5, START)
    assert found.amount is None
    assert "not computable" in found.why_unknown


def test_per_kilogram_in_words():
    (found,) = read_doses(["1 mg/kg SC q12h"], ENOXAPARIN_80, START)
    assert (found.amount, found.per_kg, found.times_per_day) == (1, True, 2)


def test_coded_elements_win_and_words_fill_what_they_leave_open():
    (found,) = read_doses(
        [{"text": "10 mg po bid", "doseAndRate": [{"doseQuantity": {"value": 5, "unit": "mg"}}]}], APIXABAN_5, START
    )
    assert (found.amount, found.times_per_day, found.route) == (5, 2, "oral")


@pytest.mark.parametrize("when", [{"asNeededBoolean": True}, {"asNeededCodeableConcept": {"text": "pain"}}, {"asNeeded": True}])
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
