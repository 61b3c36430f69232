"""FHIR data types as plain JSON: dates, concepts, quantities, references, statuses.

Every function takes whatever JSON stands at the element and answers None, "" or () where it makes no sense.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from hooks.dates import PartialDate

Json = Any
Resource = Mapping[str, Any]
RawCoding = tuple[str, str, str]
"""System, code and display as the record gave them."""

_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_DAY_LENGTH = len("2026-03-15")
_FIRST_YEAR, _LAST_YEAR = 1850, 2200  # outside: half-typed ("0002") or "without end" ("9999")
_NUMBER = re.compile(r"(<=|>=|<|>|)\s*([+-]?[0-9]{1,15}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?)")
_COMPARATORS = frozenset({"", "<", "<=", ">=", ">"})
_DIGITS = 15
_DECEMBER = 12
_STATUS_SYSTEMS = ("terminology.hl7.org", "hl7.org/fhir")


def items(value: Json) -> tuple[Json, ...]:
    """A repeating element as a tuple: a list as it is, one bare value as a list of one, nothing as none."""
    if isinstance(value, list):
        return tuple(value)
    return () if value is None else (value,)


def objects(value: Json) -> tuple[Resource, ...]:
    """The JSON objects of a repeating element."""
    return tuple(item for item in items(value) if isinstance(item, dict))


def string(value: Json) -> str:
    """A string without outer white space, or ""; whole numbers are taken for strings (codes arrive so)."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def truth(value: Json) -> bool:
    """A boolean, "true" as a string included."""
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def read_date(value: Json) -> PartialDate | None:
    """A FHIR date, dateTime or instant, to the precision it has.

    The day is the one written in the value, in the zone written with it: that is the calendar day at the
    place where it was recorded, which for a client's own record is the client's day.
    """
    if not isinstance(value, str):
        return None
    text = value.strip()
    if len(text) >= _DAY_LENGTH and text[_DAY_LENGTH : _DAY_LENGTH + 1] in ("", "T", " "):
        return _read_date(text[:_DAY_LENGTH])
    return _read_date(text) if len(text) < _DAY_LENGTH else None


@lru_cache(maxsize=4096)
def _read_date(text: str) -> PartialDate | None:
    """A date without time; one chart names the same few days again and again."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day = int(match[1]), int(match[2] or 0), int(match[3] or 0)
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        return None
    try:
        if match[3]:
            return PartialDate.on(date(year, month, day))
        if match[2]:
            after = date(year + 1, 1, 1) if month == _DECEMBER else date(year, month + 1, 1)
            return PartialDate(earliest=date(year, month, 1), latest=after - timedelta(days=1))
    except ValueError:
        return None
    return PartialDate(earliest=date(year, 1, 1), latest=date(year, 12, 31))


def read_moment(value: Json) -> str:
    """A dateTime with a time of day as an instant in UTC that sorts as text; "" without one.

    A time without zone is taken as UTC: it is used only to order values of one day.
    """
    if not isinstance(value, str) or ":" not in value:
        return ""
    try:
        moment = datetime.fromisoformat(value.strip())
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return ""
    return moment.isoformat(timespec="microseconds")


def read_period(value: Json) -> tuple[PartialDate | None, PartialDate | None]:
    """First and last day of a Period."""
    if not isinstance(value, dict):
        return None, None
    return read_date(value.get("start")), read_date(value.get("end"))


def earliest(resource: Resource, *names: str) -> PartialDate | None:
    """The first of the named elements that holds a date; of a Period its start, else its end."""
    for name in names:
        value = resource.get(name)
        if isinstance(value, dict):
            start, end = read_period(value)
            found = start or end
        else:
            found = read_date(value)
        if found is not None:
            return found
    return None


def concept_parts(concept: Json) -> Iterator[RawCoding]:
    """The codings of a CodeableConcept, a list of them, or a bare Coding."""
    for one in items(concept):
        if not isinstance(one, dict):
            continue
        listed = one.get("coding")
        if listed is None and "code" in one:
            listed = one
        for coding in items(listed):
            if isinstance(coding, dict):
                code = string(coding.get("code"))
                if code:
                    yield string(coding.get("system")), code, string(coding.get("display"))


def codings(concept: Json) -> tuple[RawCoding, ...]:
    """As ``concept_parts``, quick for the usual shape: one proper coding in a list."""
    listed = concept.get("coding") if isinstance(concept, dict) else None
    if isinstance(listed, list) and len(listed) == 1 and isinstance(listed[0], dict):
        system, code, display = listed[0].get("system"), listed[0].get("code"), listed[0].get("display", "")
        if isinstance(system, str) and isinstance(code, str) and isinstance(display, str) and code.strip():
            return ((system.strip(), code.strip(), display.strip()),)
    return tuple(concept_parts(concept))


def label(concept: Json) -> str:
    """What a clinician would read: text, else a display, else the code; a bare string is text."""
    for one in items(concept):
        if isinstance(one, str) and one.strip():
            return one.strip()
        if isinstance(one, dict):
            text = string(one.get("text"))
            if text:
                return text
            displays = [c.get("display") for c in objects(one.get("coding"))]
            text = next((d for d in map(string, (*displays, one.get("display"))) if d), "")
            if text:
                return text
    return next((code for _, code, _ in concept_parts(concept)), "")


def texts(concept: Json) -> tuple[str, ...]:
    """All words in a concept, its text and displays, each once."""
    found: dict[str, None] = {}
    for one in items(concept):
        if isinstance(one, str):
            found[one.strip()] = None
        elif isinstance(one, dict):
            found[string(one.get("text"))] = None
            for coding in objects(one.get("coding")):
                found[string(coding.get("display"))] = None
    found.pop("", None)
    return tuple(found)


def status(value: Json) -> str | None:
    """A status as lower-case FHIR code, from a plain code or a CodeableConcept; None when absent."""
    if isinstance(value, str):
        return value.strip().lower().replace(" ", "-") or None
    found = codings(value)
    if len(found) == 1 and not found[0][1].isdigit():
        return found[0][1].lower().replace(" ", "-")
    ours = [code for system, code, _ in found if any(part in system for part in _STATUS_SYSTEMS)]
    words = label(value)
    plain = next(iter(ours), "") or next((code for _, code, _ in found if not code.isdigit()), "") or words
    return plain.lower().replace(" ", "-") or None


def number(value: Json) -> tuple[Decimal, str] | None:
    """A number and its comparator, from a JSON number or a string such as "0.8" or "<0.5"."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if not isinstance(value, str):
        found = Decimal(repr(value))
        return (found, "") if not found or (found.is_finite() and -_DIGITS <= found.adjusted() < _DIGITS) else None
    match = _NUMBER.fullmatch(value.strip())
    if match is None:
        return None
    try:
        found = Decimal(match[2])
    except InvalidOperation:
        return None
    return (found, match[1]) if not found or abs(found.adjusted()) <= _DIGITS else None


def decimal(value: Json) -> Decimal | None:
    """A plain number; None with a comparator."""
    found = number(value)
    return found[0] if found is not None and not found[1] else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A FHIR Quantity: ``code`` and ``unit`` as the record gave them."""

    value: Decimal
    comparator: str = ""
    code: str = ""
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.comparator}{self.value:f} {self.unit or self.code}".strip()


def read_quantity(value: Json) -> Quantity | None:
    """A Quantity with a number in it; a bare number counts as one without unit."""
    holder: Resource = value if isinstance(value, dict) else {"value": value}
    found = number(holder.get("value"))
    comparator = string(holder.get("comparator"))
    if found is None or comparator not in _COMPARATORS:
        return None
    return Quantity(
        value=found[0],
        comparator=comparator or found[1],
        code=string(holder.get("code")),
        unit=string(holder.get("unit")),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """Where a Reference points: ``kind`` is the resource type, "#" for contained, "" when only an id is known."""

    kind: str
    id: str


def read_reference(value: Json) -> Pointer | None:
    """The target of a Reference: relative, absolute, versioned, ``urn:uuid:``, ``#contained`` or a bare id."""
    text = string(value.get("reference")) if isinstance(value, dict) else string(value)
    if not text or "?" in text:
        return None
    if text.startswith("#"):
        return Pointer(kind="#", id=text[1:]) if text != "#" else None
    if text.startswith("urn:"):
        return Pointer(kind="", id=text.rpartition(":")[2])
    parts = text.partition("/_history/")[0].rstrip("/").split("/")
    if not parts[-1]:
        return None
    return Pointer(kind=parts[-2] if len(parts) > 1 else "", id=parts[-1])


def own_reference(resource: Resource) -> str:
    """``Type/id`` of a resource, or "" without an id."""
    kind, identity = resource.get("resourceType"), resource.get("id")
    return f"{kind}/{identity}" if isinstance(kind, str) and isinstance(identity, str) and identity else ""
