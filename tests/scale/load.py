"""Signed load: clinicians behind the balancer, and twins that use one token at two replicas at the same time.

Everything that was answered is kept, so that it can be judged when the load is over.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import requests

from tests.app.hospital import bearer
from tests.app.service import APIXABAN, CT, TODAY, call
from tests.scale.stage import Stage, session

SERVICE = "/cds-services/cat-order-select"
FEEDBACK = f"{SERVICE}/feedback"
TOKEN_SECONDS = 300
CLEAN = frozenset({502, 503, 504})
"""Statuses that say: nothing was decided, try again."""
BROKEN_CONNECTION = 0
"""Counted in place of a status: nothing came."""
HALF_AN_ANSWER = -1
"""Counted in place of a status: the answer was cut off behind its head."""
PATIENCE_SECONDS = 120
PAUSE_SECONDS = 0.02
NEWEST = 100
"""Tokens that are replayed after a crash: those that were accepted last, of which most is at risk."""

Json = dict[str, Any]


def question(number: int, day: date) -> Json:
    """Call ``number``: apixaban, or now and then a scan about which there is nothing to say; dated as of ``day``."""
    drafts = (CT,) if number % 5 == 0 else (APIXABAN,)
    body = call("order-select", *drafts, hookInstance=f"{number:08x}-0000-4000-8000-000000000000")
    text = json.dumps(body)
    for written in sorted(set(_dates(body))):
        text = text.replace(f'"{written}"', f'"@{day - (TODAY - date.fromisoformat(written))}"')
    moved: Json = json.loads(text.replace('"@', '"'))
    return moved


def _dates(value: object) -> Iterator[str]:
    """The dates of a record, but for the day of birth."""
    if isinstance(value, dict):
        for name, one in value.items():
            if name in {"onsetDateTime", "effectiveDateTime"}:
                yield one
            else:
                yield from _dates(one)
    elif isinstance(value, list):
        for one in value:
            yield from _dates(one)


def told(number: int, card: Json) -> Json:
    """Feedback to a card: accepted where it suggests something, every third time overridden."""
    outcome: Json = {"card": card["uuid"], "outcomeTimestamp": "2026-03-10T12:30:00Z"}
    if number % 3 and card.get("suggestions"):
        return outcome | {"outcome": "accepted", "acceptedSuggestions": [{"id": card["suggestions"][0]["uuid"]}]}
    return outcome | {"outcome": "overridden", "overrideReason": {"userComment": f"comment {number}"}}


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One request that is sent: what for ("call", "feedback", "twin", "replay"), and the number of the call."""

    kind: str
    url: str
    body: Json
    head: dict[str, str]
    number: int = 0


@dataclass(kw_only=True)
class Tally:
    """What was sent and what came back. ``answers``: number of the call, and the JSON. A token goes with its path.

    ``halves_at_kills`` of the half answers came as a replica was killed: there they are nobody's fault.
    """

    answers: list[tuple[int, Json]] = field(default_factory=list)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    odd: list[str] = field(default_factory=list)
    tokens: defaultdict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    accepted: list[tuple[str, str]] = field(default_factory=list)
    told: dict[str, str] = field(default_factory=dict)
    acknowledged: dict[str, str] = field(default_factory=dict)
    twins: int = 0
    halves_at_kills: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def count(self, kind: str, status: int) -> int:
        """How often what was sent for this had this status."""
        return self.statuses[kind, status]

    @property
    def halves(self) -> int:
        """How many answers were cut off behind their heads."""
        return sum(number for (_, status), number in self.statuses.items() if status == HALF_AN_ANSWER)

    def wait(self, why: str, reached: Callable[[], bool]) -> None:
        """Wait until what is counted has come so far."""
        with self.changed:
            assert self.changed.wait_for(reached, PATIENCE_SECONDS), f"in vain waited for {why}: {self.statuses}"

    def note(self, ask: Ask, status: int, answer: Json | None) -> None:
        """What one sending came to; ``answer`` is None when there was none."""
        token = (ask.head["Authorization"], FEEDBACK if ask.url.endswith(FEEDBACK) else SERVICE)
        with self.changed:
            self.statuses[ask.kind, status] += 1
            self.tokens[token].append(status)
            if status == 200:
                self.accepted.append(token)
                if token[1] == SERVICE:
                    self.answers.append((ask.number, answer or {}))
            self.changed.notify_all()


class Load:
    """Clinicians and twins at work until ``stop``."""

    def __init__(self, stage: Stage, day: date, tally: Tally) -> None:
        self._stage = stage
        self._day = day
        self._numbers = itertools.count(1)
        self._stopping = threading.Event()
        self.tally = tally

    def clinician(self) -> None:
        """Ask, and tell what became of the first card; on a clean failure again, each time with a new token."""
        with self._stage.balancer.session() as http:
            while not self._stopping.is_set():
                number = next(self._numbers)
                answer = self._insist(http, "call", SERVICE, question(number, self._day), number)
                if answer is None or not answer["cards"]:
                    continue
                event = told(number, answer["cards"][0])
                with self.tally.changed:
                    self.tally.told[event["card"]] = event["outcome"]
                for _ in range(2 if number % 7 == 0 else 1):  # an EHR that did not hear the answer tells it again
                    if self._insist(http, "feedback", FEEDBACK, {"feedback": [event]}, number) is not None:
                        with self.tally.changed:
                            self.tally.acknowledged[event["card"]] = event["outcome"]

    def twins(self) -> None:
        """One token, sent to two replicas at the same time."""
        replicas = self._stage.replicas
        with session() as one, session() as other, ThreadPoolExecutor(2) as pool:
            for at in itertools.count():
                if self._stopping.wait(PAUSE_SECONDS):
                    return
                pair = (replicas[at % len(replicas)].url, replicas[(at + 1) % len(replicas)].url)
                number = next(self._numbers)
                body, head, together = question(number, self._day), bearer_for(SERVICE), threading.Barrier(2)
                asks = [Ask(kind="twin", url=url + SERVICE, body=body, head=head, number=number) for url in pair]
                sent = [
                    pool.submit(self._send, http, ask, together) for http, ask in zip((one, other), asks, strict=True)
                ]
                for each in sent:
                    each.result()
                with self.tally.changed:
                    self.tally.twins += 1
                    self.tally.changed.notify_all()

    def newest_tokens(self) -> list[tuple[str, str]]:
        """The tokens that were accepted last, with their paths."""
        with self.tally.changed:
            return self.tally.accepted[-NEWEST:]

    def replay(self, tokens: list[tuple[str, str]]) -> None:
        """These tokens once more, at whichever replica, until each was decided upon."""
        with self._stage.balancer.session() as http:
            for token, path in tokens:
                body = {"feedback": []} if path == FEEDBACK else question(0, self._day)
                url = self._stage.balancer.url + path
                ask = Ask(kind="replay", url=url, body=body, head={"Authorization": token})
                while self._send(http, ask)[0] in CLEAN:
                    assert not self._stopping.wait(PAUSE_SECONDS)

    def stop(self) -> None:
        self._stopping.set()

    def _insist(self, http: requests.Session, kind: str, path: str, body: Json, number: int = 0) -> Json | None:
        """The answer, as soon as there is one; None when it was odd, or the load was stopped meanwhile."""
        while True:
            url = self._stage.balancer.url + path
            status, answer = self._send(http, Ask(kind=kind, url=url, body=body, head=bearer_for(path), number=number))
            if status == 200:
                return answer
            if status not in (HALF_AN_ANSWER, *CLEAN) or self._stopping.wait(PAUSE_SECONDS):
                return None

    def _send(self, http: requests.Session, ask: Ask, together: threading.Barrier | None = None) -> tuple[int, Json]:
        """Status and JSON of one answer, noted."""
        if together is not None:
            together.wait(30)
        try:
            response = http.post(ask.url, json=ask.body, headers=ask.head, timeout=40)
        except requests.ConnectionError:
            self.tally.note(ask, BROKEN_CONNECTION, None)
            return BROKEN_CONNECTION, {}
        except requests.exceptions.ChunkedEncodingError:
            self.tally.note(ask, HALF_AN_ANSWER, None)
            return HALF_AN_ANSWER, {}
        answer = _json(response)
        if response.status_code != 200 and not _is_outcome(answer):
            with self.tally.changed:
                self.tally.odd.append(f"{ask.kind} {response.status_code}: {response.text[:200]}")
        self.tally.note(ask, response.status_code, answer)
        return response.status_code, answer


def bearer_for(path: str) -> dict[str, str]:
    """A token for this path that is good for as long as one may be."""
    now = int(time.time())
    return bearer(path, iat=now, exp=now + TOKEN_SECONDS)


def _json(response: requests.Response) -> Json:
    try:
        content = response.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _is_outcome(answer: Json) -> bool:
    return answer.get("resourceType") == "OperationOutcome" and "Traceback" not in json.dumps(answer)


@contextmanager
def under_load(stage: Stage, day: date, *, clinicians: int = 5, twins: int = 2) -> Iterator[Load]:
    """Load for as long as the block lasts. What a caller could not do is raised at its end."""
    load = Load(stage, day, Tally())
    with ThreadPoolExecutor(clinicians + twins) as pool:
        work = [load.clinician] * clinicians + [load.twins] * twins
        at_work = [pool.submit(one) for one in work]
        try:
            yield load
        finally:
            load.stop()
    for one in at_work:
        one.result()
