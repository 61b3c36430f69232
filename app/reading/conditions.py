"""Condition -> hooks.facts.Diagnosis, when its codes mean something.

Statuses are kept as facts, "refuted" and "entered-in-error" too: the clinic layer judges.
"""

from datetime import date, timedelta

from app.reading.elements import (
    Json,
    Resource,
    codings,
    decimal,
    earliest,
    label,
    own_reference,
    read_period,
    status,
    string,
)
from app.reading.lookup import Lookup
from hooks.dates import PartialDate
from hooks.facts import Diagnosis

_YEARS = frozenset({"a", "y", "yr", "year", "years"})
_OLDEST = 150


def read_condition(resource: Resource, lookup: Lookup, born: PartialDate | None) -> Diagnosis | None:
    """The diagnosis of a Condition, or None when no code of it is known. ``born`` dates an ``onsetAge``."""
    concept = resource.get("code")
    meanings = lookup.meanings(concept)
    if not meanings:
        return None
    return Diagnosis(
        reference=own_reference(resource),
        label=label(concept),
        meanings=meanings,
        codes=tuple(code for _, code, _ in codings(concept)),
        clinical_status=status(resource.get("clinicalStatus")),
        verification_status=status(resource.get("verificationStatus")),
        onset=earliest(resource, "onsetDateTime", "onsetPeriod") or at_age(resource.get("onsetAge"), born),
        recorded=earliest(resource, "recordedDate", "assertedDate", "dateRecorded"),
        abated=_abated(resource, born),
    )


def _abated(resource: Resource, born: PartialDate | None) -> PartialDate | None:
    start, end = read_period(resource.get("abatementPeriod"))
    if start is not None and end is not None and start.earliest <= end.latest:
        return PartialDate(earliest=start.earliest, latest=end.latest)
    found = earliest(resource, "abatementDateTime", "abatementDate")
    return found or end or start or at_age(resource.get("abatementAge"), born)


def at_age(age: Json, born: PartialDate | None) -> PartialDate | None:
    """The days on which somebody born then has the age, in whole years; None for other units."""
    if born is None or not isinstance(age, dict) or age.get("comparator"):
        return None
    years, unit = decimal(age.get("value")), (string(age.get("code")) or string(age.get("unit"))).lower()
    if years is None or unit not in _YEARS or not 0 <= years <= _OLDEST:
        return None
    first, last = _birthday(born.earliest, int(years)), _birthday(born.latest, int(years) + 1) - timedelta(days=1)
    return PartialDate(earliest=first, latest=last)


def _birthday(born: date, years: int) -> date:
    """The birthday; 1 March in a common year for those born on 29 February."""
    try:
        return born.replace(year=born.year + years)
    except ValueError:
        return date(born.year + years, 3, 1)
