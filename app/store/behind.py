"""Writes behind the answer: one thread, a bounded queue, and a count of what could not be written."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from app.store.database import StoreDownError

T = TypeVar("T")

MOST_WAITING = 10_000
BATCH = 500
RETRY_SECONDS = 1.0
PAUSE_SECONDS = 0.25


class Behind(Generic[T]):
    """Hands items to ``write`` in batches, in a thread that starts with the first item (after any fork).

    It waits ``pause_seconds`` for more before it writes, so that a busy service does not write for every answer.
    While ``write`` raises StoreDownError the batch is tried again; what does not fit into the queue meanwhile,
    and what is left when the service ends, is counted in ``dropped``.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], None],
        *,
        most: int = MOST_WAITING,
        retry_seconds: float = RETRY_SECONDS,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self.dropped = 0
        self._write = write
        self._most = most
        self._retry_seconds = retry_seconds
        self._pause_seconds = pause_seconds
        self._awaited = 0
        self._waiting: deque[T] = deque()
        self._in_hand = 0
        self._ends = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def put(self, items: Sequence[T]) -> None:
        """Queue ``items``; never waits."""
        if not items:
            return
        with self._changed:
            was_empty = not self._waiting
            room = 0 if self._ends else max(self._most - len(self._waiting) - self._in_hand, 0)
            self._waiting.extend(items[:room])
            self.dropped += max(len(items) - room, 0)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="store-behind", daemon=True)
                self._thread.start()
            if was_empty or len(self._waiting) >= BATCH:
                self._changed.notify_all()

    def flush(self, seconds: float = 5.0) -> bool:
        """Wait until nothing is queued; False when that takes longer than ``seconds``."""
        with self._changed:
            self._awaited += 1
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: not self._waiting and not self._in_hand, seconds)
            self._awaited -= 1
            return done

    def close(self, seconds: float = 5.0) -> None:
        """Write what is queued, once; count what cannot be written; end the thread."""
        with self._changed:
            self._ends = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _run(self) -> None:
        while batch := self._take():
            written = self._try(batch)
            while not written and not self._wait():
                written = self._try(batch)
            with self._changed:
                self.dropped += 0 if written else len(batch)
                self._in_hand = 0
                self._changed.notify_all()

    def _take(self) -> Sequence[T]:
        """The next batch; none when the end has come."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ends)
            self._changed.wait_for(self._is_pressing, self._pause_seconds)
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._in_hand = len(batch)
            return batch

    def _is_pressing(self) -> bool:
        """Whether there is no more to wait for: the end, somebody who waits, or a full batch."""
        return self._ends or self._awaited > 0 or len(self._waiting) >= BATCH

    def _try(self, batch: Sequence[T]) -> bool:
        try:
            self._write(batch)
        except StoreDownError:
            return False
        return True

    def _wait(self) -> bool:
        """Wait before the next try; whether the end has come."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ends, self._retry_seconds)
