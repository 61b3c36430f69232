"""Counts, feedback and the numbers made of them; what is past its time goes, and what is asked twice is one."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from app.store.database import Database
from app.store.feedback import Event, save
from app.store.notes import Note, Notes, Repeat, Shown, Sweep
from app.store.repeats import overridden
from app.store.report import COMMENT_ONLY, NO_REASON, lines, reason_in_words, totals
from app.store.tables import ACCEPTED, COMMENTS, FEEDBACK, REPEATS, SHOWN
from tests.app.store.databases import opened, rows

pytestmark = pytest.mark.xdist_group("postgresql")

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
SECONDS = 1_773_144_000.0  # the same moment
KEY = b"k" * 32
CARD = "00000000-0000-8000-8000-000000000001"


def shown(**changes: Any) -> Shown:
    plain = {"client": "north", "rule": 4, "profile": 1, "indicator": "warning", "fate": "shown", "day": NOW.date()}
    return Shown(**{**plain, **changes})


def event(**changes: Any) -> Event:
    plain: dict[str, Any] = {
        "card": CARD,
        "rule": 4,
        "profile": 1,
        "client": "north",
        "service": "cat-order-sign",
        "outcome": "overridden",
        "reason_code": "specialist-advice",
        "reason_system": "https://cds.example/override-reasons",
        "commented": False,
        "suggestions": (),
        "outcome_at": NOW,
        "told": (CARD,),
    }
    return Event(**{**plain, **changes})


def keep(database: Database, *events: Event, at: datetime = NOW) -> int:
    return save(database, events, received_at=at, key=KEY)


def write(database: Database, *notes: Note, now: float = SECONDS, keep_days: int = 30) -> None:
    Notes(database, now=lambda: now, keep_days=keep_days)(notes)


def count(database: Database, table: sa.Table) -> int:
    number = database.surely(lambda c: c.scalar(sa.select(sa.func.count()).select_from(table)))
    assert number is not None
    return number


# Numbers


def test_cards_are_counted_a_day_whoever_writes(database: Database, url: str) -> None:
    write(database, shown(), shown(), shown(fate="silent"), shown(indicator="info"))
    with opened(url) as other:
        write(other, shown(), shown(rule=5), shown(fate="held"))
    found = {(line.rule, line.client): line for line in lines(database)}
    four = found[4, "north"]
    assert (four.shown, four.silent, four.held) == (4, 1, 1)
    assert found[5, "north"].shown == 1


def test_the_numbers_tell_what_clinicians_did_and_why(database: Database) -> None:
    write(database, *[shown()] * 5)
    keep(
        database,
        event(told=("1",)),
        event(told=("2",)),
        event(told=("3",), reason_code="", reason_system="", commented=True),
        event(told=("4",), reason_code="", reason_system=""),
        event(told=("5",), outcome="accepted", reason_code="", reason_system=""),
        event(told=("6",), client="south"),
        event(told=("7",), rule=0, profile=0, card=""),
    )
    found = {(line.rule, line.client): line for line in lines(database)}
    north = found[4, "north"]
    assert (north.shown, north.accepted, north.overridden) == (5, 1, 4)
    chosen = ("https://cds.example/override-reasons", "specialist-advice")
    assert north.reasons == Counter({chosen: 2, COMMENT_ONLY: 1, NO_REASON: 1})
    assert found[4, "south"].overridden == 1
    assert found[0, "north"].overridden == 1


def test_numbers_are_told_by_week_and_together(database: Database) -> None:
    sunday, monday = date(2026, 3, 8), date(2026, 3, 9)
    write(database, shown(day=sunday), shown(day=monday), shown(day=monday))
    keep(
        database,
        event(told=("1",), outcome_at=datetime(2026, 3, 8, 23, 59, 59, 999_999, tzinfo=UTC)),
        event(told=("2",)),
    )
    told = [(line.week, line.shown, line.overridden) for line in lines(database)]
    assert told == [(date(2026, 3, 2), 1, 1), (monday, 2, 1)]
    [together] = totals(lines(database))
    assert (together.week, together.shown, together.overridden, together.reasons.total()) == (date(2026, 3, 2), 3, 2, 2)


def test_numbers_of_one_client_or_from_a_day_on(database: Database) -> None:
    write(database, shown(), shown(client="south"), shown(day=date(2026, 3, 1)))
    keep(database, event(told=("1",)), event(told=("2",), outcome_at=datetime(2026, 3, 1, tzinfo=UTC)))
    assert {line.client for line in lines(database, client="south")} == {"south"}
    [recent] = lines(database, client="north", since=date(2026, 3, 2))
    assert (recent.shown, recent.overridden) == (1, 1)
    assert lines(database, client="nobody") == ()


def test_the_first_and_the_last_day_have_a_week_too(database: Database) -> None:
    keep(
        database,
        event(told=("1",), outcome_at=datetime(1, 1, 1, tzinfo=UTC)),
        event(told=("2",), outcome_at=datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    )
    assert [line.week.year for line in lines(database)] == [1, 9999]


def test_a_reason_of_ours_is_its_code_and_a_reason_of_others_is_marked() -> None:
    ours = frozenset({"cost-or-access"})
    assert reason_in_words(("https://cds.example/override-reasons", "cost-or-access"), ours) == "cost-or-access"
    assert (
        reason_in_words(("https://ehr.example/why", "cost-or-access"), ours) == "https://ehr.example/why|cost-or-access"
    )
    assert reason_in_words(NO_REASON, ours) == "no reason given"


# Feedback


def test_what_is_told_twice_is_one(database: Database) -> None:
    assert keep(database, event(), event()) == 1
    assert keep(database, event()) == 0
    assert keep(database, event(outcome_at=datetime(2026, 3, 11, tzinfo=UTC))) == 1
    assert count(database, FEEDBACK) == 2


def test_the_suggestions_and_a_comment_are_kept_beside_it(database: Database) -> None:
    suggestion = "00000000-0000-8000-8000-000000000002"
    keep(database, event(suggestions=(suggestion, suggestion), comment="words", commented=True))
    assert database.surely(lambda c: list(c.scalars(sa.select(ACCEPTED.c.suggestion)))) == [suggestion]
    assert database.surely(lambda c: list(c.scalars(sa.select(COMMENTS.c.words)))) == ["words"]


def test_what_tells_events_apart_is_kept_as_a_keyed_hash_only(database: Database) -> None:
    keep(database, event(told=("canary",)))
    assert "canary" not in rows(database)


# Time


def test_what_is_past_its_time_goes(database: Database) -> None:
    write(database, shown(day=date(2026, 1, 1)), shown(), Repeat(card=CARD, order_hash="h", expires=int(SECONDS) - 1))
    keep(database, event(told=("old",), comment="x", suggestions=(CARD,)), at=datetime(2026, 1, 1, tzinfo=UTC))
    keep(database, event(told=("new",)))
    write(database, Sweep())
    left = {table.name: count(database, table) for table in (FEEDBACK, ACCEPTED, COMMENTS, SHOWN, REPEATS)}
    assert left == {"feedback": 1, "accepted_suggestion": 0, "comment": 0, "shown": 1, "repeat_alert": 0}


def test_sweeping_is_done_once_in_a_while(database: Database) -> None:
    moment = [SECONDS]
    notes = Notes(database, now=lambda: moment[0], keep_days=30)
    notes([Sweep()])
    notes([Repeat(card=CARD, order_hash="h", expires=int(SECONDS) - 1)])
    assert count(database, REPEATS) == 1
    moment[0] += 61
    notes([Sweep()])
    assert count(database, REPEATS) == 0


# Repeat-alert control


def test_an_order_counts_as_answered_when_its_card_was_overridden_with_a_reason(database: Database) -> None:
    write(database, Repeat(card=CARD, order_hash="h", expires=int(SECONDS) + 100))
    assert overridden(database, "north", {"h"}, SECONDS) == frozenset()
    keep(database, event())
    assert overridden(database, "north", {"h", "other"}, SECONDS) == {"h"}
    assert overridden(database, "south", {"h"}, SECONDS) == frozenset()
    assert overridden(database, "north", {"h"}, SECONDS + 100) == frozenset()


@pytest.mark.parametrize(
    ("changes", "answered"),
    [
        ({"reason_code": "", "reason_system": "", "commented": True}, True),
        ({"reason_code": "", "reason_system": ""}, False),
        ({"outcome": "accepted", "reason_code": "", "reason_system": ""}, False),
    ],
)
def test_a_comment_is_a_reason_and_an_acceptance_is_none(
    database: Database, changes: dict[str, Any], answered: bool
) -> None:
    write(database, Repeat(card=CARD, order_hash="h", expires=int(SECONDS) + 100))
    keep(database, event(**changes))
    assert (overridden(database, "north", {"h"}, SECONDS) == {"h"}) is answered


def test_feedback_may_come_before_the_row_of_its_card(database: Database) -> None:
    keep(database, event())
    write(database, Repeat(card=CARD, order_hash="h", expires=int(SECONDS) + 100))
    assert overridden(database, "north", {"h"}, SECONDS) == {"h"}
