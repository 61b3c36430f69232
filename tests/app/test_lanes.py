"""Lanes to FHIR servers: each has threads of its own, and what waits in one holds up no other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest

from app.lanes import MOST_IDLE, Lanes

THREADS = 4


@pytest.fixture
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(THREADS) as one:
        yield one


def test_a_server_that_hangs_leaves_threads_for_the_others(pool: Executor) -> None:
    lanes, released = Lanes(pool, threads=THREADS, width=THREADS), threading.Event()
    hanging = [lanes.to("a").submit(released.wait, 10) for _ in range(10 * THREADS)]
    try:
        assert lanes.to("b").submit(lambda: "answer").result(10) == "answer"
        assert not any(one.done() for one in hanging)
    finally:
        released.set()
    assert [one.result(10) for one in hanging] == [True] * 10 * THREADS


def test_no_more_threads_are_lent_than_the_lane_is_wide(pool: Executor) -> None:
    lane = Lanes(pool, threads=THREADS, width=2).to("a")
    both, lock, running, most = threading.Barrier(2, timeout=10), threading.Lock(), 0, 0

    def job() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        both.wait()
        with lock:
            running -= 1

    for one in [lane.submit(job) for _ in range(20)]:
        one.result(10)
    assert most == 2


def test_what_waits_may_be_called_off_and_never_runs(pool: Executor) -> None:
    lane, released, ran = Lanes(pool, threads=2, width=1).to("a"), threading.Event(), []
    first = lane.submit(released.wait, 10)
    second, third = lane.submit(ran.append, 2), lane.submit(ran.append, 3)
    assert second.cancel()
    released.set()
    assert first.result(10)
    third.result(10)
    assert ran == [3]


def test_what_raises_tells_who_asks_and_the_lane_goes_on(pool: Executor) -> None:
    lane = Lanes(pool, threads=2, width=1).to("a")
    broken, next_one = lane.submit(int, "x"), lane.submit(int, "7")
    with pytest.raises(ValueError, match="x"):
        broken.result(10)
    assert next_one.result(10) == 7


def test_a_server_has_one_lane_and_idle_ones_do_not_pile_up(pool: Executor) -> None:
    lanes, released = Lanes(pool, threads=THREADS, width=1), threading.Event()
    busy = lanes.to("busy")
    job = busy.submit(released.wait, 10)
    for number in range(3 * MOST_IDLE):
        lanes.to(f"{number}")
    assert lanes.to("busy") is busy
    assert len(lanes._lanes) <= MOST_IDLE + 1
    released.set()
    assert job.result(10)
