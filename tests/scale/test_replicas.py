"""Three replicas behind nginx share nothing but PostgreSQL: right answers while one is killed and the database crashes.

`make scale` plays the same for minutes and writes docs/scale.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import pytest

from app import today_in
from tests.scale.load import BROKEN_CONNECTION, Tally, under_load
from tests.scale.stage import Stage, at_noon, staged
from tests.scale.story import crash_the_database, kill_a_replica, quiet, replace_a_replica
from tests.scale.verdict import Verdict, judged

pytestmark = [pytest.mark.nginx, pytest.mark.xdist_group("scale")]

CALLS = 60


@dataclass(frozen=True, kw_only=True)
class Run:
    stage: Stage
    tally: Tally
    verdict: Verdict
    replayed: int
    cut_off: int


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Load; a replica is replaced, one killed, the database crashes; then all that was answered is judged."""
    zone = at_noon()
    day: date = today_in(zone)
    with staged(timezone=zone) as stage:
        with under_load(stage, day) as load:
            quiet(load, calls=CALLS)
            cut_off = replace_a_replica(stage, load, stage.replicas[1], calls=CALLS // 2)
            kill_a_replica(stage, load, stage.replicas[0], calls=CALLS)
            replayed = crash_the_database(stage, load, calls=CALLS)
            quiet(load, calls=CALLS)
        verdict = judged(load.tally, stage.database.url, tmp_path_factory.mktemp("judge"), day)
        yield Run(stage=stage, tally=load.tally, verdict=verdict, replayed=replayed, cut_off=cut_off)


def test_nothing_was_answered_wrongly_lost_or_accepted_twice(run: Run) -> None:
    assert run.verdict.faults == []


def test_that_was_said_of_answers_with_cards_and_without_of_feedback_and_of_tokens_sent_twice(run: Run) -> None:
    assert sum(run.verdict.rules.values()) == run.tally.count("call", 200) + run.tally.count("twin", 200)
    assert run.verdict.rules[()] > CALLS / 5
    assert sum(number for rules, number in run.verdict.rules.items() if "doac" in " ".join(rules)) > CALLS
    assert set(run.tally.acknowledged.values()) == {"accepted", "overridden"}
    assert len(run.tally.acknowledged) > CALLS
    assert run.tally.twins > CALLS
    assert run.tally.count("twin", 401) > CALLS / 2
    assert run.replayed > CALLS


def test_the_killed_replica_and_the_crash_were_felt_by_callers_as_clean_failures_only(run: Run) -> None:
    assert run.tally.count("twin", BROKEN_CONNECTION) > 0
    assert run.tally.count("call", 503) >= 5


def test_replacing_a_replica_cut_nobody_off(run: Run) -> None:
    assert run.cut_off == 0


def test_all_three_replicas_had_their_share(run: Run) -> None:
    for replica in run.stage.replicas:
        assert run.stage.balancer.answered_by(replica) > CALLS / 3


def test_no_replica_failed_inside_and_none_wrote_of_the_patient(run: Run) -> None:
    log = run.stage.log()

    assert '"status": 200' in log or '"status":200' in log
    assert "Traceback" not in log
    assert '"status":500' not in log.replace(" ", "")
    assert "pt-1" not in log
