"""FHIR Dosage -> hooks.facts.Dose: coded elements first, the text only where it is understood in full."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from app.reading import sig
from app.reading.dose_units import Amount, read_amount
from app.reading.elements import (
    Json,
    Resource,
    codings,
    decimal,
    items,
    label,
    number,
    objects,
    read_quantity,
    string,
    texts,
    truth,
)
from app.reading.timing import bounds, days_of, last_day, times_per_day
from hooks.dates import PartialDate
from hooks.facts import Dose, Drug

_ROUTE_CODES = {
    **dict.fromkeys(("34206005", "263887005", "SQ", "SC", "SUBCUT", "SQINJ", "20066000", "C38299"), "subcutaneous"),
    **dict.fromkeys(("26643006", "PO", "ORAL", "20053000", "C38288"), "oral"),
    **dict.fromkeys(("47625008", "IV", "IVINJ", "20045000", "C38276"), "intravenous"),
}
_ROUTE_WORDS = (
    ("subcut", "subcutaneous"),
    ("under the skin", "subcutaneous"),
    ("intraven", "intravenous"),
    ("by mouth", "oral"),
    ("oral", "oral"),
)
_SHOWN_TEXT = 80
_CLOSED_AMOUNT = Amount(why="the order gives no dose")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """A dose before its place among the others is known."""

    dose: Dose
    sequence: Decimal | None
    length: tuple[Decimal, str] | None


def read_doses(instructions: Json, drug: Drug | None, start: PartialDate | None) -> tuple[Dose, ...]:
    """The doses of a ``dosageInstruction``; ``start`` is the first day of the order, where known."""
    steps = [step for one in items(instructions) for step in _steps(one, drug)]
    if all(step.sequence is not None for step in steps):
        steps.sort(key=lambda step: step.sequence or Decimal(0))
    return tuple(_placed(steps, start))


def _steps(one: Json, drug: Drug | None) -> Iterator[_Step]:
    dosage: Resource = {"text": one} if isinstance(one, str) else one if isinstance(one, dict) else {}
    if not dosage:
        return
    text = string(dosage.get("text")) or string(dosage.get("patientInstruction"))
    understood = sig.read_sig(text, drug.name if drug is not None else "")
    amount, rate = _amount(dosage, drug)
    timing = dosage.get("timing")
    often = times_per_day(timing)
    first, last, length = bounds(timing)
    route = read_route(dosage.get("route"))
    as_needed = any(truth(dosage.get(name)) for name in ("asNeededBoolean", "asNeeded")) or any(
        isinstance(dosage.get(n), dict | list) and bool(dosage[n]) for n in ("asNeededCodeableConcept", "asNeededFor")
    )
    sequence = decimal(dosage.get("sequence"))
    coded = amount is not None or rate
    if not coded and len(understood) > 1:
        for at, step in enumerate(understood):
            dose = _dose_of_words(step, drug, text, route)
            place = (sequence or Decimal(1)) + Decimal(at) / len(understood)
            yield _Step(dose=dose, sequence=place, length=step.length)
        return
    words = understood[0] if len(understood) == 1 else None
    found = amount
    if found is None and not rate:
        found = _amount_of_words(words, drug) if words else _unread(text)
    dose = Dose(
        amount=found.value if found else None,
        unit=found.unit if found else "",
        times_per_day=often if often is not None or words is None or _has_timing(timing) else words.times_per_day,
        per_kg=found.per_kg if found else False,
        rate=rate,
        as_needed=as_needed or (words is not None and words.as_needed),
        route=route or (words.route if words else ""),
        starts=first,
        ends=last,
        text=text,
        why_unknown=found.why if found else "dose is a continuous infusion rate",
    )
    if length is None and first is None and last is None and words is not None:
        length = words.length
    yield _Step(dose=dose, sequence=sequence, length=length)


def _has_timing(timing: Json) -> bool:
    """Whether a Timing says something of its own about how often."""
    repeat = timing.get("repeat") if isinstance(timing, dict) else None
    return isinstance(repeat, dict) and any(name in repeat for name in ("frequency", "period", "timeOfDay", "when"))


def _unread(text: str) -> Amount:
    if not text:
        return _CLOSED_AMOUNT
    shown = text if len(text) <= _SHOWN_TEXT else f"{text[: _SHOWN_TEXT - 1]}…"
    return Amount(why=f"dose is free text: “{shown}”, not computable")


def _amount_of_words(words: sig.Step, drug: Drug | None) -> Amount:
    if words.quantity is None:
        return _CLOSED_AMOUNT
    amount = read_amount(words.quantity, drug)
    if words.pieces is None or words.pieces == 1 or amount.value is None:
        return amount
    whole = words.pieces * drug.strength if drug is not None and drug.strength is not None else None
    if whole == amount.value and drug is not None and drug.strength_unit == amount.unit:
        return amount
    return Amount(why=f"dose is {words.pieces} pieces of {words.quantity}, or that in all: not computable")


def _dose_of_words(words: sig.Step, drug: Drug | None, text: str, route: str) -> Dose:
    amount = _amount_of_words(words, drug)
    return Dose(
        amount=amount.value,
        unit=amount.unit,
        per_kg=amount.per_kg,
        times_per_day=words.times_per_day,
        as_needed=words.as_needed,
        route=route or words.route,
        text=text,
        why_unknown=amount.why,
    )


def _amount(dosage: Resource, drug: Drug | None) -> tuple[Amount | None, bool]:
    """The coded dose (None without one) and whether it is a rate; ``ordered`` and computable ones first."""
    listed = objects(dosage.get("doseAndRate")) or (dosage,)
    rate = any(part.get(name) is not None for part in listed for name in ("rateQuantity", "rateRatio", "rateRange"))
    rate = rate or any(part.get("rateSimpleQuantity") is not None for part in listed)
    found = [(_rank(part, amount), amount) for part in listed if (amount := _amount_of(part, drug)) is not None]
    return min(found, key=lambda pair: pair[0])[1] if found else None, rate


def _rank(part: Resource, amount: Amount) -> tuple[bool, bool, bool]:
    ordered = any(code.lower() == "ordered" for _, code, _ in codings(part.get("type")))
    return amount.value is None, amount.per_kg, not ordered


def _amount_of(part: Resource, drug: Drug | None) -> Amount | None:
    limits = part.get("doseRange")
    if isinstance(limits, dict):
        low, high = read_quantity(limits.get("low")), read_quantity(limits.get("high"))
        if low is not None and low == high:
            return read_amount(low, drug)
        return Amount(why=f"dose is a range ({low or '?'} to {high or '?'})")
    value = next((part[name] for name in ("doseQuantity", "doseSimpleQuantity") if part.get(name) is not None), None)
    if value is None or value in ({}, []):
        return None
    first = next(iter(items(value)), None)
    quantity = read_quantity(first)
    if quantity is not None:
        return read_amount(quantity, drug)
    return Amount(why="dose is not a number") if number(first) is None and first else None


def read_route(concept: Json) -> str:
    """``subcutaneous``, ``oral``, ``intravenous``, else the words of the record in lower case."""
    for _, code, _ in codings(concept):
        if code.upper() in _ROUTE_CODES:
            return _ROUTE_CODES[code.upper()]
    for text in texts(concept):
        words = text.lower()
        known = _ROUTE_CODES.get(words.upper()) or next((route for part, route in _ROUTE_WORDS if part in words), "")
        if known:
            return known
        step = sig.read_route(words)
        if step:
            return step
    return label(concept).lower()


def _placed(steps: list[_Step], start: PartialDate | None) -> Iterator[Dose]:
    """The doses with the days of their steps: one after the other where the order says so, else side by side.

    They follow each other when their sequence numbers differ, or when, without numbers, all but the last have a length.
    """
    numbered = len({step.sequence for step in steps if step.sequence is not None}) > 1
    in_turn = len(steps) > 1 and (
        all(step.length is not None or step.dose.ends is not None for step in steps[:-1])
        and (numbered or all(step.sequence is None for step in steps))
    )
    begins: PartialDate | None = start
    for step in steps:
        own = step.dose.starts or (begins if in_turn or step.length is not None else None)
        ends = step.dose.ends or last_day(own, step.length)
        days = days_of(step.length)
        if days is None and step.dose.starts and ends and step.dose.starts.is_exact and ends.is_exact:
            days = max((ends.earliest - step.dose.starts.earliest).days + 1, 0) or None
        yield replace(step.dose, starts=own, ends=ends, days=days)
        if in_turn:
            begins = ends.plus(1) if ends is not None else None
