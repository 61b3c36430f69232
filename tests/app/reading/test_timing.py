"""How often a day, and until when."""

from decimal import Decimal

import pytest

from app.reading.timing import last_day, times_per_day
from tests.app.reading.books import day

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


@pytest.mark.parametrize(
    ("value", "unit", "times", "expected"),
    [
        (1, "d", 1, "2026-01-31"),
        (1, "mo", 1, "2026-02-28"),
        (6, "mo", 1, "2026-07-30"),
        (30, "d", 3, "2026-04-30"),
        (2, "wk", 1, "2026-02-13"),
    ],
)
def test_the_last_day_is_inside(value, unit, times, expected):
    assert last_day(day("2026-01-31"), (Decimal(value), unit), times) == day(expected)
