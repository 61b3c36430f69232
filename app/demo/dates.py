"""Moves the dates of a FHIR resource by whole days, so that charts written for one day stay fresh for ever."""

import re
from datetime import date, timedelta
from typing import Any

Resource = dict[str, Any]
"""A FHIR resource as plain JSON."""

_DATE_ELEMENTS = frozenset(
    {
        "abatementDateTime", "authoredOn", "birthDate", "bornDate", "created", "creation", "date", "dateAsserted",
        "deceasedDate", "deceasedDateTime", "effectiveDateTime", "effectiveInstant", "end", "event", "expirationDate",
        "issued", "lastOccurrence", "lastUpdated", "occurrenceDateTime", "onset", "onsetDateTime", "performedDateTime",
        "presentationDate", "publicationDate", "recorded", "recordedDate", "start", "time", "timingDate",
        "timingDateTime", "valueDate", "valueDateTime", "valueInstant", "when",
    }
)  # fmt: skip
"""Names of the elements of type date, dateTime or instant in the resource types that can be searched (a test holds
the list against the R4 models). ``when`` is also a code in Timing, but no code looks like a date."""

_FHIR_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2})(T.+)?)?)?")
_MID_MONTH = 15
_MID_YEAR = (7, 1)


def shifted(resource: Resource, days: int) -> Resource:
    """A copy of the resource with all its dates ``days`` later; ids, codes and all other text stay as they are."""
    return {name: _shifted_element(name, value, days) for name, value in resource.items()}


def shifted_date(written: str, days: int) -> str:
    """A FHIR date, dateTime or instant ``days`` later, in the same precision, its time and zone untouched.

    A month or a year is moved by its middle day, so that a small move mostly keeps it. Text that is no date is
    given back as it is.
    """
    match = _FHIR_DATE.fullmatch(written)
    if match is None:
        return written
    year, month, day, time = match.groups()
    mid_month, mid_day = _MID_YEAR
    try:
        middle = date(int(year), int(month or mid_month), int(day or (_MID_MONTH if month else mid_day)))
        moved = (middle + timedelta(days=days)).isoformat()
    except (ValueError, OverflowError):
        return written
    if day is not None:
        return moved + (time or "")
    return moved[: len("2026-01")] if month is not None else moved[: len("2026")]


def _shifted_element(name: str, value: object, days: int) -> object:
    if isinstance(value, dict):
        return shifted(value, days)
    if isinstance(value, list):
        return [_shifted_element(name, item, days) for item in value]
    if isinstance(value, str) and name in _DATE_ELEMENTS:
        return shifted_date(value, days)
    return value
