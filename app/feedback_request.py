"""The JSON body of a feedback call -> outcomes of cards. One that is wrong refuses them all; all wrong ones are named.

https://cds-hooks.hl7.org/ballots/2020Sep/#feedback
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from app.errors import BadRequestError, MissingElementError
from app.request_body import read_json

MOST_NAMED = 50
"""Wrong elements that one refusal names."""

_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt]([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(?:\.(\d+))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardOutcome:
    """What became of one card. ``at`` is UTC.

    ``suggestions`` are the ids of those accepted. ``reason_code`` is empty when no reason was picked,
    ``comment`` when none was written; it is free text of a clinician and never logged.
    """

    card: str
    outcome: Literal["accepted", "overridden"]
    at: datetime
    suggestions: tuple[str, ...] = ()
    reason_code: str = ""
    reason_system: str = ""
    comment: str = ""


class _Faults:
    """The elements that are missing or wrong."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.wrong: list[str] = []

    def text(self, parent: Json, name: str, where: str) -> str:
        """A text that must be there."""
        value = parent.get(name)
        if value is None:
            self.missing.append(f"{where}.{name}")
        elif not isinstance(value, str) or not value.strip():
            self.wrong.append(f"{where}.{name}")
        else:
            return value
        return ""


def parse(body: bytes) -> tuple[CardOutcome, ...]:
    """The outcomes in ``body``, in their order.

    Raises:
        BadRequestError: names every element that is missing or wrong, as ``feedback[i].field``.
    """
    told = read_json(body).get("feedback")
    if told is None:
        raise MissingElementError("feedback is required.", expression=("feedback",))
    if not isinstance(told, list) or not told:
        raise BadRequestError("feedback must be a list of outcomes.", expression=("feedback",))
    faults = _Faults()
    outcomes = [_outcome(entry, f"feedback[{place}]", faults) for place, entry in enumerate(told)]
    named = tuple((faults.missing + faults.wrong)[:MOST_NAMED])
    if faults.wrong:
        raise BadRequestError("Elements of the feedback are missing or wrong; nothing was stored.", expression=named)
    if named:
        raise MissingElementError("Elements of the feedback are missing; nothing was stored.", expression=named)
    return tuple(one for one in outcomes if one is not None)


def _outcome(entry: object, where: str, faults: _Faults) -> CardOutcome | None:
    if not isinstance(entry, dict):
        faults.wrong.append(where)
        return None
    card, outcome = faults.text(entry, "card", where), faults.text(entry, "outcome", where)
    at = _instant(faults.text(entry, "outcomeTimestamp", where), f"{where}.outcomeTimestamp", faults)
    if outcome == "accepted":
        suggestions = _suggestions(entry.get("acceptedSuggestions"), f"{where}.acceptedSuggestions", faults)
        return CardOutcome(card=card, outcome="accepted", at=at, suggestions=suggestions) if at else None
    if outcome == "overridden":
        code, system, comment = _reason(entry.get("overrideReason"), f"{where}.overrideReason", faults)
        if at is None:
            return None
        return CardOutcome(
            card=card, outcome="overridden", at=at, reason_code=code, reason_system=system, comment=comment
        )
    if outcome:
        faults.wrong.append(f"{where}.outcome")
    return None


def _instant(text: str, where: str, faults: _Faults) -> datetime | None:
    """A time as RFC 3339 has it, in UTC. A leap second counts as the one before it; microseconds are the finest."""
    found = _INSTANT.fullmatch(text)
    if found is None:
        if text:
            faults.wrong.append(where)
        return None
    day, hour, minute, second, fraction, zone = found.groups()
    try:
        local = datetime.fromisoformat(f"{day}T{hour}:{minute}:{min(int(second), 59):02}+00:00")
        moment = local + timedelta(microseconds=int((fraction or "0")[:6].ljust(6, "0"))) - _offset(zone)
    except (ValueError, OverflowError):
        faults.wrong.append(where)
        return None
    return moment.astimezone(UTC)


def _offset(zone: str) -> timedelta:
    if zone in "Zz":
        return timedelta()
    size = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    return -size if zone[0] == "-" else size


def _suggestions(listed: object, where: str, faults: _Faults) -> tuple[str, ...]:
    if listed is None:
        faults.missing.append(where)
        return ()
    if not isinstance(listed, list) or not listed:
        faults.wrong.append(where)
        return ()
    found = []
    for place, one in enumerate(listed):
        if isinstance(one, dict):
            found.append(faults.text(one, "id", f"{where}[{place}]"))
        else:
            faults.wrong.append(f"{where}[{place}]")
    return tuple(found)


def _reason(told: object, where: str, faults: _Faults) -> tuple[str, str, str]:
    """Code and system of the reason picked, and the comment, each empty when it was left out."""
    if told is None:
        return "", "", ""
    if not isinstance(told, dict) or (told.get("reason") is None and told.get("userComment") is None):
        faults.wrong.append(where)
        return "", "", ""
    code = system = comment = ""
    reason = told.get("reason")
    if isinstance(reason, dict):
        code = faults.text(reason, "code", f"{where}.reason")
        system = faults.text(reason, "system", f"{where}.reason")
    elif reason is not None:
        faults.wrong.append(f"{where}.reason")
    if told.get("userComment") is not None:
        comment = faults.text(told, "userComment", where)
    return code, system, comment
