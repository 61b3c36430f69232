"""FHIR Timing: how often a day, and for how long."""

import re
from datetime import date
from decimal import Decimal

from app.reading import sig
from app.reading.elements import Json, Resource, codings, decimal, items, read_period, string, texts
from hooks.dates import PartialDate

_HOURS: dict[str, Decimal] = {"h": Decimal(1), "d": Decimal(24), "wk": Decimal(168), "min": Decimal(1) / 60}
_UNIT_WORDS: dict[str, str] = {
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("wk", "w", "week", "weeks"), "wk"),
    **dict.fromkeys(("mo", "month", "months"), "mo"),
    **dict.fromkeys(("a", "y", "yr", "year", "years"), "a"),
    **dict.fromkeys(("h", "hr", "hour", "hours"), "h"),
    **dict.fromkeys(("min", "minute", "minutes"), "min"),
}
_DAYS: dict[str, int] = {"d": 1, "wk": 7, "mo": 30, "a": 365}
_WEEK, _HOURS_A_DAY, _MONTHS, _LONGEST = 7, Decimal(24), 12, 3650
_LAST_DAY = date(2400, 12, 31)
_A_DAY: dict[str, int] = {
    **dict.fromkeys(("QD", "OD", "QDAY", "DAILY", "ONCE DAILY", "Q24H"), 1),
    **dict.fromkeys(("AM", "PM", "QAM", "QPM", "HS", "QHS", "BED"), 1),
    **dict.fromkeys(("BID", "BD", "TWICE DAILY", "Q12H"), 2),
    **dict.fromkeys(("TID", "TDS", "THREE TIMES DAILY", "Q8H"), 3),
    **dict.fromkeys(("QID", "QDS", "FOUR TIMES DAILY", "Q6H"), 4),
}
_EVERY_HOURS = re.compile(r"Q([0-9]{1,2})H(?:OURS?)?")
_OTHER_DAYS: dict[str, Decimal] = {"QOD": Decimal("0.5"), "Q2D": Decimal("0.5"), "WK": Decimal(1) / 7}


def times_per_day(timing: Json) -> Decimal | None:
    """How often a day, from ``repeat``, else from ``code``; None when not said, or said as a range."""
    if not isinstance(timing, dict):
        return None
    repeat = timing.get("repeat")
    if isinstance(repeat, dict) and any(n in repeat for n in ("frequency", "period", "timeOfDay", "when")):
        return _of_repeat(repeat)
    return _of_code(timing.get("code"))


def _of_repeat(repeat: Resource) -> Decimal | None:
    period = decimal(repeat.get("period"))
    unit = _UNIT_WORDS.get(string(repeat.get("periodUnit") or repeat.get("periodUnits")))
    clock = len(items(repeat.get("timeOfDay"))) or len(items(repeat.get("when")))
    frequency = decimal(repeat.get("frequency", clock or 1))
    if period is None and "period" not in repeat and clock and "frequency" not in repeat:
        period, unit = Decimal(1), "d"
    if frequency is None or period is None or unit not in _HOURS or frequency <= 0 or period <= 0:
        return None
    for highest, lowest in (("frequencyMax", frequency), ("periodMax", period)):
        if repeat.get(highest) is not None and decimal(repeat[highest]) != lowest:
            return None
    times = frequency * _HOURS_A_DAY / (period * _HOURS[unit])
    weekdays = len(items(repeat.get("dayOfWeek")))
    return times * weekdays / _WEEK if 0 < weekdays < _WEEK and unit == "d" else times


def _of_code(concept: Json) -> Decimal | None:
    for word in (*(code for _, code, _ in codings(concept)), *texts(concept)):
        found = _of_word(" ".join(word.upper().replace(".", "").split()))
        if found is not None:
            return found
    return None


def _of_word(word: str) -> Decimal | None:
    if word in _A_DAY:
        return Decimal(_A_DAY[word])
    every = _EVERY_HOURS.fullmatch(word.replace(" ", "").replace("EVERY", "Q"))
    if every is not None and int(every[1]):
        return _HOURS_A_DAY / int(every[1])
    return _OTHER_DAYS.get(word) or sig.read_frequency(word)


def span(quantity: Json) -> tuple[Decimal, str] | None:
    """A Duration as a number and one of ``d``, ``wk``, ``mo``, ``a``, ``h``, ``min``."""
    if not isinstance(quantity, dict):
        return None
    value = decimal(quantity.get("value"))
    words = (string(quantity.get(name)).lower() for name in ("code", "unit"))
    unit = next((_UNIT_WORDS[word] for word in words if word in _UNIT_WORDS), None)
    return (value, unit) if value is not None and unit is not None and 0 < value <= _LONGEST else None


def days_of(length: tuple[Decimal, str] | None) -> int | None:
    """A span in whole days, a begun day counted (a month is taken as 30 days, a year as 365)."""
    if length is None:
        return None
    value, unit = length
    days = value * _DAYS[unit] if unit in _DAYS else value * _HOURS[unit] / _HOURS_A_DAY
    return -int(-days // 1)


def last_day(start: PartialDate | None, length: tuple[Decimal, str] | None, times: int = 1) -> PartialDate | None:
    """The last day of ``times`` spans that begin on ``start``; months and years by the calendar."""
    days = days_of(length)
    if start is None or length is None or days is None or start.latest > _LAST_DAY:
        return None
    value, unit = length[0] * times, length[1]
    whole = days_of((value, unit)) or 0
    if whole > _LONGEST * 10:
        return None
    if unit in ("mo", "a") and value == int(value):
        months = int(value) * (_MONTHS if unit == "a" else 1)
        ends = tuple(_add_months(day, months) for day in (start.earliest, start.latest))
        return PartialDate(earliest=min(ends), latest=max(ends)).plus(-1)
    return start.plus(whole - 1)


def _add_months(day: date, months: int) -> date:
    """The same day of a later month; the day after the month's end when it has no such day."""
    year, month = divmod(day.year * _MONTHS + day.month - 1 + months, _MONTHS)
    try:
        return date(year, month + 1, day.day)
    except ValueError:
        return _add_months(date(day.year, day.month, 1), months + 1)


def bounds(timing: Json) -> tuple[PartialDate | None, PartialDate | None, tuple[Decimal, str] | None]:
    """First day, last day and length that a Timing is bounded by."""
    repeat = timing.get("repeat") if isinstance(timing, dict) else None
    if not isinstance(repeat, dict):
        return None, None, None
    start, end = read_period(repeat.get("boundsPeriod"))
    length = span(repeat.get("boundsDuration"))
    count, often = decimal(repeat.get("count")), _of_repeat(repeat)
    if length is None and end is None and count is not None and 1 < count <= _LONGEST and often:
        length = (Decimal(-int(-(count / often) // 1)), "d")
    return start, end, length
