"""The rows on FHIR servers that are in trouble: nothing is in prefetch, all is read, by ten requests a call."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager

import orjson
import requests

from app.fhir_client import WORDS
from app.gather import TOO_MANY_PAGES
from tests.app.service import COLON_CANCER, call
from tests.fake_ehr import Answer, Asked, FakeEhr, Reply, broken, bundle, failing, redirecting, saying, serving
from tests.faults.fault import BUSY, FAILED, PAUSE_SECONDS, Fault, Scene
from tests.faults.sites import ALL, Sites, whole_record

REQUESTS = 10  # for a whole record
SLOW_SECONDS = 0.15
LONG = 50_000_000
WAITING_CALLS = 8
ONE_SERVERS_THREADS = 16
SIGN = "200 doac-luminal-gi"
VIEW = "200 start-anticoagulation, compression-stockings"
UNREAD = "200 data-not-usable ({})"
REFUSED = "412 required ({})"
PARTLY = "200 doac-luminal-gi, data-not-usable ({})"

Make = Callable[[FakeEhr], Answer]


def rows(sites: Sites) -> list[Fault]:
    def on(*kinds: str, hook: str = "order-sign") -> Callable[[Make], Callable[[], AbstractContextManager[Scene]]]:
        return lambda make: lambda: _scene(sites, kinds, make, hook)

    def row(name: str, make: Make, reason: str, *, kinds: tuple[str, ...] = ALL, **more: object) -> Fault:
        plain = {"usual": SIGN, "gets": UNREAD.format(reason) if reason else SIGN, "asks": REQUESTS}
        return Fault(group="FHIR server", name=name, scene=on(*kinds)(make), **{**plain, **more})  # type: ignore[arg-type]

    def failing_row(name: str, make: Make, reason: str, **more: object) -> Fault:
        left_alone = {"alone": UNREAD.format(FAILED), "recovers_after": PAUSE_SECONDS}
        return row(name, make, reason, **{**left_alone, **more})  # type: ignore[arg-type]

    def on_opening(name: str, make: Make, reason: str, asks: int) -> Fault:
        return Fault(
            group="FHIR server",
            name=f"{name}, a chart is opened",
            scene=on(*ALL, hook="patient-view")(make),
            usual=VIEW,
            gets=REFUSED.format(reason),
            asks=asks,
            alone=REFUSED.format(FAILED),
            recovers_after=PAUSE_SECONDS,
        )

    asks_for_pause = {"alone": UNREAD.format(BUSY), "alone_after": 1, "asks": None, "recovers_after": PAUSE_SECONDS}
    return [
        row("slow: every answer takes 150 ms", _slow, ""),
        failing_row("hangs", lambda ehr: ehr.hanging(saying(bundle())), WORDS["late"]),
        on_opening("hangs", lambda ehr: ehr.hanging(saying(bundle())), WORDS["late"], 2),
        row(
            "hangs for observations only",
            lambda ehr: ehr.hanging(saying(bundle())),
            "",
            kinds=("Observation",),
            gets=PARTLY.format(WORDS["late"]),
        ),
        failing_row("stalls in the middle of the body", lambda _: _cut(stalls=True), WORDS["late"]),
        failing_row("closes in the middle of the body", lambda _: _cut(), WORDS["broken"]),
        failing_row("closes without an answer", lambda _: _gone, WORDS["unreachable"], asks=2 * REQUESTS),
        Fault(
            group="FHIR server",
            name="is not there (connection refused)",
            scene=lambda: _away(sites),
            usual=SIGN,
            gets=UNREAD.format(WORDS["unreachable"]),
            asks=0,
            alone=UNREAD.format(FAILED),
            recovers_after=PAUSE_SECONDS,
        ),
        row("401", lambda _: failing(401), WORDS["refused"]),
        row("403", lambda _: failing(403), WORDS["refused"]),
        row("404", lambda _: failing(404), _status(404)),
        row(
            "404 for the patient only",
            lambda _: failing(404),
            _status(404),
            kinds=("Patient",),
            gets=PARTLY.format(_status(404)),
        ),
        row("429 without Retry-After", lambda _: failing(429), _status(429)),
        row(
            "429 with Retry-After: 30 for conditions",
            lambda _: _waiting(429, {"Retry-After": "30"}),
            _status(429),
            kinds=("Condition",),
            **asks_for_pause,
        ),
        row(
            "503 with Retry-After (a date) for conditions",
            lambda _: _waiting(503, LATER),
            _status(503),
            kinds=("Condition",),
            **asks_for_pause,
        ),
        failing_row("500", lambda _: failing(500), _status(500)),
        on_opening("500", lambda _: failing(500), _status(500), REQUESTS),
        row(
            "500 for observations only",
            lambda _: failing(500),
            "",
            kinds=("Observation",),
            gets=PARTLY.format(_status(500)),
        ),
        row("redirect", lambda ehr: redirecting(f"{ehr.base}/elsewhere"), WORDS["redirect"]),
        row("broken JSON", lambda _: broken(), WORDS["unreadable"]),
        row(
            "an OperationOutcome with status 200", lambda _: _outcome, "the answer of the FHIR server could not be used"
        ),
        row("gzip", _zipped, ""),
        row("gzip that is corrupt", lambda _: _bytes(CORRUPT, GZIP), WORDS["unreadable"]),
        row("gzip that ends early", lambda _: _bytes(gzip.compress(b'{"x": "y"}')[:-12], GZIP), WORDS["unreadable"]),
        row("gzip bomb: 50 MB in 50 kB", lambda _: _bytes(BOMB, GZIP), WORDS["too-long"], kinds=("Condition",)),
        row("HTML, by its content type, too", lambda _: _bytes(b"<html>", HTML), WORDS["unreadable"]),
        row("FHIR under the content type of HTML", _as_html, ""),
        row(
            "pages of conditions without end",
            lambda ehr: _pages(ehr, ends=False),
            TOO_MANY_PAGES,
            kinds=("Condition",),
            asks=REQUESTS + 9,
        ),
        row(
            "pages of conditions in a circle",
            lambda ehr: _pages(ehr, ends=True),
            TOO_MANY_PAGES,
            kinds=("Condition",),
            asks=REQUESTS + 1,
        ),
        Fault(
            group="FHIR server",
            name="another server hangs, with eight calls waiting for it",
            scene=lambda: _beside_another(sites),
            usual=SIGN,
            gets=SIGN,
            asks=REQUESTS,
        ),
        row("a Bundle of 50 MB for conditions", lambda _: _bytes(_long(), {}), WORDS["too-long"], kinds=("Condition",)),
    ]


# How it is played


@contextmanager
def _scene(sites: Sites, kinds: tuple[str, ...], make: Make, hook: str) -> Iterator[Scene]:
    service, clock = sites.demo()
    with serving() as ehr:
        whole_record(ehr)
        usual = dict(ehr.answers)
        body = call(hook, prefetch=..., fhirServer=ehr.base)

        def begin() -> None:
            faulty = make(ehr)
            for kind in kinds:
                ehr.on(kind, faulty)

        def end() -> None:
            ehr.answers.update(usual)

        yield Scene(service=service, clock=clock, ask=lambda: service.post(body), begin=begin, end=end, ehr=ehr)


@contextmanager
def _away(sites: Sites) -> Iterator[Scene]:
    """An EHR whose process ends and is started again at the same port, which nobody else takes meanwhile."""
    service, clock = sites.demo()
    with ExitStack() as first, ExitStack() as second:
        ehr = first.enter_context(serving())
        whole_record(ehr)
        port = int(ehr.base.split(":")[2].split("/")[0])
        body = call("order-sign", prefetch=..., fhirServer=ehr.base)
        seat = second.enter_context(socket.socket())
        seat.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

        def begin() -> None:
            first.close()
            seat.bind(("127.0.0.1", port))

        def end() -> None:
            whole_record(second.enter_context(serving(port=port)))

        yield Scene(service=service, clock=clock, ask=lambda: service.post(body), begin=begin, end=end, ehr=ehr)


@contextmanager
def _beside_another(sites: Sites) -> Iterator[Scene]:
    """An EHR that is well, asked while more requests than there are threads wait for another one."""
    service, clock = sites.patient()
    troubled = [False]

    def sign(server: str) -> requests.Response:
        body = call("order-sign", prefetch=..., fhirServer=server)
        return requests.post(f"{service.url}/cds-services/cat-order-sign", json=body, timeout=10)

    def ask() -> requests.Response:
        if not troubled[0]:
            return sign(ehr.base)
        with serving() as other, ThreadPoolExecutor(WAITING_CALLS) as pool:
            for kind in ALL:
                other.on(kind, other.hanging(saying(bundle())))
            before = clock.calls_begun
            for _ in range(WAITING_CALLS):
                pool.submit(sign, other.base)
            assert other.is_asked(ONE_SERVERS_THREADS, lambda: clock.calls_begun >= before + WAITING_CALLS)
            answer = sign(ehr.base)
            assert other.at_once >= ONE_SERVERS_THREADS, "answered only when the others were"
            other.released.set()
            return answer

    with serving() as ehr:
        whole_record(ehr)
        switch = troubled.__setitem__
        yield Scene(
            service=service, clock=clock, ask=ask, begin=lambda: switch(0, True), end=lambda: switch(0, False), ehr=ehr
        )


# What is answered

GZIP = {"Content-Encoding": "gzip"}
HTML = {"Content-Type": "text/html; charset=utf-8"}
LATER = {"Date": "Tue, 10 Mar 2026 12:00:00 GMT", "Retry-After": "Tue, 10 Mar 2026 12:00:30 GMT"}
BOMB = gzip.compress(b'{"x": "' + b"y" * LONG + b'"}')
CORRUPT = gzip.compress(b'{"resourceType": "Bundle"}')[:10] + b"\xff" * 20


def _status(number: int) -> str:
    return WORDS["status"].format(status=number)


def _gone(_: Asked) -> Reply:
    raise ConnectionAbortedError


def _cut(*, stalls: bool = False) -> Answer:
    return lambda _: Reply(b'{"resourceType": "Bundle", ', missing=1000, stalls=stalls)


def _bytes(body: bytes, headers: dict[str, str]) -> Answer:
    return lambda _: Reply(body, headers=headers)


def _waiting(status: int, headers: dict[str, str]) -> Answer:
    return lambda _: Reply(b"{}", status, headers)


def _outcome(asked: Asked) -> Reply:
    return saying({"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]})(asked)


def _with(ehr: FakeEhr, change: Callable[[Reply], Reply]) -> Answer:
    """The usual answer of this EHR, changed."""
    usual = dict(ehr.answers)
    return lambda asked: change(usual[asked.kind](asked))


def _slow(ehr: FakeEhr) -> Answer:
    def wait(reply: Reply) -> Reply:
        ehr.released.wait(SLOW_SECONDS)
        return reply

    return _with(ehr, wait)


def _zipped(ehr: FakeEhr) -> Answer:
    return _with(ehr, lambda reply: Reply(gzip.compress(reply.body), headers=GZIP))


def _as_html(ehr: FakeEhr) -> Answer:
    return _with(ehr, lambda reply: Reply(reply.body, headers=HTML))


def _pages(ehr: FakeEhr, *, ends: bool) -> Answer:
    """One condition a page, and always one more page; at the end of a circle it is the same one again."""

    def page(_: Asked) -> Reply:
        number = 1 if ends else len(ehr.asked)
        return Reply(orjson.dumps(bundle(COLON_CANCER, following=f"{ehr.base}/Condition?page={number}")))

    return page


def _long() -> bytes:
    entry = orjson.dumps({"resource": COLON_CANCER})
    return b'{"resourceType": "Bundle", "entry": [' + b",".join([entry] * (LONG // len(entry) + 1)) + b"]}"
