"""The numbers of the store: per week, rule and client, what was shown and what clinicians did with it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from app.store.database import Database
from app.store.tables import FEEDBACK, SHOWN

NO_REASON = ("", "no reason given")
COMMENT_ONLY = ("", "comment only")

Reason = tuple[str, str]
"""System and code of an override reason."""


@dataclass(slots=True, kw_only=True)
class Line:
    """One rule at one client in one week, which is named by its Monday (UTC). ``rule`` 0: cards that are not ours."""

    week: date
    rule: int
    client: str
    shown: int = 0
    silent: int = 0
    held: int = 0
    accepted: int = 0
    overridden: int = 0
    reasons: Counter[Reason] = field(default_factory=Counter)

    @property
    def given_reasons(self) -> tuple[tuple[Reason, int], ...]:
        """The reasons and how often each was given, the most frequent first."""
        return tuple(sorted(self.reasons.items(), key=lambda one: (-one[1], one[0])))

    def __iadd__(self, other: "Line") -> "Line":
        for name in ("shown", "silent", "held", "accepted", "overridden"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.reasons += other.reasons
        return self


def lines(database: Database, *, client: str | None = None, since: date | None = None) -> tuple[Line, ...]:
    """All numbers, the oldest week first; of one client, and from a day on, when these are given.

    Raises:
        StoreDownError: the store cannot be read.
    """
    return database.surely(lambda connection: _lines(connection, client, since))


def totals(weekly: Iterable[Line]) -> tuple[Line, ...]:
    """The numbers of all weeks together, per rule and client; ``week`` is the first one."""
    found: dict[tuple[int, str], Line] = {}
    for line in weekly:
        if (line.rule, line.client) not in found:
            found[line.rule, line.client] = Line(week=line.week, rule=line.rule, client=line.client)
        found[line.rule, line.client] += line
    return tuple(found[key] for key in sorted(found))


def reason_in_words(reason: Reason, ours: frozenset[str]) -> str:
    """A reason by its code where it is one of ``ours``; a client's own with its system."""
    system, code = reason
    if not system or (code in ours and system.endswith("/override-reasons")):
        return code
    return f"{system}|{code}"


def _lines(connection: sa.Connection, client: str | None, since: date | None) -> tuple[Line, ...]:
    found: dict[tuple[date, int, str], Line] = {}

    def line(day: date, rule: int, name: str) -> Line:
        week = day - timedelta(days=day.weekday()) if day.toordinal() > day.weekday() else day
        return found.setdefault((week, rule, name), Line(week=week, rule=rule, client=name))

    for row in _shown(connection, client, since):
        one = line(row.day, row.rule, row.client)
        setattr(one, row.fate, getattr(one, row.fate) + row.number)
    for row in _feedback(connection, client, since):
        one = line(row.outcome_day, row.rule, row.client)
        setattr(one, row.outcome, getattr(one, row.outcome) + row.number)
        if row.outcome == "overridden":
            one.reasons[_reason(row)] += row.number
    return tuple(found[key] for key in sorted(found))


def _reason(row: Any) -> Reason:  # noqa: ANN401 - a row of the query below
    if row.reason_code:
        return row.reason_system, row.reason_code
    return COMMENT_ONLY if row.commented else NO_REASON


def _shown(connection: sa.Connection, client: str | None, since: date | None) -> Iterator[Any]:
    columns = (SHOWN.c.day, SHOWN.c.rule, SHOWN.c.client, SHOWN.c.fate)
    query = sa.select(*columns, sa.func.sum(SHOWN.c["count"]).label("number")).group_by(*columns)
    if client is not None:
        query = query.where(SHOWN.c.client == client)
    if since is not None:
        query = query.where(SHOWN.c.day >= since)
    yield from connection.execute(query)


def _feedback(connection: sa.Connection, client: str | None, since: date | None) -> Iterator[Any]:
    columns = (FEEDBACK.c.outcome_day, FEEDBACK.c.rule, FEEDBACK.c.client, FEEDBACK.c.outcome)
    reason = (FEEDBACK.c.reason_system, FEEDBACK.c.reason_code, FEEDBACK.c.commented)
    query = sa.select(*columns, *reason, sa.func.count().label("number")).group_by(*columns, *reason)
    if client is not None:
        query = query.where(FEEDBACK.c.client == client)
    if since is not None:
        query = query.where(FEEDBACK.c.outcome_day >= since)
    yield from connection.execute(query)
