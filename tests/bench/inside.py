"""Calls straight into the application, without a socket: what handling costs beside what cannot be avoided."""

from __future__ import annotations

import io
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import flask
import orjson

from app import audit, create_app
from app.audit import CallLog
from app.demo import anchor
from app.gather import Got
from app.reading.record import read_patient
from app.settings import Settings
from hooks.knowledge import Knowledge
from tests.app.hospital import bearer, listed
from tests.bench import calls
from tests.bench.floor import floor
from tests.bench.rows import Row

Json = dict[str, Any]
RUNS = 200
SIZES = (75, 300, 2_500)
ASKED = (("patient-view", None), ("order-select", "dalteparin:15000"), ("order-select", "apixaban"))
FLOORS_ALLOWED = 3
EXTRA_MS = 2.0
CPU_ALLOWED = 2.0
IRRELEVANT = 1_000
IRRELEVANT_FLOORS_ALLOWED = 1.5
GROWN = (75, 300, 1_000, 2_500, 5_000, 10_000)
MILLISECONDS = 1_000
LONGEST_BODY = 50_000_000
CORE = ("core",)


@dataclass(slots=True)
class Bench:
    """The service in demo mode on the day of its patients, its services by hook, and what it logged last."""

    app: flask.Flask
    day: date
    services: dict[str, Json]
    logged: list[CallLog] = field(default_factory=list)

    def read(self, query: str) -> Json:
        """What the demo FHIR server answers to a query."""
        return dict(orjson.loads(self.app.test_client().get(f"/fhir/{query}").data))

    def body(self, hook: str, order: str | None, resources: int) -> tuple[str, bytes]:
        """Path and body of a call that brings a chart of so many resources."""
        service = self.services[hook]
        request = calls.call(service, self.day, *([order] if order else []))
        request["prefetch"] = calls.prefetched(service, calls.PATIENT, self.read, resources)
        if calls.count(request["prefetch"]) != resources:
            sys.exit(f"the chart has {calls.count(request['prefetch'])} resources, not {resources}")
        return f"/cds-services/{service['id']}", orjson.dumps(request)


@contextmanager
def bench(**more: Any) -> Iterator[Bench]:
    """The service with its log and its counters; ``more`` are settings."""
    audit.configure("info")
    logged: list[CallLog] = []

    def write(log: CallLog) -> None:
        audit.write(log)
        logged.append(log)

    with TemporaryDirectory() as folder:
        day = anchor(calls.FIXTURES)
        settings = Settings(
            demo=True, fixtures=calls.FIXTURES, state_dir=Path(folder), max_body_bytes=LONGEST_BODY, **more
        )
        app = create_app(settings, today=lambda _zone: day, write=write)
        services = orjson.loads(app.test_client().get("/cds-services").data)["services"]
        yield Bench(app=app, day=day, services={one["hook"]: one for one in services}, logged=logged)
        app.extensions["cat-cds"].close()


def by_turns(
    works: Sequence[Callable[[], object]], runs: int = RUNS, clock: Callable[[], float] = time.perf_counter
) -> list[list[float]]:
    """Milliseconds of each run of each work, by turns so that all meet the same machine; the first do not count."""
    for _ in range(max(3, runs // 10)):
        for work in works:
            work()
    times: list[list[float]] = [[] for _ in works]
    for _ in range(runs):
        for work, its in zip(works, times, strict=True):
            started = clock()
            work()
            its.append((clock() - started) * MILLISECONDS)
    return times


def post(app: WSGIApplication, path: str, body: bytes, token: str = "") -> bytes:
    """One request straight into an application; the bench ends when it is not answered with 200."""
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "HTTP_HOST": "127.0.0.1:8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if token:
        environ["HTTP_AUTHORIZATION"] = token
    seen: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[..., object]:
        seen.append(status)
        return seen.append

    content = b"".join(app(environ, _as_start_response(start_response)))
    if seen[0] != "200 OK":
        sys.exit(f"{path} answered {seen[0]}: {content[:300]!r}")
    return content


def _as_start_response(function: Any) -> StartResponse:
    return function  # type: ignore[no-any-return]


def handling(here: Bench) -> list[Row]:
    """The whole handling of a request, against parsing and writing its body."""
    rows = []
    for hook, order in ASKED:
        for size in SIZES:
            path, body = here.body(hook, order, size)
            cards = len(orjson.loads(post(here.app.wsgi_app, path, body))["cards"])
            times, floors = by_turns(
                (
                    lambda path=path, body=body: post(here.app.wsgi_app, path, body),
                    lambda body=body: orjson.dumps(orjson.loads(body)),
                )
            )
            least = statistics.median(floors)
            what = f"{hook}{' ' + order if order else ''}, {size} resources, {len(body) // 1000} kB, {cards} cards"
            limit = FLOORS_ALLOWED * least + EXTRA_MS if size == SIZES[1] else None
            rows.append(Row(what=what, numbers=times, floor=least, limit=limit))
    return rows


def cpu(here: Bench) -> list[Row]:
    """CPU of a request that every rule looks at, against parsing the body in a bare Flask route."""
    path, body = here.body("order-select", "dalteparin:15000", SIZES[0])
    bare = floor()
    times, floors = by_turns(
        (lambda: post(here.app.wsgi_app, path, body), lambda: post(bare.wsgi_app, path, body)), clock=time.process_time
    )
    least = statistics.median(floors)
    what = f"order-select dalteparin:15000, {SIZES[0]} resources, CPU"
    return [Row(what=what, numbers=times, floor=least, limit=CPU_ALLOWED * least)]


def irrelevant(here: Bench, knowledge: Knowledge) -> list[Row]:
    """Reading resources that are none of ours, as most of a chart is, against parsing and writing them."""
    chart = calls.irrelevant(IRRELEVANT)
    body = orjson.dumps(chart)
    got = {"procedures": Got(key="procedures", resources=tuple(chart), origin="prefetch")}
    times, floors = by_turns(
        (
            lambda: read_patient(got, calls.PATIENT, here.day, knowledge),
            lambda: orjson.dumps(orjson.loads(body)),
        )
    )
    least = statistics.median(floors)
    what = f"reading {IRRELEVANT} resources that are none of ours, {len(body) // 1000} kB"
    return [Row(what=what, numbers=times, floor=least, limit=IRRELEVANT_FLOORS_ALLOWED * least)]


def stages(here: Bench) -> list[list[str]]:
    """Where the time of a call goes, in milliseconds by stage, as the service itself logs it."""
    lines = []
    for hook, order in (*ASKED, ("order-select", calls.UNRELATED)):
        path, body = here.body(hook, order, SIZES[1])
        here.logged.clear()
        for _ in range(RUNS):
            post(here.app.wsgi_app, path, body)
        names = ("parse", "orders", "record", "decide", "wire", "total")
        spent = [statistics.mean(log.ms.get(name, 0.0) for log in here.logged) for name in names]
        lines.append([f"{hook}{' ' + order if order else ''}", *(f"{one:.2f}" for one in spent)])
    return lines


def growth(here: Bench) -> list[list[str]]:
    """Time by the size of the chart, with all code lists and with the core ones only, beside the bare Flask route.

    The rules' own part is what they take together, once a call. The last column tells how straight the line is.
    """
    bare = floor()
    lines, first = [], 0.0
    with bench(code_packs=CORE) as core:
        for size in GROWN:
            path, body = here.body("order-select", "dalteparin:15000", size)
            works = [
                lambda app=app, path=path, body=body: post(app.wsgi_app, path, body)
                for app in (bare, here.app, core.app)
            ]
            here.logged.clear()
            least, ours, with_core = map(statistics.median, by_turns(works, runs=max(20, 5_000 // size)))
            rules = statistics.median(log.ms["decide"] for log in here.logged)
            first = first or ours
            slope = f"{(ours - first) / (size - GROWN[0]) * MILLISECONDS:.1f}" if size > GROWN[0] else ""
            shown = (f"{one:.2f}" for one in (len(body) / 1e6, least, ours, with_core))
            lines.append([f"{size:,}", *shown, f"{rules:.1f}", f"{ours / least:.2f}", slope])
    return lines


def tokens(here: Bench, runs: int = RUNS) -> list[Row]:
    """The same call with a signed token (ES384, a new one each time), against the call without authentication."""
    path, body = here.body("order-select", "dalteparin:15000", SIZES[0])
    with TemporaryDirectory() as folder:
        settings = listed(Path(folder) / "hospital", entry='profile = "lmwh-first-2014"\n')
        app = create_app(settings, today=lambda _zone: here.day)
        ready = iter([bearer(path)["Authorization"] for _ in range(runs + max(3, runs // 10))])
        times, floors = by_turns(
            (lambda: post(app.wsgi_app, path, body, next(ready)), lambda: post(here.app.wsgi_app, path, body)), runs
        )
        app.extensions["cat-cds"].close()
    return [Row(what="signed token (ES384) checked, its jti kept", numbers=times, floor=statistics.median(floors))]
