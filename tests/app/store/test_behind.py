"""Writing behind the answer: nothing waits, nothing is lost silently."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from app.store.behind import Behind
from app.store.database import StoreDownError


class Paper:
    """What was written; a store that is down while ``down`` is set, and that tells when it was tried."""

    def __init__(self) -> None:
        self.written: list[int] = []
        self.down = False
        self.tried = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self, items: Sequence[int]) -> None:
        self.tried.release()
        self.go_on.wait(10)
        if self.down:
            raise StoreDownError
        self.written += items


def test_what_is_put_is_written_in_its_order() -> None:
    paper = Paper()
    behind = Behind[int](paper)
    behind.put(list(range(1200)))
    behind.put([])
    assert behind.flush()
    assert paper.written == list(range(1200))
    assert behind.dropped == 0
    behind.close()


def test_no_thread_is_there_before_there_is_something_to_write() -> None:
    before = threading.active_count()
    behind = Behind[int](Paper())
    assert threading.active_count() == before
    behind.close()


def test_putting_does_not_wait_for_the_store_and_what_does_not_fit_is_counted() -> None:
    paper = Paper()
    paper.go_on.clear()
    behind = Behind[int](paper, most=3)
    behind.put([1])
    assert paper.tried.acquire(timeout=5)
    behind.put([2, 3, 4, 5])
    behind.put([6])
    assert behind.dropped == 3
    paper.go_on.set()
    assert behind.flush()
    assert paper.written == [1, 2, 3]
    behind.close()


def test_while_the_store_is_down_it_is_tried_again() -> None:
    paper = Paper()
    paper.down = True
    behind = Behind[int](paper, retry_seconds=0.001)
    behind.put([1])
    for _ in range(3):
        assert paper.tried.acquire(timeout=5)
    assert not behind.flush(0.0)
    paper.down = False
    assert behind.flush()
    assert (paper.written, behind.dropped) == ([1], 0)
    behind.close()


def test_at_the_end_what_is_queued_is_written() -> None:
    paper = Paper()
    paper.go_on.clear()
    behind = Behind[int](paper)
    behind.put([1])
    assert paper.tried.acquire(timeout=5)
    behind.put([2])
    paper.go_on.set()
    behind.close()
    assert paper.written == [1, 2]
    behind.put([3])
    assert behind.dropped == 1


def test_what_cannot_be_written_at_the_end_is_counted() -> None:
    paper = Paper()
    paper.down = True
    behind = Behind[int](paper)
    behind.put([1, 2])
    assert paper.tried.acquire(timeout=5)
    behind.put([3])
    behind.close()
    assert (paper.written, behind.dropped) == ([], 3)
