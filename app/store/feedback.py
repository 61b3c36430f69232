"""What clinicians did with cards, as their EHR tells it: written once, however often it is told."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from app.store.database import Database, insert
from app.store.tables import ACCEPTED, COMMENTS, FEEDBACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One outcome of one card. Times have a zone; the store keeps them in UTC.

    ``card`` is empty and ``rule`` and ``profile`` are 0 when the card is none of ours. ``told`` is what tells one
    event from another; only a keyed hash of it is stored. ``comment`` is None when it is not to be stored.
    """

    card: str
    rule: int
    profile: int
    client: str
    service: str
    outcome: str
    reason_code: str
    reason_system: str
    commented: bool
    suggestions: tuple[str, ...]
    outcome_at: datetime
    told: tuple[str, ...]
    comment: str | None = None


def save(database: Database, events: Sequence[Event], *, received_at: datetime, key: bytes) -> int:
    """Write ``events`` in one transaction; how many of them were new. ``key`` hashes what tells them apart.

    Raises:
        StoreDownError: nothing was written.
    """

    def write(connection: sa.Connection) -> int:
        return sum(_save(connection, event, received_at, key) for event in sorted(events, key=lambda one: one.told))

    return database.surely(write)


def _save(connection: sa.Connection, event: Event, received_at: datetime, key: bytes) -> bool:
    about = json.dumps([event.client, event.service, event.outcome, event.outcome_at.isoformat(), *event.told])
    identity = hmac.digest(key, b"feedback" + about.encode(), hashlib.sha256).hex()
    row = {
        "id": identity,
        "card": event.card,
        "rule": event.rule,
        "profile": event.profile,
        "client": event.client,
        "service": event.service,
        "outcome": event.outcome,
        "reason_code": event.reason_code,
        "reason_system": event.reason_system,
        "commented": event.commented,
        "outcome_at": _utc(event.outcome_at),
        "outcome_day": _utc(event.outcome_at).date(),
        "received_at": _utc(received_at),
    }
    statement = insert(connection.dialect.name, FEEDBACK).values(row).on_conflict_do_nothing().returning(FEEDBACK.c.id)
    if connection.scalar(statement) is None:
        return False
    for suggestion in sorted(set(event.suggestions)):
        connection.execute(ACCEPTED.insert().values(feedback=identity, suggestion=suggestion))
    if event.comment:
        connection.execute(COMMENTS.insert().values(feedback=identity, words=event.comment))
    return True


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
