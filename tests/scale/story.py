"""What happens while the load goes on: replicas are replaced or killed, the database crashes, all come back."""

from __future__ import annotations

from collections.abc import Callable

from tests.scale.load import HALF_AN_ANSWER, Load, Tally
from tests.scale.stage import Replica, Stage


def replace_a_replica(stage: Stage, load: Load, replica: Replica, *, calls: int) -> int:
    """One replica is stopped as an orchestrator does, and started anew. How many callers were cut off meanwhile."""
    before = _cut_off(load.tally)
    replica.stop()
    replica.start()
    load.tally.wait("answers", _more(load.tally, "call", calls))
    return _cut_off(load.tally) - before


def kill_a_replica(stage: Stage, load: Load, replica: Replica, *, calls: int) -> None:
    """One replica dies; ``calls`` are answered without it; it comes back, and the balancer sends to it again."""
    halves = load.tally.halves
    replica.kill()
    load.tally.wait("answers without the replica", _more(load.tally, "call", calls))
    load.tally.halves_at_kills += load.tally.halves - halves
    before = stage.balancer.answered_by(replica)
    replica.start()
    load.tally.wait("answers by the replica", lambda: stage.balancer.answered_by(replica) >= before + calls // 3)


def crash_the_database(stage: Stage, load: Load, *, calls: int) -> int:
    """The database crashes; calls are refused; it comes back, and calls are answered. How many tokens were replayed."""
    tally = load.tally
    stage.database.crash()
    tokens = load.newest_tokens()
    refused = _refused(tally)
    tally.wait("calls refused", lambda: _refused(tally) >= refused + 5)
    stage.database.start()
    load.replay(tokens)
    tally.wait("answers after the crash", _more(tally, "call", calls))
    return len(tokens)


def quiet(load: Load, *, calls: int) -> None:
    """Nothing happens for so many answers, feedback among them."""
    load.tally.wait("answers", _more(load.tally, "call", calls))
    load.tally.wait("feedback", _more(load.tally, "feedback", calls // 3))


def _refused(tally: Tally) -> int:
    """Calls with 503. Twins count, too: the other callers may all be trying to bring in their feedback just then."""
    return tally.count("call", 503) + tally.count("twin", 503)


def _more(tally: Tally, kind: str, number: int) -> Callable[[], bool]:
    goal = tally.count(kind, 200) + number
    return lambda: tally.count(kind, 200) >= goal


def _cut_off(tally: Tally) -> int:
    return sum(tally.count(kind, status) for kind in ("call", "feedback") for status in (HALF_AN_ANSWER, 502, 504))
