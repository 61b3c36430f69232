"""A FHIR server that keeps failing is asked less often, and recovers by itself: the rules of its circuit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.breaker import FAILURES, FORGET_SECONDS, MOMENT_SECONDS, SHORTEST_PAUSE_SECONDS, Circuits, Turn
from app.fhir_client import WORDS, Deadline, FetchError
from app.hook_request import FhirAccess

SERVER = "https://ehr.example/r4"
ACCESS = FhirAccess(server=SERVER)
SECONDS_OF_A_CALL = 1.0
DOWN = FetchError("status", 500)

Answer = FetchError | None


class Hospital:
    """Calls of clients against circuits on a clock that the test turns."""

    def __init__(self, longest: float = 60.0) -> None:
        self.now = 1000.0
        self.sent = 0
        self.told: list[tuple[str, str]] = []
        self.circuits = Circuits(clock=lambda: self.now, longest=longest, tell=lambda *told: self.told.append(told))

    def turn(self, answer: Callable[[], Any], client: str = "north", server: str = SERVER) -> Turn:
        def fetch(*_: object) -> dict[str, Any]:
            self.sent += 1
            found = answer()
            if isinstance(found, FetchError):
                raise found
            return {"resourceType": "Bundle"}

        return self.circuits.turn(client, server, self.deadline(), fetch)

    def deadline(self) -> Deadline:
        return Deadline(clock=lambda: self.now, at=self.now + SECONDS_OF_A_CALL)

    def ask(self, turn: Turn) -> str:
        """One request; the kind of its failure, or nothing."""
        try:
            turn.fetch(ACCESS, f"{SERVER}/Observation", self.deadline())
        except FetchError as error:
            return error.kind
        return ""

    def call(self, *answers: Answer, client: str = "north", server: str = SERVER) -> list[str]:
        """One call with a request for each of the answers; the kinds of what failed. A second passes with it."""
        left = list(answers)
        turn = self.turn(lambda: left.pop(0), client, server)
        kinds = [self.ask(turn) for _ in answers]
        turn.end()
        self.now += SECONDS_OF_A_CALL
        return kinds

    def wear_out(self, *answers: Answer, **which: str) -> None:
        for _ in range(FAILURES):
            self.call(*(answers or (DOWN,)), **which)

    def is_left_alone(self, **which: str) -> bool:
        before = self.sent
        self.call(None, **which)
        return self.sent == before

    def changes(self) -> list[str]:
        return [change for _, change in self.told if change != "not-asked"]


@pytest.fixture
def hospital() -> Hospital:
    return Hospital()


# When it opens


@pytest.mark.parametrize(
    "failure",
    [
        FetchError("late"),
        FetchError("unreachable"),
        FetchError("broken"),
        FetchError("status", 500),
        FetchError("status", 502),
        FetchError("status", 503),
    ],
    ids=str,
)
def test_calls_that_fail_one_after_the_other_have_the_server_left_alone(
    hospital: Hospital, failure: FetchError
) -> None:
    for _ in range(FAILURES):
        assert hospital.call(failure, failure) == [failure.kind] * 2
    assert hospital.call(None, None) == ["left-alone"] * 2
    assert hospital.sent == 2 * FAILURES
    assert hospital.changes() == ["opened"]


@pytest.mark.parametrize(
    "oddity",
    [
        FetchError("refused", 401),
        FetchError("refused", 403),
        FetchError("status", 404),
        FetchError("status", 400),
        FetchError("status", 410),
        FetchError("status", 429),
        FetchError("redirect", 302),
        FetchError("unreadable"),
        FetchError("too-long"),
        FetchError("address"),
        FetchError("foreign"),
        FetchError("late", sent=False),
    ],
    ids=str,
)
def test_what_is_no_failure_of_the_server_never_does(hospital: Hospital, oddity: FetchError) -> None:
    for _ in range(3 * FAILURES):
        assert hospital.call(oddity) == [oddity.kind]
    assert hospital.told == []


def test_the_requests_of_one_call_are_one_failure(hospital: Hospital) -> None:
    hospital.call(*[DOWN] * 3 * FAILURES)
    assert not hospital.is_left_alone()


def test_a_call_in_which_anything_was_answered_is_no_failure(hospital: Hospital) -> None:
    for answered in (None, FetchError("status", 404)):
        hospital.wear_out(DOWN, answered, DOWN)
        assert hospital.changes() == []


def test_an_answer_in_between_starts_the_count_anew(hospital: Hospital) -> None:
    for _ in range(2):
        for _ in range(FAILURES - 1):
            hospital.call(DOWN)
        hospital.call(None)
    assert hospital.changes() == []


def test_many_calls_that_fail_in_one_slow_moment_are_one_failure(hospital: Hospital) -> None:
    turns = [hospital.turn(lambda: FetchError("late")) for _ in range(20)]
    for turn in turns:
        hospital.ask(turn)
    hospital.now += SECONDS_OF_A_CALL
    for turn in turns:
        turn.end()
    assert hospital.changes() == []


def test_calls_that_fail_at_once_within_a_moment_are_one_failure(hospital: Hospital) -> None:
    for _ in range(10 * FAILURES):
        turn = hospital.turn(lambda: FetchError("unreachable"))
        hospital.ask(turn)
        turn.end()
        hospital.now += MOMENT_SECONDS / (10 * FAILURES)
    assert hospital.changes() == []


def test_failures_of_long_ago_do_not_count(hospital: Hospital) -> None:
    for _ in range(FAILURES - 1):
        hospital.call(DOWN)
    hospital.now += FORGET_SECONDS
    hospital.call(DOWN)
    assert hospital.changes() == []


def test_what_has_not_been_answered_when_the_call_ends_is_late(hospital: Hospital) -> None:
    entered, released = threading.Semaphore(0), threading.Event()

    def hang() -> FetchError:
        entered.release()
        released.wait(10)
        return FetchError("late")

    with ThreadPoolExecutor(FAILURES) as pool:
        for _ in range(FAILURES):
            turn = hospital.turn(hang)
            pool.submit(hospital.ask, turn)
            assert entered.acquire(timeout=10)
            hospital.now += SECONDS_OF_A_CALL
            turn.end()
            hospital.now += MOMENT_SECONDS
        told = hospital.changes()
        released.set()
    assert told == ["opened"]
    assert hospital.changes() == ["opened"]


def test_a_request_that_waited_for_its_turn_on_our_side_says_nothing_of_the_server(hospital: Hospital) -> None:
    for _ in range(2 * FAILURES):
        turn = hospital.turn(lambda: FetchError("late"))
        late = hospital.deadline()
        hospital.now += SECONDS_OF_A_CALL * 0.9
        with pytest.raises(FetchError):
            turn.fetch(ACCESS, SERVER, late)
        turn.end()
        hospital.now += SECONDS_OF_A_CALL
    assert hospital.told == []


def test_a_call_that_breaks_on_our_side_says_nothing_of_the_server(hospital: Hospital) -> None:
    def broken() -> None:
        raise RuntimeError

    for _ in range(2 * FAILURES):
        turn = hospital.turn(broken)
        with pytest.raises(RuntimeError):
            hospital.ask(turn)
        turn.end()
        hospital.now += SECONDS_OF_A_CALL
    assert hospital.told == []


def test_each_client_and_each_server_has_a_circuit_of_its_own(hospital: Hospital) -> None:
    hospital.wear_out(client="north")
    assert hospital.is_left_alone(client="north")
    assert not hospital.is_left_alone(client="south")
    assert not hospital.is_left_alone(client="north", server="https://other.example/r4")


def test_it_can_be_switched_off() -> None:
    hospital = Hospital(longest=0)
    for _ in range(3 * FAILURES):
        assert hospital.call(DOWN, FetchError("status", 429, retry_after=30)) == ["status", "status"]
    assert hospital.told == []


# How it closes


def test_after_the_pause_one_call_tries_it_and_its_success_is_the_end_of_it(hospital: Hospital) -> None:
    hospital.wear_out()
    hospital.now += SHORTEST_PAUSE_SECONDS
    trial, other = hospital.turn(lambda: None), hospital.turn(lambda: None)
    waiting = hospital.turn(lambda: None)
    assert hospital.circuits.admit(trial) is None
    assert hospital.ask(other) == "left-alone"
    assert other.refused
    assert hospital.ask(trial) == ""
    assert hospital.ask(waiting) == ""
    assert not waiting.refused
    assert hospital.changes() == ["opened", "closed"]


def test_a_trial_that_fails_doubles_the_pause_up_to_the_longest(hospital: Hospital) -> None:
    hospital.wear_out()
    for pause in (5, 10, 20, 40, 60, 60):
        hospital.now += pause - 2 * SECONDS_OF_A_CALL
        assert hospital.is_left_alone()
        hospital.now += SECONDS_OF_A_CALL
        assert hospital.call(DOWN, DOWN) == ["status", "status"]
        hospital.now -= SECONDS_OF_A_CALL
    assert hospital.changes() == ["opened", *["kept-open"] * 6]


def test_of_many_calls_that_come_after_the_pause_one_asks(hospital: Hospital) -> None:
    hospital.wear_out()
    hospital.now += 60
    sent, gate = hospital.sent, threading.Barrier(16, timeout=10)
    turns = [hospital.turn(lambda: DOWN) for _ in range(16)]

    def ask(turn: Turn) -> str:
        gate.wait()
        return hospital.ask(turn)

    with ThreadPoolExecutor(16) as pool:
        kinds = list(pool.map(ask, turns))
    assert sorted(kinds) == ["left-alone"] * 15 + ["status"]
    assert hospital.sent == sent + 1


def test_a_trial_that_showed_nothing_leaves_it_to_the_next_call(hospital: Hospital) -> None:
    hospital.wear_out()
    hospital.now += 60
    assert hospital.call(FetchError("late", sent=False)) == ["late"]
    assert hospital.call(None) == [""]
    assert hospital.changes() == ["opened", "closed"]


def test_a_straggler_from_before_neither_closes_nor_prolongs_it(hospital: Hospital) -> None:
    answered, failing = hospital.turn(lambda: None), hospital.turn(lambda: DOWN)
    straggler = [hospital.circuits.admit(one) for one in (answered, failing)]
    assert straggler == [None, None]
    hospital.wear_out()
    hospital.circuits.answered(answered)
    hospital.circuits.failed(failing)
    assert hospital.is_left_alone()
    assert hospital.changes() == ["opened"]


# What the server itself asks for


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_for_a_pause_gets_it_at_once(hospital: Hospital, status: int) -> None:
    wait = FetchError("status", status, retry_after=7)
    assert hospital.call(wait, wait, None) == ["status", "busy", "busy"]
    hospital.now += 5 * SECONDS_OF_A_CALL
    assert hospital.is_left_alone()
    assert hospital.call(None) == [""]
    assert hospital.changes() == ["opened", "closed"]


def test_the_pause_that_it_asks_for_is_bounded(hospital: Hospital) -> None:
    hospital.call(FetchError("status", 503, retry_after=86_400))
    hospital.now += 58
    assert hospital.is_left_alone()
    assert hospital.call(None) == [""]


def test_answers_of_calls_under_way_do_not_cut_it_short(hospital: Hospital) -> None:
    other = hospital.turn(lambda: None)
    hospital.call(FetchError("status", 429, retry_after=30))
    hospital.circuits.answered(other)
    assert hospital.is_left_alone()


def test_it_may_ask_again_on_trial(hospital: Hospital) -> None:
    hospital.call(FetchError("status", 429, retry_after=5))
    hospital.now += 5
    hospital.call(FetchError("status", 429, retry_after=20))
    hospital.now += 18
    assert hospital.is_left_alone()
    assert hospital.changes() == ["opened", "kept-open"]


# What is told


def test_the_words_are_for_a_clinician_and_name_the_pause(hospital: Hospital) -> None:
    hospital.wear_out()
    turn = hospital.turn(lambda: None)
    with pytest.raises(FetchError) as caught:
        turn.fetch(ACCESS, SERVER, hospital.deadline())
    assert caught.value.reason == "the FHIR server has failed repeatedly and is left alone for 5 s"
    assert max(len(words.format(status=500, seconds=3600)) for words in WORDS.values()) < 80 - len("medications: ")


def test_it_is_logged_by_client_when_it_opens_and_closes_and_never_the_address() -> None:
    with capture_logs() as log:
        hospital = Hospital()
        hospital.wear_out()
        hospital.now += 60
        hospital.call(None)
    assert [(one["event"], one["client"]) for one in log] == [
        ("FHIR server left alone", "north"),
        ("FHIR server answers again", "north"),
    ]
    assert "example" not in str(log)


def test_each_request_that_is_not_sent_is_told(hospital: Hospital) -> None:
    hospital.wear_out()
    hospital.call(None, None)
    assert hospital.told.count(("north", "not-asked")) == 2


def test_servers_of_long_ago_are_forgotten(hospital: Hospital) -> None:
    for number in range(50):
        hospital.call(DOWN, server=f"https://ehr.example/{number}")
    hospital.now += FORGET_SECONDS + 1
    hospital.call(DOWN)
    assert len(hospital.circuits._circuits) == 1
