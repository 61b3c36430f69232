"""Half a year of numbers for the page at /feedback: silent weeks first, then cards, and what was done with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

from app.store.database import Database
from app.store.feedback import Event, save
from app.store.notes import Notes, Shown

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
WEEKS, SILENT_WEEKS = 26, 8
# Rule, its cards in a week, and how many of ten of them are accepted and overridden.
HABITS = ((1, 6, 7, 1), (5, 9, 4, 3), (7, 3, 2, 5), (12, 14, 5, 1), (14, 4, 1, 6))


def keep(database: Database) -> None:
    """Write the numbers of a hospital whose first weeks were silent; of a rule that came late, a few."""
    shown: list[Shown] = []
    events: list[Event] = []
    numbers = count()
    for rule, usual, accepted, overridden in HABITS:
        for week in range(WEEKS):
            at = NOW - timedelta(weeks=WEEKS - 1 - week)
            is_silent = week < SILENT_WEEKS
            made = usual + (week * week + rule) % 5 - 2
            shown += [_shown(rule, "silent" if is_silent else "shown", at)] * made
            if not is_silent:
                shown += [_shown(rule, "held", at)] * (made * overridden // 20)
                outcomes = ["accepted"] * (made * accepted // 10) + ["overridden"] * (made * overridden // 10)
                events += [_event(rule, outcome, at, next(numbers)) for outcome in outcomes]
    shown += [_shown(31, "shown", NOW)] * 2
    Notes(database, now=NOW.timestamp, keep_days=730)(shown)
    save(database, events, received_at=NOW, key=b"k" * 32)


def _shown(rule: int, fate: str, at: datetime) -> Shown:
    return Shown(client="city-hospital", rule=rule, profile=1, indicator="warning", fate=fate, day=at.date())  # type: ignore[arg-type]


def _event(rule: int, outcome: str, at: datetime, number: int) -> Event:
    return Event(
        card=f"00000000-0000-8000-8000-{number:012}",
        rule=rule,
        profile=1,
        client="city-hospital",
        service="cat-order-select",
        outcome=outcome,
        reason_code="specialist-advice" if outcome == "overridden" else "",
        reason_system="https://cds.example/override-reasons" if outcome == "overridden" else "",
        commented=False,
        suggestions=(),
        outcome_at=at,
        told=(str(number),),
    )
