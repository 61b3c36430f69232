"""The bars of the page of numbers: every number that the store tells is drawn, in its place and to scale."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.pages.week_bars import (
    ALL,
    ALL_LABELLED,
    DOWN,
    LEFT,
    MOST_WEEKS,
    REACH,
    RIGHT,
    UP,
    ZERO,
    Chart,
    charts,
    in_words,
    outside_in_words,
    round_up,
    week_in_words,
)
from app.store.report import Line

TODAY = date(2026, 3, 10)
MONDAY = date(2026, 3, 9)
WEEK = timedelta(weeks=1)

COUNTS = st.integers(0, 400)
WEEKS = st.integers(-MOST_WEEKS - 3, 3).map(lambda number: MONDAY + WEEK * number)
LINES = st.lists(
    st.builds(
        Line,
        week=WEEKS,
        rule=st.integers(0, 3),
        client=st.sampled_from(["north", "south"]),
        shown=COUNTS,
        silent=COUNTS,
        held=COUNTS,
        accepted=COUNTS,
        overridden=COUNTS,
    ),
    max_size=30,
)


def line(week: date = MONDAY, rule: int = 4, client: str = "north", **numbers: int) -> Line:
    return Line(week=week, rule=rule, client=client, **numbers)


def told(some: list[Line]) -> dict[int, Counter[str]]:
    """What the lines say, per rule: the numbers of all weeks and clients together."""
    found: dict[int, Counter[str]] = {}
    for one in some:
        found.setdefault(one.rule, Counter()).update({name: getattr(one, name) for name in ALL})
    return found


@given(LINES)
def test_the_bars_and_what_is_left_out_add_up_to_the_numbers(some: list[Line]) -> None:
    for chart in (drawn := charts(some, TODAY)):
        bars = Counter({name: chart.outside[name] for name in ALL})
        for one in (bar for week in chart.weeks for bar in week.bars):
            bars[one.series] += one.number
        assert +bars == +told(some)[chart.rule]
    assert [chart.rule for chart in drawn] == sorted(told(some))


@given(LINES)
def test_a_bar_is_as_high_as_its_number_on_the_one_scale_of_its_picture(some: list[Line]) -> None:
    for chart in charts(some, TODAY):
        for week in chart.weeks:
            for bar in week.bars:
                assert bar.height == pytest.approx(REACH * bar.number / chart.top)
                assert bar.x + bar.width / 2 == pytest.approx(week.middle)


@given(LINES)
def test_bars_stand_on_each_other_without_a_gap_made_above_zero_and_done_below(some: list[Line]) -> None:
    for chart in charts(some, TODAY):
        for week in chart.weeks:
            up = [bar for bar in week.bars if bar.series in UP]
            down = [bar for bar in week.bars if bar.series in DOWN]
            assert [bar.series for bar in up] == [name for name in UP if week.numbers[name]]
            edge = float(ZERO)
            for bar in up:
                assert bar.y + bar.height == pytest.approx(edge)
                edge = bar.y
            assert edge >= ZERO - REACH - 1e-6
            edge = float(ZERO)
            for bar in down:
                assert bar.y == pytest.approx(edge)
                edge = bar.y + bar.height
            assert edge <= ZERO + REACH + 1e-6


@given(LINES)
def test_all_pictures_have_the_same_weeks_none_left_out_and_all_inside(some: list[Line]) -> None:
    drawn = charts(some, TODAY)
    for chart in drawn:
        days = [week.day for week in chart.weeks]
        assert days == [week.day for week in drawn[0].weeks]
        assert days[-1] == MONDAY
        assert {later - earlier for earlier, later in pairwise(days)} <= {WEEK}
        assert len(days) <= MOST_WEEKS
        sides = [(week.bars[0].x, week.bars[0].x + week.bars[0].width) for week in chart.weeks if week.bars]
        assert all(LEFT <= left < right <= RIGHT for left, right in sides)
        assert all(right < left for (_, right), (left, _) in pairwise(sides))


def only(*some: Line) -> Chart:
    (chart,) = charts(some, TODAY)
    return chart


def test_a_week_without_a_number_is_drawn_as_zero() -> None:
    chart = only(line(MONDAY - 3 * WEEK, shown=2), line(shown=1))
    assert [week.numbers["shown"] for week in chart.weeks] == [2, 0, 0, 1]
    assert [len(week.bars) for week in chart.weeks] == [1, 0, 0, 1]


def test_the_last_week_is_the_one_that_runs_also_when_nothing_came_since() -> None:
    assert only(line(MONDAY - 5 * WEEK, shown=2)).weeks[-1].day == MONDAY


def test_clients_are_taken_together() -> None:
    chart = only(line(shown=2, accepted=1), line(client="south", shown=3))
    assert (chart.drawn["shown"], chart.drawn["accepted"]) == (5, 1)
    assert [bar.number for bar in chart.weeks[0].bars] == [5, 1]


def test_silent_numbers_are_drawn_as_loud_ones_are() -> None:
    (bar,) = only(line(silent=10)).weeks[0].bars
    assert (bar.series, bar.y, bar.height) == ("silent", ZERO - REACH, REACH)


@pytest.mark.parametrize("day", [date.min, date(1999, 1, 4), MONDAY + WEEK, date.max])
def test_a_number_of_a_wrong_clock_is_told_and_not_drawn(day: date) -> None:
    chart = only(line(shown=3), line(day, overridden=2))
    assert len(chart.weeks) == 1
    assert (chart.drawn["overridden"], outside_in_words(chart)) == (0, "overridden 2")
    assert outside_in_words(only(line(shown=3))) == ""


@pytest.mark.parametrize(
    ("number", "top"), [(0, 1), (1, 1), (2, 2), (3, 5), (6, 10), (11, 20), (21, 50), (51, 100), (1001, 2000)]
)
def test_the_scale_ends_at_a_round_number(number: int, top: int) -> None:
    assert round_up(number) == top
    assert only(line(shown=number)).top == top


@given(st.integers(0, 10**9))
def test_the_scale_reaches_the_greatest_number_and_is_never_much_longer(number: int) -> None:
    assert number <= round_up(number) <= max(1, number * 2.5)


@pytest.mark.parametrize("weeks", [1, 2, 4, 5, 26, MOST_WEEKS])
def test_the_weeks_at_the_ends_have_a_label_and_none_runs_into_another(weeks: int) -> None:
    drawn = only(line(MONDAY - (weeks - 1) * WEEK, shown=1)).weeks
    labelled = [week.middle for week in drawn if week.labelled]
    assert drawn[0].labelled
    assert drawn[-1].labelled
    assert len(labelled) == (weeks if weeks <= ALL_LABELLED else 3)
    label = 76  # ten digits and hyphens of 13 units in a wide face
    assert all(later - earlier > label for earlier, later in pairwise(labelled))


def test_the_picture_in_words() -> None:
    chart = only(line(MONDAY - WEEK, shown=2, accepted=1), line(shown=5, silent=1))
    assert in_words(chart) == (
        "2 weeks, from that of 2026-03-02 to that of 2026-03-09. "
        "Shown: 7, most in the week of 2026-03-09 (5). Silent: 1, most in the week of 2026-03-09 (1). Held back: 0. "
        "Accepted: 1, most in the week of 2026-03-02 (1). Overridden: 0."
    )
    assert in_words(only(line(held=3))) == (
        "Week of 2026-03-09. Shown: 0. Silent: 0. Held back: 3. Accepted: 0. Overridden: 0."
    )
    assert [week_in_words(week) for week in chart.weeks] == [
        "Week of 2026-03-02: shown 2, accepted 1",
        "Week of 2026-03-09: shown 5, silent 1",
    ]
