"""The numbers of each rule, week by week, as bars: what the service made goes up, what clinicians did goes down.

Only places and sizes; ``templates/pages/week_bars.html`` draws them as SVG, in units of its ``viewBox``.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from app.store.report import Line

UP: Mapping[str, str] = {"shown": "shown", "silent": "silent", "held": "held back"}
DOWN: Mapping[str, str] = {"accepted": "accepted", "overridden": "overridden"}
ALL: Mapping[str, str] = {**UP, **DOWN}
"""The numbers of a line and their words, in the order in which their bars stand on each other, the first at zero."""

WIDTH, HEIGHT = 400, 162
LEFT, RIGHT = 44, 360
ZERO, REACH = 70, 60
"""Where zero is, and how far the greatest number goes from there, up or down."""

WIDEST_BAR = 24
MOST_WEEKS = 105
"""Two years: as long as numbers are kept when nothing else is set."""
ALL_LABELLED = 4
"""So many weeks have room for a label each; of more, the first, the middle and the last have one."""

_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One number of one week."""

    series: str
    number: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """One week, named by its Monday. ``middle`` is where it stands; ``bars`` are those of its numbers above zero."""

    day: date
    numbers: Mapping[str, int]
    middle: float
    labelled: bool
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One rule over time. ``top`` is the round number at the end of the scale, which is the same up and down.

    ``outside`` are the numbers of weeks that are not drawn: too long ago, or in the future by a clock that is wrong.
    """

    rule: int
    top: int
    weeks: tuple[Week, ...]
    drawn: Mapping[str, int]
    outside: Mapping[str, int]


def charts(weekly: Iterable[Line], today: date) -> tuple[Chart, ...]:
    """One chart for each rule, clients taken together, all over the same weeks: from the first with a number to now."""
    by_rule: dict[int, dict[date, dict[str, int]]] = defaultdict(dict)
    for line in weekly:
        before = by_rule[line.rule].get(line.week) or _none()
        by_rule[line.rule][line.week] = {name: before[name] + getattr(line, name) for name in before}
    days = _days([day for found in by_rule.values() for day in found], today)
    return tuple(_chart(rule, by_rule[rule], days) for rule in sorted(by_rule))


def round_up(number: int) -> int:
    """The least of 1, 2, 5, 10, 20, 50, ... that is not below ``number``."""
    power = 1
    while True:
        for step in (1, 2, 5):
            if step * power >= number:
                return step * power
        power *= 10


def in_words(chart: Chart) -> str:
    """What the picture shows, for those who do not see it."""
    first, last = chart.weeks[0].day.isoformat(), chart.weeks[-1].day.isoformat()
    span = (
        f"Week of {first}." if first == last else f"{len(chart.weeks)} weeks, from that of {first} to that of {last}."
    )
    return " ".join([span, *(_series_in_words(chart, name, word) for name, word in ALL.items())])


def week_in_words(week: Week) -> str:
    """The numbers of one week."""
    told = ", ".join(f"{word} {week.numbers[name]}" for name, word in ALL.items() if week.numbers[name])
    return f"Week of {week.day.isoformat()}: {told or 'nothing'}"


def outside_in_words(chart: Chart) -> str:
    """The numbers that are not drawn; empty when all are."""
    return ", ".join(f"{word} {chart.outside[name]}" for name, word in ALL.items() if chart.outside[name])


def _none() -> dict[str, int]:
    return dict.fromkeys(ALL, 0)


def _days(found: Sequence[date], today: date) -> tuple[date, ...]:
    last = today - timedelta(days=today.weekday())
    earliest = last - _WEEK * (MOST_WEEKS - 1)
    first = min((day for day in found if earliest <= day <= last), default=last)
    return tuple(first + _WEEK * number for number in range((last - first).days // 7 + 1))


def _chart(rule: int, found: Mapping[date, Mapping[str, int]], days: Sequence[date]) -> Chart:
    numbers = [found.get(day) or _none() for day in days]
    top = round_up(max(max(_sum(one, UP), _sum(one, DOWN)) for one in numbers))
    labelled = range(len(days)) if len(days) <= ALL_LABELLED else (0, (len(days) - 1) // 2, len(days) - 1)
    slot = (RIGHT - LEFT) / len(days)
    weeks = tuple(
        Week(
            day=day,
            numbers=numbers[place],
            middle=LEFT + slot * (place + 0.5),
            labelled=place in labelled,
            bars=_bars(numbers[place], LEFT + slot * (place + 0.5), min(slot * 0.8, WIDEST_BAR), top),
        )
        for place, day in enumerate(days)
    )
    drawn = {name: sum(one[name] for one in numbers) for name in _none()}
    outside = {name: sum(one[name] for one in found.values()) - drawn[name] for name in drawn}
    return Chart(rule=rule, top=top, weeks=weeks, drawn=drawn, outside=outside)


def _bars(numbers: Mapping[str, int], middle: float, width: float, top: int) -> tuple[Bar, ...]:
    bars = []
    for series, sign in ((UP, -1), (DOWN, 1)):
        reached = 0
        for name in series:
            if number := numbers[name]:
                near, far = (ZERO + sign * REACH * place / top for place in (reached, reached + number))
                box = {"x": middle - width / 2, "y": min(near, far), "width": width, "height": abs(far - near)}
                bars.append(Bar(series=name, number=number, **box))
                reached += number
    return tuple(bars)


def _sum(numbers: Mapping[str, int], names: Iterable[str]) -> int:
    return sum(numbers[name] for name in names)


def _series_in_words(chart: Chart, name: str, word: str) -> str:
    number = chart.drawn[name]
    if not number or len(chart.weeks) == 1:
        return f"{word.capitalize()}: {number}."
    most = max(chart.weeks, key=lambda week: week.numbers[name])
    return f"{word.capitalize()}: {number}, most in the week of {most.day.isoformat()} ({most.numbers[name]})."
