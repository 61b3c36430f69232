"""Spoils JSON as clients and attackers do: drops, retypes, repeats, nests, borrows, and writes what JSON forbids."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

Json = dict[str, Any]
Place = tuple[Any, Any]
"""A dict or list, and the key or position in it."""

DEEP = "@@deep@@"
ODD: list[Any] = [
    *(None, True, False, 0, -1, -0.0, 1.5, 1e-300, 1e308, 10**19, -(10**30), float("nan"), float("inf")),
    *("", " ", "\u0000", "a\u0000b", "\ud800", "\udfff\ud800", "\ufeff", "\u202e", "💊" * 300, "x" * 5000),
    *("NaN", "null", "0", "-1", "1e400", "2026", "2026-13", "2026-02-30", "0000-00-00", "0001-01-01", "9999-12-31"),
    *("2026-03-01T24:00:00Z", "2026-03-01T00:00:00+99:99", "2026-03-01T10:00:00.123456789012Z", "Invalid date"),
    *("0002-11-23", "../../etc/passwd", "Patient/pt-1", "#", "#x", "urn:uuid:", "http://[::1", "%s%n"),
    *([], {}, [[]], [None], [{}], {"resourceType": None}, {"value": None}, {"coding": None}, {"coding": [None]}),
    *({"reference": 7}, {"": ""}),
]
KINDS = (
    "Patient", "Condition", "MedicationRequest", "Observation", "Procedure", "AllergyIntolerance", "Bundle",
    "OperationOutcome", "Medication", "ServiceRequest", "Binary", "", "medicationrequest",
)  # fmt: skip


def places(node: Any) -> Iterator[Place]:
    """Every place in a JSON value."""
    waiting = [node]
    while waiting:
        holder = waiting.pop()
        for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
            yield holder, key
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])


def spoilt(body: Json, chance: random.Random) -> Json:
    """A copy of ``body`` with one to eight things wrong."""
    made: Json = copy.deepcopy(body)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        found = list(places(made))
        if not found:
            break
        holder, key = chance.choice(found)
        chance.choice(WAYS)(holder, key, found, chance)
    return made


def written(body: object, chance: random.Random) -> bytes:
    """``body`` as bytes, lone surrogates and NaN included; what was to be deep is as deep as it gets."""
    text = json.dumps(body, ensure_ascii=chance.random() < 0.9)
    if DEEP in text:
        depth = chance.choice((50, 900, 1100, 5000))
        text = text.replace(
            f'"{DEEP}"', chance.choice(("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth))
        )
    return text.encode("utf-8", "surrogatepass")


def _drop(holder: Any, key: Any, _found: list[Place], _chance: random.Random) -> None:
    del holder[key]


def _odd(holder: Any, key: Any, _found: list[Place], chance: random.Random) -> None:
    holder[key] = copy.deepcopy(chance.choice(ODD))


def _retype(holder: Any, key: Any, _found: list[Place], chance: random.Random) -> None:
    value = holder[key]
    as_text = value if isinstance(value, str) else json.dumps(value)[:200]
    holder[key] = chance.choice(([value], {"value": value}, as_text, [[value]], {"coding": [value]}, len(as_text)))


def _unwrap(holder: Any, key: Any, _found: list[Place], _chance: random.Random) -> None:
    value = holder[key]
    if isinstance(value, list | dict) and value:
        holder[key] = value[0] if isinstance(value, list) else next(iter(value.values()))


def _repeat(holder: Any, key: Any, _found: list[Place], chance: random.Random) -> None:
    if isinstance(holder, list):
        holder.extend(copy.deepcopy(holder[key]) for _ in range(chance.choice((1, 2, 40))))
    else:
        holder[f"{key}2"] = copy.deepcopy(holder[key])


def _borrow(holder: Any, key: Any, found: list[Place], chance: random.Random) -> None:
    other, there = chance.choice(found)
    taken = other.get(there) if isinstance(other, dict) else other[there] if there < len(other) else None
    holder[key] = copy.deepcopy(taken)


def _rename(holder: Any, key: Any, _found: list[Place], chance: random.Random) -> None:
    if isinstance(holder, dict):
        holder[chance.choice((key.upper(), f"_{key}", key + "s", "extension", "resourceType", ""))] = holder.pop(key)


def _other_kind(holder: Any, _key: Any, found: list[Place], chance: random.Random) -> None:
    kinds = [one for one, _ in found if isinstance(one, dict) and "resourceType" in one]
    if kinds:
        chance.choice(kinds)["resourceType"] = chance.choice(KINDS)


def _number(holder: Any, _key: Any, found: list[Place], chance: random.Random) -> None:
    numbers = [(one, at) for one, at in found if _is_number(one, at)]
    if numbers:
        one, at = chance.choice(numbers)
        one[at] = chance.choice((0, -1, 0.1, 1e9, 1e300, 10**25, -(10**25), 5e-324, one[at] * 1000, -one[at]))


def _is_number(holder: Any, at: Any) -> bool:
    if isinstance(holder, list) and at >= len(holder):
        return False
    value = holder.get(at) if isinstance(holder, dict) else holder[at]
    return isinstance(value, int | float) and not isinstance(value, bool)


def _deep(holder: Any, key: Any, _found: list[Place], chance: random.Random) -> None:
    if chance.random() < 0.3:
        holder[key] = DEEP
    else:
        value = holder[key]
        for _ in range(chance.choice((2, 30))):
            value = chance.choice(([value], {str(key): value}))
        holder[key] = value


Way = Callable[[Any, Any, list[Place], random.Random], None]
WAYS: tuple[Way, ...] = (
    *(_drop, _drop, _odd, _odd, _odd, _retype, _unwrap, _repeat),
    *(_borrow, _rename, _other_kind, _number, _deep),
)
