"""Whether one value of a resource answers one value of a search: FHIR R4 search, by kind of parameter."""

import calendar
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from app.demo.dates import Resource
from app.demo.outcome import not_understood

_PREFIXES = frozenset({"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"})
_DATE = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d\d)(-(?P<day>\d\d)"
    r"(T(?P<hour>\d\d):(?P<minute>\d\d)(:(?P<second>\d\d)(\.\d+)?)?(?P<zone>Z|[+-]\d\d:\d\d)?)?)?)?"
)


def values(element: object, path: str) -> Iterator[object]:
    """All values at a dotted path, lists unfolded."""
    if isinstance(element, list):
        for item in element:
            yield from values(item, path)
    elif not path:
        yield element
    elif isinstance(element, dict):
        head, _, rest = path.partition(".")
        if head in element:
            yield from values(element[head], rest)


@dataclass(frozen=True, slots=True)
class Moments:
    """The stretch of time that a written date covers, end excluded; ``zoned`` tells whether a zone was written.

    Without a zone the times are those of the wall clock.
    """

    start: datetime
    end: datetime
    zoned: bool


def moments(written: str) -> Moments | None:
    """The stretch of time that a FHIR date, dateTime or instant covers; None when it is no date."""
    match = _DATE.fullmatch(written)
    if match is None:
        return None
    part = match.groupdict()
    try:
        start = datetime(  # noqa: DTZ001 - wall clock until the zone is known
            int(part["year"]),
            int(part["month"] or 1),
            int(part["day"] or 1),
            int(part["hour"] or 0),
            int(part["minute"] or 0),
            int(part["second"] or 0),
        )
        end = start + _length(start, part)
    except (ValueError, OverflowError):
        return None
    offset = _offset(part["zone"])
    return Moments(start - offset, end - offset, part["zone"] is not None)


def _length(start: datetime, part: dict[str, str | None]) -> timedelta:
    if part["second"]:
        return timedelta(seconds=1)
    if part["hour"]:
        return timedelta(minutes=1)
    if part["day"]:
        return timedelta(days=1)
    if part["month"]:
        return timedelta(days=calendar.monthrange(start.year, start.month)[1])
    return timedelta(days=366 if calendar.isleap(start.year) else 365)


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone == "Z":
        return timedelta()
    sign = -1 if zone.startswith("-") else 1
    return sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))


def _wall_clock(written: str) -> str:
    return re.sub(r"(T.*?)(Z|[+-]\d\d:\d\d)$", r"\1", written)


def date_spans(value: object) -> Iterator[tuple[str, str]]:
    """The (start, end) texts of a date or Period; an open end of a Period is ""."""
    if isinstance(value, str):
        yield value, value
    elif isinstance(value, dict) and (value.get("start") or value.get("end")):
        yield value.get("start", ""), value.get("end", "")


def check_date(wanted: str) -> None:
    """Refuses (400) a search value that is no date with an optional prefix."""
    _, written = _prefix(wanted)
    if moments(written) is None:
        raise not_understood("a date parameter needs a FHIR date, with an optional prefix such as ge")


def matches_date(value: object, wanted: str) -> bool:
    """Whether a date or Period answers ``wanted`` (prefix and date).

    A search date with a zone is compared as an instant; without one, with the date as it was written down.
    """
    prefix, written = _prefix(wanted)
    asked = moments(written)
    if asked is None:
        return False
    return any(_compares(prefix, asked, first, last) for first, last in date_spans(value))


def _opened(text: str, *, zoned: bool) -> Moments | None:
    return moments(text if zoned else _wall_clock(text)) if text else None


def _prefix(wanted: str) -> tuple[str, str]:
    return (wanted[:2], wanted[2:]) if wanted[:2] in _PREFIXES else ("eq", wanted)


def _compares(prefix: str, asked: Moments, first: str, last: str) -> bool:
    opening, closing = _opened(first, zoned=asked.zoned), _opened(last, zoned=asked.zoned)
    if (first and opening is None) or (last and closing is None):
        return False
    start = opening.start if opening else datetime.min  # noqa: DTZ901 - compared with times without zone only
    end = closing.end if closing else datetime.max  # noqa: DTZ901
    answers = {
        "eq": asked.start <= start and end <= asked.end,
        "ne": not (asked.start <= start and end <= asked.end),
        "gt": end > asked.end,
        "lt": start < asked.start,
        "ge": end > asked.start,
        "le": start < asked.end,
        "sa": start >= asked.end,
        "eb": end <= asked.start,
        "ap": start < asked.end and end > asked.start,
    }
    return answers[prefix]


def sort_moment(value: object, *, latest: bool) -> datetime | None:
    """The instant by which a date or Period is sorted: its end when ``latest``, else its start; no zone means UTC."""
    for first, last in date_spans(value):
        found = moments((last or first) if latest else (first or last))
        if found is not None:
            return (found.end if latest else found.start).replace(tzinfo=UTC)
    return None


def matches_token(value: object, wanted: str) -> bool:
    """Whether a code, Coding, CodeableConcept or Identifier answers ``code``, ``system|code``, ``|code``, ``system|``.

    A plain code of a resource (``status``) has no system of its own to compare: any is accepted.
    """
    system, bar, code = wanted.rpartition("|")
    return any(
        (not code or code == found_code) and (not bar or system == found_system or found_system is None)
        for found_system, found_code in _tokens(value)
    )


def _tokens(value: object) -> Iterator[tuple[str | None, str]]:
    if isinstance(value, bool):
        yield None, str(value).lower()
    elif isinstance(value, str):
        yield None, value
    elif isinstance(value, dict) and "coding" in value:
        for coding in value["coding"]:
            yield from _tokens(coding)
    elif isinstance(value, dict) and ("code" in value or "value" in value):
        yield str(value.get("system", "")), str(value.get("code", value.get("value", "")))


def matches_token_text(value: object, wanted: str) -> bool:
    """``:text``: whether the words of a CodeableConcept or Coding begin with ``wanted``."""
    if not isinstance(value, dict):
        return False
    words = [str(word) for path in ("text", "display", "coding.display") for word in values(value, path)]
    return any(_plain(word).startswith(_plain(wanted)) for word in words)


def matches_reference(value: object, wanted: str, default_type: str) -> bool:
    """Whether a Reference points at ``wanted``: an id, ``Type/id`` or an absolute address.

    A plain id is one of the default type; without a default type, of any.
    """
    if not isinstance(value, dict) or not isinstance(value.get("reference"), str):
        return False
    target = str(value["reference"])
    if not default_type and "/" not in wanted:
        return target.rpartition("/")[2] == wanted
    return target == reference_target(wanted, default_type)


def reference_target(wanted: str, default_type: str) -> str:
    """``Type/id`` of a reference given as an id, as ``Type/id`` or as an absolute address."""
    path = urlsplit(wanted).path if "://" in wanted else wanted
    kind, _, name = path.rpartition("/")
    return f"{kind.rpartition('/')[2] or default_type}/{name}"


def matches_string(value: object, wanted: str, how: str = "") -> bool:
    """Whether a text or HumanName begins with ``wanted``, case and accents apart (``exact``, ``contains``: so)."""
    return any(_compare_text(text, wanted, how) for text in _texts(value))


def _compare_text(text: str, wanted: str, how: str) -> bool:
    if how == "exact":
        return text == wanted
    if how == "contains":
        return _plain(wanted) in _plain(text)
    return any(_plain(part).startswith(_plain(wanted)) for part in (text, *text.split()))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name in ("text", "family", "given", "prefix", "suffix"):
            for found in values(value, name):
                yield from _texts(found)


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()


def resource_values(resource: Resource, paths: tuple[str, ...]) -> Iterator[object]:
    """All values of a resource at several dotted paths."""
    for path in paths:
        yield from values(resource, path)
