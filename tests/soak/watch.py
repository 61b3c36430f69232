"""What the processes of the service hold while they run: memory, descriptors, threads; and the size of the database."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One process at one moment. Memory in bytes: ``pss`` is its own plus its part of what is shared."""

    at: float
    pid: int
    pss: int
    rss: int
    descriptors: int
    threads: int


@dataclass(kw_only=True)
class Watch:
    """Takes samples of a process and its children, every so many seconds, until it is stopped."""

    process: psutil.Process
    store: Path
    every: float
    samples: list[Sample] = field(default_factory=list)
    store_bytes: list[tuple[float, int]] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Watch:
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._over.wait(max(0.0, self._started + number * self.every - time.monotonic())):
            at = number * self.every
            for one in (self.process, *self.process.children()):
                try:
                    self.samples.append(_sample(one, at))
                except psutil.NoSuchProcess:
                    continue  # the verdict misses it
            files = self.store.parent.glob(f"{self.store.name}*")
            self.store_bytes.append((at, sum(file.stat().st_size for file in files)))
            number += 1


def _sample(process: psutil.Process, at: float) -> Sample:
    with process.oneshot():
        memory = process.memory_full_info()
        return Sample(
            at=at,
            pid=process.pid,
            pss=memory.pss,
            rss=memory.rss,
            descriptors=process.num_fds(),
            threads=process.num_threads(),
        )
