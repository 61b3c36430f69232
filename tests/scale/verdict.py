"""What became of the load: each answer against one made in this process, each feedback and token against the rules."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app import create_app
from app.store.tables import FEEDBACK as TABLE
from tests.app.hospital import bearer, listed
from tests.app.store.databases import opened
from tests.scale.load import BROKEN_CONNECTION, CLEAN, HALF_AN_ANSWER, SERVICE, Tally, question

ALLOWED = {
    "call": {200, HALF_AN_ANSWER, *CLEAN},
    "feedback": {200, HALF_AN_ANSWER, *CLEAN},
    "twin": {200, 401, HALF_AN_ANSWER, BROKEN_CONNECTION, *CLEAN},
    "replay": {401, *CLEAN},
}
"""What each kind of call may be answered: nothing else is a clean failure."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Every fault, in words; and what the answers were about, so that none of it holds for want of answers."""

    faults: list[str]
    rules: Counter[tuple[str, ...]] = field(default_factory=Counter)


def judged(tally: Tally, database: str, folder: Path, day: date) -> Verdict:
    """All faults of a run that is over; ``database`` is the address of what it has stored."""
    wrong, rules = _wrong_answers(tally, folder, day)
    return Verdict(faults=[*_unclean(tally), *_reused(tally), *_feedback_faults(tally, database), *wrong], rules=rules)


def _unclean(tally: Tally) -> list[str]:
    halves = tally.halves - tally.halves_at_kills
    return [
        *tally.odd,
        *(
            f"{number} x {kind} was answered {status}"
            for (kind, status), number in tally.statuses.items()
            if status not in ALLOWED[kind]
        ),
        *([f"{halves} x half an answer was answered, and no replica killed"] if halves else []),
    ]


def _reused(tally: Tally) -> list[str]:
    times = Counter(statuses.count(200) for statuses in tally.tokens.values())
    return [f"{number} tokens were accepted {often} times" for often, number in times.items() if often > 1]


def _feedback_faults(tally: Tally, database: str) -> list[str]:
    """Acknowledged feedback is there once and says the same; what is there was told."""
    with opened(database) as store:
        query = sa.select(TABLE.c.card, TABLE.c.outcome)
        rows = store.surely(lambda connection: [tuple(row) for row in connection.execute(query)])
    stored = Counter(rows)
    return (
        [f"feedback to {card} was lost" for card, said in tally.acknowledged.items() if not stored[card, said]]
        + [f"feedback to {card} stands {often} times" for (card, _), often in stored.items() if often > 1]
        + [f"feedback to {card} was never told" for card, said in stored if tally.told.get(card) != said]
    )


def _wrong_answers(tally: Tally, folder: Path, day: date) -> tuple[list[str], Counter[tuple[str, ...]]]:
    """Answers that are not those of the same service in this process, asked the same."""
    settings = listed(folder / "judge", entry="jti_reuse = true")
    app = create_app(settings, today=lambda _zone: day, write=lambda _log: None)
    faults: list[str] = []
    rules: Counter[tuple[str, ...]] = Counter()
    expected: dict[int, dict[str, Any]] = {}
    try:
        client, head = app.test_client(), bearer(SERVICE)
        for number, answer in tally.answers:
            if number not in expected:
                told = client.post(SERVICE, json=question(number, day), headers=head)
                assert told.status_code == 200, told.text
                expected[number] = told.get_json()
            rules[tuple(card["source"]["topic"]["code"] for card in answer["cards"])] += 1
            if answer != expected[number]:
                faults.append(f"call {number} was answered wrongly: {answer}")
    finally:
        app.extensions["cat-cds"].close()
    return faults, rules
