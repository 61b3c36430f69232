"""Observation -> Reading, PregnancyStatus, or Unusable with the reason in words."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.reading.elements import (
    Json,
    Quantity,
    Resource,
    codings,
    label,
    number,
    objects,
    own_reference,
    read_date,
    read_moment,
    read_period,
    read_quantity,
    status,
    string,
)
from app.reading.lookup import Lookup
from hooks.dates import PartialDate
from hooks.facts import PregnancyStatus, Reading, Unusable
from hooks.labs import LabCode

_USABLE = frozenset({"final", "amended", "corrected"})
_PROVISIONAL = frozenset({"preliminary"})
_TEXT_VALUE = re.compile(r"\s*((?:<=|>=|<|>)?\s*[+-]?[0-9]+(?:\.[0-9]+)?)\s*(\S.{0,30})?", re.DOTALL)
_PREGNANCY = "pregnancy-status"
_PREGNANT = {"77386006": True, "60001007": False}
_LOINC = "loinc"
_SHOWN_VALUE, _SHOWN_NAME = 40, 80

OF_ONE_ANALYTE: dict[str, tuple[str, tuple[str, ...]]] = {
    "creatinine": ("creatinine_mg_dl", ("creatinin", "kreatinin")),
    "platelets": ("platelets_10e9_l", ("platelet", "thrombocyt", "thrombozyt")),
    "weight": ("weight_kg", ()),
    "height": ("height_cm", ()),
}
"""Prefetch key -> its analyte, and stems by which a result that carries no code of ours still shows what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A result that could not be used (its ``item`` is the analyte, "creatinine_mg_dl").

    A ``provisional`` one matters only when its analyte has no other.
    """

    unusable: Unusable
    provisional: bool = False


Fact = Reading | PregnancyStatus | Problem


def read_observation(resource: Resource, lookup: Lookup, key: str) -> tuple[Fact, ...]:
    """The facts in an Observation that came under a prefetch ``key``; () when it is none of ours."""
    concept = resource.get("code")
    known = lookup.observation(concept)
    if isinstance(known, LabCode):
        return _result(resource, resource, known, lookup)
    parts = resource.get("component")
    if parts:
        inner = [(part, lookup.observation(part.get("code"))) for part in objects(parts)]
        return tuple(
            fact for part, its in inner if isinstance(its, LabCode) for fact in _result(part, resource, its, lookup)
        )
    if known == _PREGNANCY:
        return tuple(_pregnancy(resource))
    return () if known or key not in OF_ONE_ANALYTE else tuple(_unknown(resource, concept, key, lookup))


def _result(part: Resource, whole: Resource, row: LabCode, lookup: Lookup) -> tuple[Fact, ...]:
    """The result in ``part`` (an Observation or its component), dated by the ``whole``; () when it does not count."""
    state = status(whole.get("status"))
    if state not in _USABLE and state not in _PROVISIONAL and state is not None:
        return ()
    taken, moment = when(whole)
    if state is None:
        reason = "the result has no status"
    elif state in _PROVISIONAL:
        reason = "the result is preliminary"
    elif taken is None:
        reason = "the result has no usable date"
    else:
        quantity, reason = _value(part)
        if quantity is not None:
            value = lookup.books.labs.canonical(row.analyte, quantity.value, quantity.code, quantity.unit)
            if not isinstance(value, str):
                reading = Reading(
                    analyte=row.analyte,
                    value=value,
                    shown=str(quantity),
                    taken=taken,
                    moment=moment,
                    comparator=quantity.comparator,
                    remark=row.remark,
                    reference=own_reference(whole),
                )
                return (reading,)
            reason = value
    unusable = Unusable(item=row.analyte, reason=reason, taken=taken)
    return (Problem(unusable=unusable, provisional=state in _PROVISIONAL),)


def when(resource: Resource) -> tuple[PartialDate | None, str]:
    """Day and instant of an observation: effective, else issued; ``issued`` orders the results of its own day."""
    for name in ("effectiveDateTime", "effectivePeriod", "effectiveInstant", "effectiveTiming", "appliesDateTime"):
        value = resource.get(name)
        if name == "effectivePeriod":
            start, end = read_period(value)
            raw = value.get("start" if start is not None else "end") if isinstance(value, dict) else None
            taken = start or end
        elif name == "effectiveTiming":
            events = value.get("event") if isinstance(value, dict) else None
            raw = events[0] if isinstance(events, list) and events else events
            taken = read_date(raw)
        else:
            raw, taken = value, read_date(value)
        if taken is not None:
            moment = read_moment(raw)
            issued = resource.get("issued")
            return taken, moment or (read_moment(issued) if read_date(issued) == taken else "")
    issued = resource.get("issued")
    return read_date(issued), read_moment(issued)


def _value(part: Resource) -> tuple[Quantity | None, str]:
    """The number of a result, or why there is none."""
    given = part.get("valueQuantity")
    if given is not None:
        quantity = read_quantity(given)
        if quantity is not None:
            return quantity, ""
        inner = given.get("value") if isinstance(given, dict) else None
        return None, "the value is not a number" if inner is not None else _absent(part) or "there is no value"
    text = part.get("valueString")
    if isinstance(text, str) and text.strip():
        match = _TEXT_VALUE.fullmatch(text)
        found = number(match[1]) if match is not None else None
        if match is None or found is None:
            return None, f"the value is text (“{text.strip()[:_SHOWN_VALUE]}”), not a number"
        return Quantity(value=found[0], comparator=found[1], unit=string(match[2])), ""
    whole = number(part.get("valueInteger"))
    if whole is not None:
        return Quantity(value=whole[0], comparator=whole[1]), ""
    coded = label(part.get("valueCodeableConcept"))
    if coded:
        return None, f"the value is text (“{coded[:_SHOWN_VALUE]}”), not a number"
    return None, _absent(part) or "there is no value"


def _absent(part: Resource) -> str:
    why = label(part.get("dataAbsentReason"))
    return f"there is no value ({why[:_SHOWN_VALUE]})" if why else ""


def _pregnancy(resource: Resource) -> Iterator[PregnancyStatus]:
    taken, _ = when(resource)
    if taken is None or status(resource.get("status")) not in _USABLE:
        return
    for _, code, _ in codings(resource.get("valueCodeableConcept")):
        if code in _PREGNANT:
            yield PregnancyStatus(pregnant=_PREGNANT[code], taken=taken, reference=own_reference(resource))
            return


def _unknown(resource: Resource, concept: Json, key: str, lookup: Lookup) -> Iterator[Problem]:
    """A result that came under the key of one analyte with a code that we do not use for it.

    A LOINC code that is not ours is another thing, except where its words name the analyte of the key.
    """
    is_group = bool(resource.get("hasMember")) and not any(name.startswith("value") for name in resource)
    if is_group or status(resource.get("status")) not in _USABLE:
        return
    analyte, stems = OF_ONE_ANALYTE[key]
    words = label(concept)
    if lookup.is_refused(concept, analyte):
        reason = f"“{words[:_SHOWN_NAME]}” must not be used for it"
    elif any(stem in words.lower() for stem in stems) or not any(_LOINC in system for system, _, _ in codings(concept)):
        reason = f"“{words[:_SHOWN_NAME]}” has no code that this service uses for it"
    else:
        return
    yield Problem(unusable=Unusable(item=analyte, reason=reason, taken=when(resource)[0]))
