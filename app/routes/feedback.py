"""Feedback: what clinicians did with cards, checked, matched to our rules, and on disk before the answer goes."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from app import feedback_request
from app.audit import CallLog
from app.errors import TooLargeError, UnavailableError
from app.feedback_request import CardOutcome
from app.identity import rule_of
from app.routes.call import Parts, caller_of, services_at
from app.store.database import StoreDownError
from app.store.feedback import Event, save

LONGEST_BODY = 1_000_000
LONGEST_COMMENT = 10_000
UNMATCHED = "unmatched"
"""Counted for a card that is none of ours."""
OTHER = "other"
"""Stands for a code of a client's own that is no plain code: it could hold free text."""

_PLAIN_CODE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,63})")
_PLAIN_SYSTEM = re.compile(r"(?:https?://|urn:)[A-Za-z0-9./:_~-]{1,200}")


def receive(parts: Parts, service_id: str, authorization: str | None, body: Callable[[], bytes], log: CallLog) -> None:
    """Take the feedback of one call; when this returns it is stored.

    Raises:
        CallError: nothing was stored.
    """
    services_at(service_id)
    caller = caller_of(parts, service_id, authorization, log, below="/feedback")
    content = body()
    if len(content) > LONGEST_BODY:
        raise TooLargeError("The body is too long.")
    events = [_event(parts, one, caller.name, service_id) for one in feedback_request.parse(content)]
    received_at = datetime.fromtimestamp(parts.now(), UTC)
    try:
        save(parts.ledger.database, events, received_at=received_at, key=parts.settings.card_secret)
    except StoreDownError:
        raise UnavailableError("The feedback could not be stored. Send it again.") from None
    log.feedback = dict(Counter(event.outcome if event.rule else UNMATCHED for event in events))


def _event(parts: Parts, told: CardOutcome, client: str, service_id: str) -> Event:
    """What is stored of an outcome: our own ids, and codes that are plain; nothing that may be free text."""
    key = parts.settings.card_secret
    identity = rule_of(told.card, key=key)
    is_ours = identity is not None and identity.kind == "card"
    suggestions = [one for one in told.suggestions if (known := rule_of(one, key=key)) and known.kind == "suggestion"]
    code, system = told.reason_code, told.reason_system
    if code and not (_PLAIN_CODE.fullmatch(code) and _PLAIN_SYSTEM.fullmatch(system)):
        code, system = OTHER, ""
    return Event(
        card=told.card.lower() if is_ours else "",
        rule=identity.rule_number if identity and is_ours else 0,
        profile=identity.profile_number if identity and is_ours else 0,
        client=client,
        service=service_id,
        outcome=told.outcome,
        reason_code=code,
        reason_system=system,
        commented=bool(told.comment),
        suggestions=tuple(one.lower() for one in suggestions) if is_ours else (),
        outcome_at=told.at,
        told=(told.card, *sorted(told.suggestions), told.reason_system, told.reason_code, told.comment),
        comment=told.comment[:LONGEST_COMMENT] if parts.settings.store_comments and told.comment else None,
    )
