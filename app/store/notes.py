"""What is written behind an answer: how often cards were shown, and of which orders they spoke."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Literal

import sqlalchemy as sa

from app.store.database import Database, insert
from app.store.tables import FEEDBACK, REPEATS, SHOWN, TOKENS

Fate = Literal["shown", "silent", "held"]

SWEEP_SECONDS = 60
CLOCKS_APART_SECONDS = 300
"""How long a used token is kept after it has expired: where a clock is behind by less, it may still be sent again."""
_SHOWN_KEY = ("client", "rule", "profile", "indicator", "fate", "day")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One card of one answer, and what became of it: shown, silent, or held back as a repeat. ``day`` is UTC."""

    client: str
    rule: int
    profile: int
    indicator: str
    fate: Fate
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """That a card of this uuid spoke of an order of this keyed hash; forgotten at ``expires``, seconds since 1970."""

    card: str
    order_hash: str
    expires: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Asks that what is past its time be deleted."""


Note = Shown | Repeat | Sweep


class Notes:
    """Writes notes, and deletes once in a while what is past its time.

    ``now`` is seconds since 1970; counts and feedback are kept for ``keep_days``.
    """

    def __init__(self, database: Database, *, now: Callable[[], float], keep_days: int) -> None:
        self._database = database
        self._now = now
        self._keep_days = keep_days
        self._next_sweep = 0.0

    def __call__(self, notes: Sequence[Note]) -> None:
        """Write ``notes`` in one transaction.

        Raises:
            StoreDownError: nothing was written.
        """
        now = self._now()
        sweeps = now >= self._next_sweep

        def write(connection: sa.Connection) -> None:
            _count(connection, [note for note in notes if isinstance(note, Shown)])
            _remember(connection, [note for note in notes if isinstance(note, Repeat)])
            if sweeps:
                _sweep(connection, now, self._keep_days)

        self._database.behind(write)
        if sweeps:
            self._next_sweep = now + SWEEP_SECONDS


def _count(connection: sa.Connection, notes: Sequence[Shown]) -> None:
    """Add to the counts, in one order everywhere, so that two writers cannot wait for each other."""
    counts = Counter(tuple(getattr(note, name) for name in _SHOWN_KEY) for note in notes)
    for key, number in sorted(counts.items()):
        values = dict(zip(_SHOWN_KEY, key, strict=True)) | {"count": number}
        connection.execute(_counting(connection.dialect.name), values)


def _remember(connection: sa.Connection, notes: Sequence[Repeat]) -> None:
    for card, order_hash, expires in sorted({(note.card, note.order_hash, note.expires) for note in notes}):
        values = {"card": card, "order_hash": order_hash, "expires": expires}
        connection.execute(_remembering(connection.dialect.name), values)


@cache
def _counting(dialect: str) -> sa.UpdateBase:
    statement = insert(dialect, SHOWN)
    return statement.on_conflict_do_update(
        index_elements=[SHOWN.c[name] for name in _SHOWN_KEY],
        set_={"count": SHOWN.c["count"] + statement.excluded["count"]},
    )


@cache
def _remembering(dialect: str) -> sa.UpdateBase:
    statement = insert(dialect, REPEATS)
    return statement.on_conflict_do_update(
        index_elements=[REPEATS.c.card, REPEATS.c.order_hash], set_={"expires": statement.excluded["expires"]}
    )


def _sweep(connection: sa.Connection, now: float, keep_days: int) -> None:
    oldest = datetime.fromtimestamp(now, UTC).replace(tzinfo=None) - timedelta(days=keep_days)
    connection.execute(TOKENS.delete().where(TOKENS.c.expires <= now - CLOCKS_APART_SECONDS))
    connection.execute(REPEATS.delete().where(REPEATS.c.expires <= now))
    connection.execute(SHOWN.delete().where(SHOWN.c.day < oldest.date()))
    connection.execute(FEEDBACK.delete().where(FEEDBACK.c.received_at < oldest))
