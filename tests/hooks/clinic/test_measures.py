"""The newest value that counts: how old it may be, what a newer unusable one does to it, which of two on one day."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from hooks.clinic.measures import Limits, Measure, newest, shown
from hooks.dates import PartialDate
from hooks.facts import Gap, Patient, Reading, Unusable

TODAY = date(2026, 1, 15)
LIMITS = Limits(fresh_days=30, missing_after_days=90)


def day(ago: int) -> PartialDate:
    return PartialDate.on(TODAY - timedelta(days=ago))


def reading(value: str, ago: int | PartialDate, analyte: str = "platelets_10e9_l", **more: str) -> Reading:
    taken = ago if isinstance(ago, PartialDate) else day(ago)
    return Reading(analyte=analyte, value=Decimal(value), taken=taken, shown=more.pop("shown", value), **more)  # type: ignore[arg-type]


def measured(*found: Reading, unusable: tuple[Unusable, ...] = (), gaps: tuple[Gap, ...] = ()) -> Measure:
    analyte = found[0].analyte if found else "platelets_10e9_l"
    patient = Patient(as_of=TODAY, readings={analyte: found}, unusable=unusable, gaps=gaps)
    return newest(patient, analyte, LIMITS)


@pytest.mark.parametrize(
    ("ago", "state", "problem"),
    [
        (0, "fresh", ""),
        (30, "fresh", ""),
        (31, "stale", "platelets: last 2025-12-15, stale (31 days old), used with caution"),
        (90, "stale", "platelets: last 2025-10-17, stale (90 days old), used with caution"),
        (91, "missing", "platelets: last 2025-10-16, too old to use"),
    ],
)
def test_age(ago: int, state: str, problem: str) -> None:
    measure = measured(reading("45", ago))
    assert (measure.state, measure.problem) == (state, problem)
    assert measure.value == (None if state == "missing" else Decimal(45))


def test_a_partial_day_is_fresh_while_it_can_be() -> None:
    month = PartialDate(earliest=date(2025, 12, 1), latest=date(2025, 12, 31))
    assert measured(reading("45", month)).state == "fresh"


def test_the_newest_counts_and_one_of_tomorrow_does_not() -> None:
    assert measured(reading("45", 3), reading("90", 1), reading("10", 9)).value == Decimal(90)
    assert measured(reading("45", 3), reading("90", -1)).value == Decimal(45)


@pytest.mark.parametrize(
    ("analyte", "worse"), [("platelets_10e9_l", "45"), ("creatinine_mg_dl", "90"), ("weight_kg", "45")]
)
def test_of_two_on_one_day_the_one_that_calls_for_more_care(analyte: str, worse: str) -> None:
    for values in (("45", "90"), ("90", "45")):
        measure = measured(*[reading(v, 1, analyte) for v in values])
        assert measure.value == Decimal(worse)
        assert measure.reading is not None
        assert measure.reading.remark == "45 and 90 on the same day, order unknown"


def test_of_two_on_one_day_the_later_when_their_order_is_known() -> None:
    early, late = (
        reading("45", 1, moment="2026-01-14T08:00:00+00:00"),
        reading("90", 1, moment="2026-01-14T18:00:00+00:00"),
    )
    assert measured(early, late).value == measured(late, early).value == Decimal(90)
    assert measured(early, reading("90", 1)).value == Decimal(45)


class TestUnusable:
    LOST = Unusable(item="platelets_10e9_l", reason="unit not clear", taken=day(1))

    def test_is_the_reason_when_nothing_else_is_there(self) -> None:
        measure = measured(unusable=(self.LOST,))
        assert (measure.state, measure.problem) == ("missing", "platelets 2026-01-14: unit not clear")

    def test_makes_an_older_value_stale(self) -> None:
        measure = measured(reading("45", 5), unusable=(self.LOST,))
        assert (measure.state, measure.value) == ("stale", Decimal(45))
        assert measure.problem == "platelets 2026-01-14: unit not clear; platelets: last 2026-01-10 used"

    def test_older_than_the_value_is_nothing(self) -> None:
        assert measured(reading("45", 0), unusable=(self.LOST,)).state == "fresh"

    def test_of_two_on_one_day_the_same_is_told_whatever_their_order(self) -> None:
        other = Unusable(item="platelets_10e9_l", reason="clumped", taken=day(1))
        assert measured(unusable=(self.LOST, other)) == measured(unusable=(other, self.LOST))

    def test_without_a_day_it_may_be_the_newest(self) -> None:
        assert measured(reading("45", 0), unusable=(Unusable(item="platelets_10e9_l", reason="odd"),)).state == "stale"


def test_a_read_that_failed_is_the_reason() -> None:
    measure = measured(gaps=(Gap(key="platelets", reason="the FHIR server did not answer in time", failed=True),))
    assert measure.problem == "platelets: the FHIR server did not answer in time"
    assert measured().problem == "platelets: none on record"


class TestShown:
    def test_value_unit_and_day(self) -> None:
        assert shown(measured(reading("45.0", 1)), "× 10⁹/L") == "platelets 45 × 10⁹/L, 2026-01-14"

    def test_another_unit_of_the_record_is_given_too(self) -> None:
        words = shown(measured(reading("45", 1, shown="45000 /uL")), "× 10⁹/L")
        assert words == "platelets 45 × 10⁹/L (reported as 45000 /uL), 2026-01-14"

    def test_what_makes_it_weaker(self) -> None:
        words = shown(
            measured(reading("45", 40, remark="estimated from a smear", comparator="<", shown="<45")), "× 10⁹/L"
        )
        assert words == "platelets <45 × 10⁹/L, 2025-12-06, stale, estimated from a smear"

    def test_without_a_value_the_problem(self) -> None:
        assert shown(measured(), "× 10⁹/L") == "platelets: none on record"
