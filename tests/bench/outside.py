"""The service and the floor as processes of their own, asked over sockets: throughput, latency, start, memory."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import requests

from app import today_in
from app.settings import Settings
from tests.bench import calls, steady, wrk
from tests.bench.rows import Row

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
TURNS = 3
SECONDS = 3
STARTS = 5
START_LIMIT_MS = 1_500
WORKER_LIMIT_MB = 150
CAPACITY_SHARE = 0.7
TAIL_ALLOWED = 3
STEADY_SECONDS = 2
STEADY_TURNS = 6
ANSWER_SECONDS = 30.0

# hook, order, resources -> the part of the floor's requests per second that is the target, if there is one
LOADS: tuple[tuple[str, str | None, int, float | None], ...] = (
    ("order-select", "dalteparin:15000", 75, 0.70),
    ("order-select", "dalteparin:15000", 300, 0.65),
    ("order-select", "dalteparin:15000", 2_500, None),
    ("order-select", calls.UNRELATED, 75, 0.85),
    ("order-select", "apixaban", 75, 0.40),
    ("order-select", "apixaban", 300, None),
    ("patient-view", None, 75, None),
    ("patient-view", None, 300, None),
    ("patient-view", None, 2_500, None),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A server: its port and the id of its first process."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def workers(self) -> list[int]:
        """The processes that answer."""
        return [int(one) for one in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]


@contextmanager
def started(folder: Path, *, floor: bool = False, workers: int = 1, pinned: bool = True) -> Iterator[Process]:
    """The service in demo mode, or the floor, with so many workers; on the first core where there are several."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    state = folder / f"state-{port}"
    state.mkdir()
    command = (
        [sys.executable, "-m", "tests.bench.floor", "--port", str(port)]
        if floor
        else [str(BIN / "cat-cds"), "serve", "--demo", "--workers", str(workers), "--port", str(port)]
    )
    core = ["taskset", "-c", str(min(os.sched_getaffinity(0)))] if pinned and len(os.sched_getaffinity(0)) > 1 else []
    environment = os.environ | {"CAT_CDS_STATE_DIR": str(state), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        core + command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            until_answered(port, process)
            yield Process(port=port, pid=process.pid)
        finally:
            process.terminate()
            process.wait(60)


def until_answered(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait for the first answer.

    Raises:
        ConnectionError: there was none for too long, or the process has ended.
    """
    last = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < last and process.poll() is None:
        try:
            requests.get(f"http://127.0.0.1:{port}/health/live", timeout=5).close()
        except requests.ConnectionError:
            time.sleep(0.005)
        else:
            return
    raise ConnectionError("the server did not start")


def bodies(url: str, wanted: Iterator[tuple[str, str | None, int]]) -> dict[tuple[str, str | None, int], bytes]:
    """The calls that bring their chart, as the demo FHIR server of the service has it today."""
    with requests.Session() as session:

        def read(query: str) -> Json:
            return dict(orjson.loads(session.get(f"{url}/fhir/{query}", timeout=30).content))

        services = {one["hook"]: one for one in session.get(f"{url}/cds-services", timeout=30).json()["services"]}
        day = today_in(Settings(demo=True).timezone)
        made = {}
        for hook, order, size in wanted:
            request = calls.call(services[hook], day, *([order] if order else []))
            request["prefetch"] = calls.prefetched(services[hook], calls.PATIENT, read, size)
            made[hook, order, size] = orjson.dumps(request)
    return made


def throughput(folder: Path) -> tuple[list[Row], list[list[str]]]:
    """Requests per second against the floor, one worker each, and the latencies, at 1 and at 16 connections."""
    rows, latencies = [], []
    with started(folder) as service, started(folder, floor=True) as floor:
        made = bodies(service.url, ((hook, order, size) for hook, order, size, _ in LOADS))
        for hook, order, size, share in LOADS:
            body = made[hook, order, size]
            script = wrk.script(folder, f"{hook}-{(order or 'none').partition(':')[0]}-{size}", body)
            path = f"/cds-services/cat-{hook}"
            for connections in (1, 16):
                what = (
                    f"{hook}{' ' + order if order else ''}, {size} resources, {len(body) // 1000} kB, c={connections}"
                )
                print(f"{what} ...", file=sys.stderr)
                told: dict[str, list[wrk.Told]] = {service.url: [], floor.url: []}
                for _ in range(TURNS):
                    for url, its in told.items():
                        its.append(wrk.ask(url + path, script, connections, SECONDS))
                ours, bare = told[service.url], told[floor.url]
                if failed := sum(one.failed for one in (*ours, *bare)):
                    raise ConnectionError(f"{failed} calls were not answered with 200: {what}")
                least = statistics.median(one.per_second for one in bare)
                limit = share * least if share else None
                numbers = [one.per_second for one in ours]
                rows.append(Row(what=what, numbers=numbers, floor=least, limit=limit, more_is_better=True, places=0))
                latencies.append([what, *_latencies(bare), *_latencies(ours)])
    return rows, latencies


def _latencies(told: list[wrk.Told]) -> list[str]:
    three = ([one.p50_ms for one in told], [one.p95_ms for one in told], [one.p99_ms for one in told])
    return [f"{statistics.median(numbers):.1f}" for numbers in three]


def under_steady_load(folder: Path) -> list[Row]:
    """99th against 50th percentile of order-select while calls come at 70 % of what one worker can do.

    What it can do is found out anew before each turn: the machine may be slower by then. The floor, which does
    next to nothing, is asked in the same way: what it misses is not the service's.
    """
    path = "/cds-services/cat-order-select"
    with started(folder) as service, started(folder, floor=True) as bare, _on_the_last_core():
        [body] = bodies(service.url, iter([("order-select", "dalteparin:15000", 75)])).values()
        script = wrk.script(folder, "steady", body)
        asked = (
            (service, "order-select, 75 resources", "evenly spaced", TAIL_ALLOWED),
            (bare, "the floor, the same body", "evenly spaced", None),
            (service, "order-select, 75 resources", "at random", None),
        )
        took: list[list[float]] = [[] for _ in asked]
        rates: list[list[float]] = [[] for _ in asked]
        for turn in range(STEADY_TURNS):
            for (process, _, how, _), its, its_rates in zip(asked, took, rates, strict=True):
                rate = CAPACITY_SHARE * wrk.ask(process.url + path, script, 16, 1).per_second
                its_rates.append(rate)
                seed = turn if how == "at random" else None
                its.extend(steady.at_a_rate(process.port, path, body, rate, STEADY_SECONDS, seed=seed))
    rows = []
    for (_, who, how, allowed), its, its_rates in zip(asked, took, rates, strict=True):
        p50, p99 = statistics.median(its), statistics.quantiles(its, n=100)[-1]
        what = f"{who}, {statistics.median(its_rates):.0f} calls/s {how}: p99 against p50"
        rows.append(Row(what=what, numbers=[p99], floor=p50, limit=allowed * p50 if allowed else None))
    return rows


def steadiness() -> list[str]:
    """How steady the machine is: a loop of nothing but Python, again and again for some seconds, its quantiles."""
    times = []
    until = time.perf_counter() + STEADY_SECONDS
    while (began := time.perf_counter()) < until:
        sum(range(10_000))
        times.append((time.perf_counter() - began) * 1000)
    slow = statistics.quantiles(times, n=100)
    return [f"{statistics.median(times):.3f}", f"{slow[94]:.3f}", f"{slow[98]:.3f}", f"{max(times):.2f}"]


@contextmanager
def _on_the_last_core() -> Iterator[None]:
    """This process away from the server's core, where there are several."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cold_start(folder: Path) -> list[Row]:
    """From the command to the first answered call, against the floor (Python, Flask and the server)."""
    times: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(STARTS):
        for floor, its in times.items():
            began = time.perf_counter()
            with started(folder, floor=floor, pinned=False):
                its.append((time.perf_counter() - began) * 1000)
    least = statistics.median(times[True])
    return [Row(what="start to first answer", numbers=times[False], floor=least, limit=START_LIMIT_MS, places=0)]


def memory(folder: Path) -> list[Row]:
    """Proportional set size of a worker after load, in MB, by the number of workers; the floor has one worker."""
    rows = []
    with started(folder, floor=True) as floor:
        least = statistics.mean(pss_mb(one) for one in floor.workers())
    for workers in (1, 2, 4):
        with started(folder, workers=workers, pinned=False) as service:
            made = bodies(service.url, iter([("order-select", "apixaban", 300)]))
            [body] = made.values()
            script = wrk.script(folder, f"memory-{workers}", body)
            wrk.ask(f"{service.url}/cds-services/cat-order-select", script, 16, SECONDS)
            sizes = [pss_mb(one) for one in service.workers()]
        what = f"PSS of each of {workers} worker{'s' if workers > 1 else ''} after {SECONDS} s of load"
        rows.append(Row(what=what, numbers=sizes, floor=least, limit=WORKER_LIMIT_MB, places=0))
    return rows


def pss_mb(pid: int) -> float:
    """The proportional set size of a process, in MB."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024
