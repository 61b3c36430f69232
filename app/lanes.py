"""Threads that ask FHIR servers, in lanes: a server that hangs holds up its own callers, not those of other servers."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

MOST_IDLE = 64
"""Lanes kept although nothing runs in them; more than that come only in demo mode, where any server may be named."""


class Lane(Executor):
    """Lends at most ``width`` threads of a pool; what is handed in beyond that waits, and may be called off."""

    def __init__(self, pool: Executor, width: int) -> None:
        self._pool = pool
        self._width = width
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._busy = 0

    @property
    def is_idle(self) -> bool:
        """Whether no thread is lent."""
        return self._busy == 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - as Executor
        """As Executor.submit."""
        future: Future[Any] = Future()
        with self._lock:
            self._waiting.append((future, lambda: fn(*args, **kwargs)))
            if self._busy >= self._width:
                return future
            self._busy += 1
        self._pool.submit(self._work)
        return future

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._busy -= 1
                    return
                future, job = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                _run(future, job)


class Lanes:
    """One lane for each server. No server gets more than half of the threads."""

    def __init__(self, pool: Executor, *, threads: int, width: int) -> None:
        self._pool = pool
        self._width = max(min(width, threads // 2), 1)
        self._lock = threading.Lock()
        self._lanes: dict[str, Lane] = {}

    def to(self, server: str) -> Lane:
        """The lane to this server."""
        with self._lock:
            lane = self._lanes.get(server)
            if lane is None:
                if len(self._lanes) >= MOST_IDLE:
                    self._lanes = {name: one for name, one in self._lanes.items() if not one.is_idle}
                lane = self._lanes[server] = Lane(self._pool, self._width)
            return lane


def _run(future: Future[Any], job: Callable[[], Any]) -> None:
    try:
        found = job()
    except BaseException as error:  # noqa: BLE001 - whoever asks for the result gets it
        future.set_exception(error)
    else:
        future.set_result(found)
