"""The judge of the runs finds no fault in a right one, and names every kind of fault in a wrong one."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from app import create_app
from app.store.feedback import Event, save
from app.store.tables import FEEDBACK as TABLE
from tests.app.hospital import bearer, listed
from tests.app.store.databases import opened
from tests.scale.load import FEEDBACK, HALF_AN_ANSWER, SERVICE, Ask, Tally, question
from tests.scale.verdict import judged

DAY = date(2026, 11, 25)
CARD = "00000000-0000-8000-8000-000000000001"


class Kept:
    """A database with one feedback in it."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'kept.db'}"
        at = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
        event = Event(
            card=CARD,
            rule=4,
            profile=1,
            client="north",
            service="cat-order-select",
            outcome="accepted",
            reason_code="",
            reason_system="",
            commented=False,
            suggestions=(),
            outcome_at=at,
            told=(CARD,),
        )
        with opened(self.url) as database:
            database.upgrade()
            save(database, [event], received_at=at, key=b"key")


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


@pytest.fixture
def tally(tmp_path: Path) -> Tally:
    """One call that was answered rightly, its token refused to another, and one feedback."""
    app = create_app(
        listed(tmp_path / "served", entry="jti_reuse = true"), today=lambda _zone: DAY, write=lambda _: None
    )
    answer = app.test_client().post(SERVICE, json=question(1, DAY), headers=bearer(SERVICE)).get_json()
    app.extensions["cat-cds"].close()
    tally = Tally()
    tally.note(ask(SERVICE, kind="twin", token="a"), 200, answer)
    tally.note(ask(SERVICE, kind="twin", token="a"), 401, None)
    tally.note(ask(FEEDBACK, kind="feedback", token="b"), 503, None)
    tally.note(ask(FEEDBACK, kind="feedback", token="c"), 200, {})
    tally.told[CARD] = tally.acknowledged[CARD] = "accepted"
    return tally


def ask(path: str, *, kind: str, token: str) -> Ask:
    return Ask(kind=kind, url=f"https://cds.example{path}", body={}, head={"Authorization": token}, number=1)


def faults(tally: Tally, kept: Kept, tmp_path: Path) -> list[str]:
    return judged(tally, kept.url, tmp_path, DAY).faults


def test_a_right_run_has_no_fault(tally: Tally, kept: Kept, tmp_path: Path) -> None:
    verdict = judged(tally, kept.url, tmp_path, DAY)

    assert verdict.faults == []
    assert sum(verdict.rules.values()) == 1
    assert () not in verdict.rules


def test_a_card_that_says_something_else_is_found(tally: Tally, kept: Kept, tmp_path: Path) -> None:
    [(number, answer)] = tally.answers
    wrong = copy.deepcopy(answer)
    wrong["cards"][0]["summary"] += "!"
    tally.answers.append((number, wrong))

    [fault] = faults(tally, kept, tmp_path)
    assert fault.startswith("call 1 was answered wrongly")


def test_a_token_that_was_accepted_twice_is_found(tally: Tally, kept: Kept, tmp_path: Path) -> None:
    [(_, answer)] = tally.answers
    tally.note(ask(SERVICE, kind="twin", token="a"), 200, answer)

    assert faults(tally, kept, tmp_path) == ["1 tokens were accepted 2 times"]


def test_acknowledged_feedback_that_is_not_there_is_found(tally: Tally, kept: Kept, tmp_path: Path) -> None:
    lost = CARD.replace("1", "2")
    tally.told[lost] = tally.acknowledged[lost] = "accepted"

    assert faults(tally, kept, tmp_path) == [f"feedback to {lost} was lost"]


def test_feedback_that_says_something_else_is_found(tally: Tally, kept: Kept, tmp_path: Path) -> None:
    tally.told[CARD] = tally.acknowledged[CARD] = "overridden"

    assert set(faults(tally, kept, tmp_path)) == {f"feedback to {CARD} was lost", f"feedback to {CARD} was never told"}


def test_feedback_that_stands_twice_is_found(tally: Tally, kept: Kept, tmp_path: Path) -> None:
    with opened(kept.url) as database:
        columns = [column for column in TABLE.c if column.name != "id"]
        again = TABLE.insert().from_select(["id", *columns], sa.select(sa.literal("another"), *columns))
        database.surely(lambda connection: connection.execute(again))

    assert faults(tally, kept, tmp_path) == [f"feedback to {CARD} stands 2 times"]


@pytest.mark.parametrize(
    ("kind", "status"), [("call", 401), ("call", 500), ("call", 0), ("feedback", 400), ("replay", 200)]
)
def test_what_is_no_clean_failure_is_found(kind: str, status: int, tally: Tally, kept: Kept, tmp_path: Path) -> None:
    tally.statuses[kind, status] += 1

    assert faults(tally, kept, tmp_path) == [f"1 x {kind} was answered {status}"]


def test_an_answer_cut_off_in_the_middle_is_a_fault_unless_a_replica_was_killed(
    tally: Tally, kept: Kept, tmp_path: Path
) -> None:
    tally.statuses["call", HALF_AN_ANSWER] += 2
    tally.halves_at_kills = 1

    assert faults(tally, kept, tmp_path) == ["1 x half an answer was answered, and no replica killed"]
