"""A row of the fault table: what goes wrong, what the caller gets; and how a row is played through."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, timedelta

import requests

from app.breaker import FAILURES
from tests.app.service import TODAY, Service
from tests.fake_ehr import FakeEhr

BUDGET_MS = 1200
GRACE_MS = 700
"""What a machine on which other things run may take longer; nothing here waits as long as that."""

PAUSE_SECONDS = 60
FAILED = "the FHIR server has failed repeatedly and is left alone for {} s"
BUSY = "the FHIR server is overloaded and asked for a pause of {} s"


@dataclass
class Clock:
    """The clocks of a service: seconds from anywhere, seconds since 1970, and the date. A test sets them anew."""

    ahead: float = 0.0
    wall_step: float = 0.0
    days_ahead: int = 0
    calls_begun: int = 0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def wall(self) -> float:
        return self.ehr() + self.wall_step

    def ehr(self) -> float:
        """The wall clock of the EHR, which is right."""
        return time.time() + self.ahead

    def today(self, _zone: str) -> date:
        self.calls_begun += 1  # each call asks for the date before it reads the record
        return TODAY + timedelta(days=self.days_ahead)

    def pass_by(self, seconds: float) -> None:
        """Time goes on, on all clocks."""
        self.ahead += seconds


@dataclass(kw_only=True)
class Scene:
    """A service in trouble: how it is asked, how the trouble begins and ends, which EHR counts the requests."""

    service: Service
    clock: Clock
    ask: Callable[[], requests.Response]
    begin: Callable[[], object]
    end: Callable[[], object]
    ehr: FakeEhr | None = None

    def asked(self) -> int:
        return len(self.ehr.asked) if self.ehr else 0


@dataclass(frozen=True, kw_only=True)
class Fault:
    """``gets`` is what a call gets while the trouble lasts, ``usual`` what it gets without.

    ``asks`` is how many requests a call sends to the EHR then; None: some. ``alone`` is what is got while the server
    is left alone, after ``alone_after`` calls; "" when it never is. ``from_start`` says that the trouble was there
    before the first call; ``recovers_after`` are the seconds that pass between its end and the next call;
    ``leaps`` that the clock by which a call is timed goes on by hours meanwhile.
    """

    group: str
    name: str
    scene: Callable[[], AbstractContextManager[Scene]]
    gets: str
    usual: str
    asks: int | None = None
    alone: str = ""
    alone_after: int = FAILURES
    from_start: bool = False
    recovers_after: float = 0.0
    leaps: bool = False

    def __str__(self) -> str:
        return f"{self.group}: {self.name}"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What happened. ``answers`` are in the order of the calls, ``sent`` the requests to the EHR meanwhile."""

    fault: Fault
    answers: tuple[str, ...]
    milliseconds: tuple[float, ...]
    sent: int
    following: str
    is_usual: bool
    wrong: tuple[str, ...] = field(default=())

    @property
    def kinds(self) -> Counter[str]:
        return Counter(self.answers)

    @property
    def in_time(self) -> int:
        return sum(one <= BUDGET_MS + GRACE_MS or self.fault.leaps for one in self.milliseconds)


def happens(fault: Fault, times: int) -> Result:
    """Call once as usual, ``times`` in trouble, a second apart, and once when it is over."""
    with fault.scene() as scene:
        first = None if fault.from_start else scene.ask()
        scene.begin()
        before = scene.asked()
        answers, milliseconds = [], []
        try:
            for _ in range(times):
                scene.clock.pass_by(1.0)
                answers.append(told(scene.ask()))
                milliseconds.append(scene.service.log[-1].ms["total"])
            sent = scene.asked() - before
        finally:
            scene.end()
        scene.clock.pass_by(fault.recovers_after)
        following = scene.ask()
    told_first = fault.usual if first is None else told(first)
    same = first is None or following.content == first.content
    result = Result(
        fault=fault,
        answers=tuple(answers),
        milliseconds=tuple(milliseconds),
        sent=sent,
        following=told(following),
        is_usual=same and told(following) == fault.usual,
    )
    return Result(**{**vars(result), "wrong": tuple(_faults(result, told_first))})


def _faults(result: Result, first: str) -> Iterator[str]:
    """Where a result is not what its row says, in words."""
    fault = result.fault
    if first != fault.usual:
        yield f"without the trouble: {first}"
    for number, answer in enumerate(result.answers):
        is_alone = fault.alone and answer.startswith(fault.alone.partition("{}")[0])
        if number < fault.alone_after or not fault.alone:
            if answer != fault.gets:
                yield f"call {number + 1}: {answer}"
        elif not is_alone and (number == fault.alone_after or answer != fault.gets):
            yield f"call {number + 1}: {answer}"
    if result.in_time < len(result.answers):
        yield f"too late: {max(result.milliseconds)} ms"
    asking = result.answers.count(fault.gets)
    if fault.asks is not None and result.sent != fault.asks * asking:
        yield f"{result.sent} requests for {asking} calls"
    if not result.is_usual:
        yield f"the next call: {result.following}"


def told(answer: requests.Response) -> str:
    """An answer in short: status, topics of cards, and why data could not be had, as the caller reads it."""
    if answer.status_code != requests.codes.ok or not answer.content:
        return _refused(answer)
    cards = answer.json()["cards"]
    topics = ", ".join(card["source"]["topic"]["code"] for card in cards)
    lines = [line for card in cards for line in re.findall(r"^- (\w+: .+)$", card["detail"], re.MULTILINE)]
    reasons = dict(line.split(": ", 1) for line in lines if "FHIR server" in line or "pages" in line)
    reason = reasons.get("conditions") or next(iter(reasons.values()), "")
    return f"200 {topics or 'no card'}" + (f" ({reason})" if reason else "")


def _refused(answer: requests.Response) -> str:
    if answer.status_code == requests.codes.ok:
        return "200"
    issue = answer.json()["issue"][0]
    reasons = dict(part.split(": ", 1) for part in issue.get("diagnostics", "").split("; ") if ": " in part)
    reason = reasons.get("conditions", "")
    again = ", Retry-After" if "Retry-After" in answer.headers else ""
    return f"{answer.status_code} {issue['code']}{again}" + (f" ({reason})" if reason else "")
