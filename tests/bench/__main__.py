"""Times the running service on this machine and says whether it keeps its targets: `make bench`.

All in one run, as ratios: a call with its record in prefetch against parsing and writing its body with
orjson; the same call without prefetch against the slowest answer of the FHIR server that it asks.
Exit status 1 when a target is not met.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from http import HTTPStatus
from typing import Any

import orjson
import requests
from rich.console import Console
from rich.table import Table

from tests.bench import call, running
from tests.bench.slow_fhir import SlowFhirServer
from tests.bench.verdict import Target

HOOK = "order-select"
ROUNDS, WARM_UP = 60, 10
FHIR_SECONDS = 0.050
TABLE_WIDTH = 160


def main() -> int:
    """Measure, print the table; 0 when both targets are met."""
    with running.service() as url:
        address, queries = call.service(url, HOOK)
        record = call.record(url, queries)
        content = orjson.dumps(call.body(HOOK, date.today(), prefetch=record))
        cards = _cards(address, content)
        bare = _timed(lambda: orjson.dumps(orjson.loads(content)))
        full = _timed(running.poster(address, content))
        fetched, slowest = _without_prefetch(address, {queries[key]: answer for key, answer in record.items()}, cards)
    targets = (
        Target(
            name=f"{call.RESOURCES} resources in prefetch ({len(content) / 1000:.0f} kB), cards: {len(cards)}",
            measure_name="orjson.loads + dumps",
            taken=full,
            measure=bare,
            times=3,
            allowance=2,
        ),
        Target(
            name=f"no prefetch, {len(queries)} FHIR queries of {FHIR_SECONDS * 1000:.0f} ms",
            measure_name="slowest FHIR answer",
            taken=fetched,
            measure=slowest,
            times=1.5,
        ),
    )
    table = Table("call over HTTP", "median", "p95", "measure", "ratio", "limit", "target")
    for target in targets:
        table.add_row(*target.cells())
    Console(width=TABLE_WIDTH).print(table)
    return 0 if all(target.met for target in targets) else 1


def _without_prefetch(address: str, answers: dict[str, Any], cards: list[str]) -> tuple[list[float], list[float]]:
    """Milliseconds of each call, and of the slowest FHIR answer in it; the cards must be ``cards``."""
    slowest: list[float] = []
    with _slow_fhir(answers) as server:
        content = orjson.dumps(call.body(HOOK, date.today(), fhirServer=server.url))
        if _cards(address, content) != cards:
            raise SystemExit("The cards differ with and without prefetch: nothing to compare.")
        if server.unknown:
            raise SystemExit(f"The service asked what it does not announce: {sorted(server.unknown)}")
        server.slowest_since_last()
        taken = _timed(
            running.poster(address, content), after=lambda: slowest.append(server.slowest_since_last() * 1000)
        )
    return taken, slowest[WARM_UP:]


def _timed(work: Callable[[], object], after: Callable[[], object] = lambda: None) -> list[float]:
    """Milliseconds of each round, the first ones left out."""
    taken = []
    for _ in range(WARM_UP + ROUNDS):
        started = time.perf_counter()
        work()
        taken.append((time.perf_counter() - started) * 1000)
        after()
    return taken[WARM_UP:]


def _cards(address: str, content: bytes) -> list[str]:
    """The summaries of the cards: a quick wrong answer is worth nothing."""
    answer = requests.post(address, content, headers=running.HEADERS, timeout=call.SECONDS)
    if answer.status_code != HTTPStatus.OK:
        raise SystemExit(f"{address} answered {answer.status_code}: {answer.text}")
    summaries = [str(card["summary"]) for card in answer.json()["cards"]]
    if not summaries:
        raise SystemExit("No card for the patient of the benchmark: nothing worth timing.")
    return summaries


@contextmanager
def _slow_fhir(answers: dict[str, Any]) -> Iterator[SlowFhirServer]:
    with SlowFhirServer(answers, FHIR_SECONDS) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


if __name__ == "__main__":
    sys.exit(main())
