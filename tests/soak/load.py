"""A load of mixed requests at a fixed rate, and what came back."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import urllib3

from tests.soak.kinds import Kind

SENDERS = 32
"""Threads that send: more than requests are ever under way, or the rate is not kept (which is told)."""

PATIENCE_SECONDS = 30.0
EXAMPLES = 20


@dataclass(kw_only=True)
class Tally:
    """Of one kind: milliseconds of each answer, by the second in which it was due; and what was wrong."""

    times: list[tuple[float, float]] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)


@dataclass(kw_only=True)
class Load:
    """``rate`` requests a second, whether or not earlier ones have been answered; each is timed from when it is due."""

    url: str
    kinds: Sequence[Kind]
    rate: float
    tallies: dict[str, Tally] = field(init=False)
    latest_start: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.tallies = {kind.name: Tally() for kind in self.kinds}

    def run(self, seconds: float) -> None:
        """Send for so long, then wait for what is under way."""
        pool = urllib3.HTTPConnectionPool(*_host_and_port(self.url), maxsize=SENDERS, retries=False)
        started, turns = time.monotonic(), self._turns(seconds)
        senders = [threading.Thread(target=self._send, args=(pool, started, turns)) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        pool.close()

    def _turns(self, seconds: float) -> Iterator[tuple[float, Kind]]:
        """When each request is due, and of which kind: the deck is shuffled anew when it is through."""
        deck = [kind for kind in self.kinds for _ in range(kind.weight)]
        chance, number = random.Random(len(deck)), 0
        while True:
            chance.shuffle(deck)
            for kind in deck:
                due = number / self.rate
                if due >= seconds:
                    return
                yield due, kind
                number += 1

    def _send(self, pool: urllib3.HTTPConnectionPool, started: float, turns: Iterator[tuple[float, Kind]]) -> None:
        while True:
            with self._lock:
                due, kind = next(turns, (0.0, None))
            if kind is None:
                return
            self._over.wait(max(0.0, started + due - time.monotonic()))
            late = time.monotonic() - started - due
            wrong = _asked(pool, kind)
            took = (time.monotonic() - started - due) * 1000
            with self._lock:
                self.latest_start = max(self.latest_start, late)
                tally = self.tallies[kind.name]
                tally.times.append((due, took))
                if wrong and len(tally.errors) < EXAMPLES:
                    tally.errors[wrong] += 1
                elif wrong:
                    tally.errors["others"] += 1


def _asked(pool: urllib3.HTTPConnectionPool, kind: Kind) -> str:
    """ "" when the answer is the one that had to come, else what is wrong."""
    one = kind.request()
    try:
        answer = pool.request(
            one.method, one.path, body=one.body, headers=one.all_headers, timeout=PATIENCE_SECONDS, redirect=False
        )
    except urllib3.exceptions.HTTPError as error:
        return f"no answer: {type(error).__name__}"
    try:
        return kind.check(answer.status, answer.data)
    except (ValueError, KeyError, TypeError) as error:
        return f"an answer that cannot be read: {type(error).__name__}"


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urllib3.util.parse_url(url)
    return str(parts.host), int(parts.port or 80)
