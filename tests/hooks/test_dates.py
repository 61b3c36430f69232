"""Days known only to the month or year: "still within" asks the latest day, "has reached" the earliest."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.dates import DayRange, PartialDate

TODAY = date(2026, 1, 15)
DAYS = st.dates(date(1900, 1, 1), date(2100, 1, 1))
PARTIAL = st.tuples(DAYS, DAYS).map(lambda two: PartialDate(earliest=min(two), latest=max(two)))


@pytest.mark.parametrize(
    ("earliest", "latest", "words"),
    [
        ("2026-03-05", "2026-03-05", "2026-03-05"),
        ("2026-03-01", "2026-03-31", "2026-03"),
        ("2026-01-01", "2026-12-31", "2026"),
        ("2025-12-31", "2026-01-02", "2025-12-31 to 2026-01-02"),
    ],
)
def test_words(earliest: str, latest: str, words: str) -> None:
    assert str(PartialDate(earliest=date.fromisoformat(earliest), latest=date.fromisoformat(latest))) == words


def test_a_month_is_a_range_of_days_ago() -> None:
    month = PartialDate(earliest=date(2025, 7, 1), latest=date(2025, 7, 31))
    days = month.days_before(TODAY)
    assert (days.fewest, days.most, str(days)) == (168, 198, "168 to 198")
    assert days.may_be_at_most(180)
    assert days.may_be_at_least(180)
    assert not days.is_exact


def test_an_exact_day_is_one_number() -> None:
    days = PartialDate.on(date(2026, 1, 5)).days_before(TODAY)
    assert (days, str(days), days.is_exact) == (DayRange(fewest=10, most=10), "10", True)
    assert days.may_be_at_most(10)
    assert not days.may_be_at_most(9)
    assert days.may_be_at_least(10)
    assert not days.may_be_at_least(11)


@given(PARTIAL, DAYS)
def test_every_day_that_it_can_be_lies_in_the_range(partial: PartialDate, today: date) -> None:
    days = partial.days_before(today)
    for real in (partial.earliest, partial.latest):
        assert days.fewest <= (today - real).days <= days.most


@given(PARTIAL, DAYS, st.integers(-400, 400))
def test_moving_both_moves_nothing_between_them(partial: PartialDate, today: date, shift: int) -> None:
    moved = partial.plus(shift)
    assert moved.days_before(today + timedelta(days=shift)) == partial.days_before(today)
    assert partial.is_exact == moved.is_exact


@given(PARTIAL, DAYS, st.integers(-400, 400))
def test_a_limit_is_surely_or_perhaps_or_not_reached(partial: PartialDate, today: date, limit: int) -> None:
    days = partial.days_before(today)
    assert days.may_be_at_most(limit) or days.may_be_at_least(limit + 1)
    if days.is_exact:
        assert days.may_be_at_most(limit) != days.may_be_at_least(limit + 1)
