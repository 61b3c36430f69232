"""`make bench-servers`: the same application under one worker process of several WSGI servers, in one run.

Every server holds the service in demo mode and, in a second process, a bare Flask route (the floor); wrk asks them
by turns, so that whatever else the machine does hits all alike. Processor time per request hardly depends on that.
Three loads: a body of about 100 kB over 1 and over 16 connections that are kept alive, and calls over 16 connections
that wait for a FHIR server of 50 ms.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import orjson
import requests
from requests.adapters import HTTPAdapter
from rich.console import Console
from rich.table import Table
from urllib3.util import Retry

from app import create_app
from app.demo import anchor
from app.settings import Settings
from tests.bench import calls, wrk
from tests.bench.calls import FIXTURES
from tests.bench.outside import pss_mb
from tests.bench.slow_fhir import ANSWER_SECONDS, slow_fhir

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
RESOURCES = 75
ORDER = "dalteparin:15000"
THREADS = (4, 8, 16, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A way to serve: the command, ``{port}`` in it to be filled in, and the package that it needs."""

    name: str
    command: tuple[str, ...]
    package: str = "gunicorn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What wrk sends, to which application, over how many connections."""

    name: str
    app: str
    connections: int
    script: Path


@dataclass(slots=True, kw_only=True)
class Results:
    """What was measured of one server under one load, a number for each turn."""

    per_second: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    refused: int = 0


def _gunicorn(worker: str, *more: str) -> tuple[str, ...]:
    common = ("--workers", "1", "--preload", "--keep-alive", "75", "--log-level", "error", "--no-control-socket")
    return ("gunicorn", "-b", "127.0.0.1:{port}", *common, "-k", worker, *more, "tests.bench.served:app")


def servers() -> tuple[Server, ...]:
    """All that are compared."""
    granian = (
        "granian",
        "--interface",
        "wsgi",
        "--host",
        "127.0.0.1",
        "--port",
        "{port}",
        "--no-log",
        "--workers",
        "1",
    )
    waitress = ("waitress-serve", "--listen=127.0.0.1:{port}")
    app = "tests.bench.served:app"
    return (
        *(
            Server(
                name=f"gunicorn, our worker, {n}",
                command=_gunicorn("app.cli.http_worker.QuietWorker", "--threads", str(n)),
            )
            for n in THREADS
        ),
        *(Server(name=f"gunicorn gthread, {n}", command=_gunicorn("gthread", "--threads", str(n))) for n in THREADS),
        Server(name="gunicorn sync", command=_gunicorn("sync")),
        Server(name="gunicorn gevent", command=_gunicorn("gevent"), package="gevent"),
        *(
            Server(name=f"granian, {n}", command=(*granian, "--blocking-threads", str(n), app), package="granian")
            for n in (1, *THREADS)
        ),
        *(
            Server(name=f"waitress, {n}", command=(*waitress, f"--threads={n}", app), package="waitress")
            for n in (4, 16)
        ),
    )


@contextmanager
def started(server: Server, app: str, folder: Path) -> Iterator[tuple[str, int]]:
    """A server with the service or the floor: its address, and the id of its first process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program, *options = (part.format(port=port) for part in server.command)
    state = folder / f"state-{port}"
    state.mkdir()
    environment = {**os.environ, "BENCH_APP": app, "CAT_CDS_STATE_DIR": str(state), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [Path(sys.executable).parent / program, *options],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            steady = requests.Session()
            steady.mount("http://", HTTPAdapter(max_retries=Retry(total=80, backoff_factor=0.1, backoff_max=0.25)))
            steady.get(f"http://127.0.0.1:{port}/health/live", timeout=20).close()
            steady.close()
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def memory_mb(pid: int) -> float:
    """The proportional set size of the newest process below ``pid``, or its own: that of a worker."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return pss_mb(int(children[-1]) if children else pid)


def material() -> tuple[dict[str, bytes], Json, Json]:
    """What the FHIR server is to answer by query, a request without data, and the same with its chart."""
    with TemporaryDirectory() as state:
        day = anchor(FIXTURES)
        app = create_app(
            Settings(demo=True, fixtures=FIXTURES, state_dir=Path(state)),
            today=lambda _zone: day,
            write=lambda *_args, **_kwargs: None,
        )
        asks = app.test_client()
        services = orjson.loads(asks.get("/cds-services").data)["services"]
        [service] = [one for one in services if one["hook"] == "order-select"]
        queries = [one.replace("{{context.patientId}}", calls.PATIENT) for one in service["prefetch"].values()]
        answers = {query: asks.get(f"/fhir/{query}").data for query in queries}
        request = calls.call(service, day, ORDER)
        chart = calls.prefetched(service, calls.PATIENT, lambda query: dict(orjson.loads(answers[query])), RESOURCES)
        app.extensions["cat-cds"].close()
    return answers, request, request | {"prefetch": chart}


def cpu_seconds(pid: int) -> float:
    """The processor time that a process and those below it have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(cpu_seconds(int(child)) for child in below)


def asked(load: Load, url: str, pid: int, seconds: int, into: Results) -> None:
    """One turn of wrk."""
    before = cpu_seconds(pid)
    told = wrk.ask(f"{url}/cds-services/cat-order-select", load.script, load.connections, seconds, anywhere=True)
    into.per_second.append(told.per_second)
    into.cpu_ms.append((cpu_seconds(pid) - before) * 1000 / max(1, told.requests))
    into.p50.append(told.p50_ms)
    into.p99.append(told.p99_ms)
    into.refused += told.failed


def needed() -> dict[str, str]:
    """The packages of the comparison, with their versions, as pyproject.toml names them."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["bench"]
    return {name.split(">")[0]: name for name in listed}


def _loads(folder: Path, bodies: dict[str, bytes]) -> Iterator[Load]:
    scripts = {name: wrk.script(folder, name, body) for name, body in bodies.items()}
    for name, body in bodies.items():
        print(f"{name}: {len(body) // 1000} kB", file=sys.stderr)
    for connections in (1, 16):
        for app in ("floor", "service"):
            name = f"{app}, {connections} connection{'s' if connections > 1 else ''}"
            yield Load(name=name, app=app, connections=connections, script=scripts["prefetched"])
    yield Load(name="waiting for FHIR, 16", app="service", connections=16, script=scripts["fetched"])


def _rows(load: Load, found: dict[str, Results]) -> Iterator[list[str]]:
    for name, its in found.items():
        per_second, p50, p99, cpu = map(statistics.median, (its.per_second, its.p50, its.p99, its.cpu_ms))
        numbers = (f"{per_second:.0f}", f"{p50:.1f}", f"{p99:.1f}", f"{cpu:.2f}", str(its.refused))
        yield [load.name, name, *numbers]


@click.command()
@click.option("--seconds", default=3, show_default=True, help="Length of a turn.")
@click.option("--turns", default=3, show_default=True, help="Turns of each server under each load.")
@click.option("--only", default="", help="Servers whose name holds this.")
def main(seconds: int, turns: int, only: str) -> None:
    """Compares WSGI servers."""
    wrk.check()
    packages = needed()
    absent = sorted({one.package for one in servers() if importlib.util.find_spec(one.package) is None})
    if absent:
        wanted = " ".join(f"'{packages[name]}'" for name in absent)
        print(f"left out: {', '.join(absent)}. For them: .venv/bin/pip install {wanted}", file=sys.stderr)
    compared = [one for one in servers() if one.package not in absent and only in one.name]
    _fhir_and_all(compared, seconds, turns)


def _fhir_and_all(compared: list[Server], seconds: int, turns: int) -> None:
    with ExitStack() as running, TemporaryDirectory() as name:
        folder = Path(name)
        answers, bare, whole = material()
        fhir = running.enter_context(slow_fhir(answers, ANSWER_SECONDS))
        sent = {"prefetched": orjson.dumps(whole), "fetched": orjson.dumps(bare | {"fhirServer": fhir})}
        loads = list(_loads(folder, sent))
        up = {
            (server.name, app): running.enter_context(started(server, app, folder))
            for server in compared
            for app in ("floor", "service")
        }
        table = Table(
            "load", "server", "requests/s", "p50 ms", "p99 ms", "CPU ms", "refused", title=f"{turns} × {seconds} s"
        )
        for load in loads:
            found = {server.name: Results() for server in compared}
            for turn in range(turns):
                print(f"{load.name}, turn {turn + 1} of {turns} ...", file=sys.stderr)
                for server in compared:
                    asked(load, *up[server.name, load.app], seconds, found[server.name])
            for row in _rows(load, found):
                table.add_row(*row)
        memory = Table("server", "PSS of the worker, MB")
        for server in compared:
            memory.add_row(server.name, f"{memory_mb(up[server.name, 'service'][1]):.0f}")
        console = Console(width=120)
        console.print(table)
        console.print(memory)
    print(f"load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
