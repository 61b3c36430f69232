"""`make bench`: how long the service takes, as ratios to what cannot be avoided, all in one run on this machine.

With prefetch: the whole handling of a request, against parsing and writing its body with orjson.
A chart of nothing that matters: reading it, against parsing and writing it.
Without prefetch: a call, against the slowest answer of a FHIR server that takes 50 ms for each. Order hooks ask for
everything at once. Patient-view asks in two waves: what it does not need it does not read.
Exit status 1 when a target is missed.
"""

from __future__ import annotations

import io
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import flask
import orjson
import requests
from rich.console import Console
from rich.table import Table

from app import create_app
from app.cli.serve import settle_memory
from app.demo import anchor
from app.gather import Got
from app.reading.record import read_patient
from app.settings import Settings
from hooks import knowledge
from hooks.knowledge import Knowledge
from tests.bench import calls
from tests.bench.slow_fhir import slow_fhir

Json = dict[str, Any]
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "ehr"
RUNS = 200
FETCHED_RUNS = 30
SIZES = (75, 300, 2500)
FLOORS_ALLOWED = 3
EXTRA_MS = 2.0
ANSWER_SECONDS = 0.05
SLOWEST_ALLOWED = {"one wave": 1.5, "two waves": 2.2}
IRRELEVANT = 1000
IRRELEVANT_FLOORS_ALLOWED = 1.5


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: milliseconds (median and 95th percentile), the floor, and the limit if there is one."""

    what: str
    times: list[float]
    floor: float
    limit: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.times)

    @property
    def missed(self) -> bool:
        return self.limit is not None and self.median > self.limit

    def cells(self) -> list[str]:
        slow = statistics.quantiles(self.times, n=20)[-1]
        limit = "" if self.limit is None else f"{self.limit:.2f}"
        verdict = "" if self.limit is None else "missed" if self.missed else "met"
        ratio = f"{self.median / self.floor:.2f}"
        return [self.what, f"{self.floor:.2f}", f"{self.median:.2f}", f"{slow:.2f}", ratio, limit, verdict]


def clocked(work: Callable[[], object], runs: int) -> list[float]:
    """Milliseconds of each run, after a tenth as many that do not count."""
    return _clocked((work,), runs)[0]


def beside_floor(work: Callable[[], object], floor: Callable[[], object]) -> tuple[list[float], float]:
    """Milliseconds of each run and the median of the floor, run by turns so that both meet the same machine."""
    times, floors = _clocked((work, floor), RUNS)
    return times, statistics.median(floors)


def _clocked(works: Sequence[Callable[[], object]], runs: int) -> list[list[float]]:
    for _ in range(max(3, runs // 10)):
        for work in works:
            work()
    times: list[list[float]] = [[] for _ in works]
    for _ in range(runs):
        for work, its in zip(works, times, strict=True):
            started = time.perf_counter()
            work()
            its.append((time.perf_counter() - started) * 1000)
    return times


def post(app: WSGIApplication, path: str, body: bytes) -> bytes:
    """One request straight into the application, without a socket."""
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


def with_prefetch(app: flask.Flask, services: dict[str, Json], day: date) -> list[Row]:
    """Rows for calls that bring their data."""
    reader = app.test_client()

    def read(query: str) -> Json:
        return dict(orjson.loads(reader.get(f"/fhir/{query}").data))

    rows = []
    for hook, order in (("patient-view", None), ("order-select", "dalteparin:15000"), ("order-select", "apixaban")):
        service = services[hook]
        for size in SIZES:
            request = calls.call(service, day, *([order] if order else []))
            request["prefetch"] = calls.prefetched(service, calls.PATIENT, read, size)
            if calls.count(request["prefetch"]) != size:
                sys.exit(f"the chart has {calls.count(request['prefetch'])} resources, not {size}")
            body = orjson.dumps(request)
            path = f"/cds-services/{service['id']}"
            cards = len(orjson.loads(post(app.wsgi_app, path, body))["cards"])
            times, floor = beside_floor(
                lambda path=path, body=body: post(app.wsgi_app, path, body),
                lambda body=body: orjson.dumps(orjson.loads(body)),
            )
            what = f"{hook}{' ' + order if order else ''}, {size} resources, {len(body) // 1000} kB, {cards} cards"
            limit = FLOORS_ALLOWED * floor + EXTRA_MS if size == 300 else None
            rows.append(Row(what=what, times=times, floor=floor, limit=limit))
    return rows


def nothing_that_matters(knowledge: Knowledge, day: date) -> Row:
    """The row for reading resources that are none of ours, as most of a chart is."""
    chart = calls.irrelevant(IRRELEVANT)
    body = orjson.dumps(chart)
    got = {"procedures": Got(key="procedures", resources=tuple(chart), origin="prefetch")}
    times, floor = beside_floor(
        lambda: read_patient(got, calls.PATIENT, day, knowledge), lambda: orjson.dumps(orjson.loads(body))
    )
    what = f"reading {IRRELEVANT} resources that are none of ours, {len(body) // 1000} kB"
    return Row(what=what, times=times, floor=floor, limit=IRRELEVANT_FLOORS_ALLOWED * floor)


def without_prefetch(app: flask.Flask, services: dict[str, Json], day: date) -> list[Row]:
    """Rows for calls whose data come from a FHIR server that takes its time."""
    reader = app.test_client()
    queries = {
        template.replace("{{context.patientId}}", calls.PATIENT)
        for service in services.values()
        for template in service["prefetch"].values()
    }
    rows = []
    with slow_fhir({query: reader.get(f"/fhir/{query}").data for query in queries}, ANSWER_SECONDS) as base:
        session = requests.Session()
        floor = max(
            statistics.median(clocked(lambda query=query: session.get(f"{base}/{query}", timeout=10), 5))
            for query in queries
        )
        for hook, order in (
            ("order-select", "dalteparin:15000"),
            ("order-select", "apixaban"),
            ("patient-view", None),
        ):
            service = services[hook]
            request = calls.call(service, day, *([order] if order else [])) | {"fhirServer": base}
            body = orjson.dumps(request)
            path = f"/cds-services/{service['id']}"
            cards = len(orjson.loads(post(app.wsgi_app, path, body))["cards"])
            times = clocked(lambda path=path, body=body: post(app.wsgi_app, path, body), FETCHED_RUNS)
            waves = "one wave" if order else "two waves"
            what = f"{hook}{' ' + order if order else ''}, nothing prefetched, {waves}, {cards} cards"
            rows.append(Row(what=what, times=times, floor=floor, limit=SLOWEST_ALLOWED[waves] * floor))
    return rows


def main() -> int:
    """Prints the table; 1 when a target is missed."""
    with TemporaryDirectory() as folder:
        rows = measured(Settings(demo=True, fixtures=FIXTURES, state_dir=Path(folder)))
    table = Table("milliseconds", "floor", "median", "p95", "ratio", "limit", "target")
    for row in rows:
        table.add_row(*row.cells())
    Console(width=140).print(table)
    print("floor: orjson.loads + orjson.dumps of the same body, or the slowest answer of the FHIR server")
    busy, cores = os.getloadavg()[0], os.cpu_count() or 1
    if busy > cores:
        print(
            f"This machine is busy (load {busy:.1f} on {cores} cores): times above are not those of the service alone."
        )
    return int(any(row.missed for row in rows))


def measured(settings: Settings) -> list[Row]:
    """All rows, of a service that keeps its store in a folder of its own."""
    day = anchor(FIXTURES)
    app = create_app(settings, today=lambda _zone: day, write=lambda *_args, **_kwargs: None)
    services = {
        service["hook"]: service for service in orjson.loads(app.test_client().get("/cds-services").data)["services"]
    }
    settle_memory()  # as every worker does
    rows = []
    for what, measure in (
        ("calls that bring their data", lambda: with_prefetch(app, services, day)),
        ("a chart of nothing that matters", lambda: [nothing_that_matters(knowledge.load(), day)]),
        ("calls whose data are fetched", lambda: without_prefetch(app, services, day)),
    ):
        print(f"measuring {what} ...", file=sys.stderr)
        rows += measure()
    app.extensions["cat-cds"].close()
    return rows


if __name__ == "__main__":
    sys.exit(main())
