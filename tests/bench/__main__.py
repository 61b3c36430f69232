"""`make bench`: what the service costs, as ratios to what cannot be avoided, all in one run on this machine.

Exit status 1 when a target is missed. ``--only inside`` (or outside) leaves the other half out.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from app.cli.serve import settle_memory
from hooks import knowledge
from tests.bench import inside, outside, wrk
from tests.bench.rows import Row, show, show_plain
from tests.bench.waiting import waiting


def within() -> list[Row]:
    """Calls straight into the application."""
    with inside.bench() as here:
        settle_memory()  # as every worker does
        handling = inside.handling(here)
        show(
            "Handling of a call that brings its data",
            handling,
            "milliseconds",
            "Floor: orjson.loads and orjson.dumps of the body. Limit at 300 resources: 3 x floor + 2 ms.",
        )
        cpu = inside.cpu(here)
        show("CPU of a call", cpu, "milliseconds", "Floor: a bare Flask route that parses the body.")
        irrelevant = inside.irrelevant(here, knowledge.load())
        show("A chart of nothing that matters", irrelevant, "milliseconds", "Floor: parsing and writing the same.")
        tokens = inside.tokens(here)
        show("Signed calls", tokens, "milliseconds", "Floor: the same call without authentication.")
        show_plain(
            "Where the time goes (300 resources)",
            ("milliseconds, mean", "parse", "orders", "record", "decide", "wire", "total"),
            inside.stages(here),
            "As the service logs it; the total holds the freeing of the body, too.",
        )
        show_plain(
            "Growth with the chart, milliseconds (order-select dalteparin 15 000 IU, no card)",
            ("resources", "MB", "bare Flask", "service", "core codes only", "rules", "ratio", "µs per further one"),
            inside.growth(here),
            "rules: all of them, once a call. The line is straight where the last column stays as it is.",
        )
        fetched = waiting(here)
        show("Nothing prefetched, FHIR answers after 50 ms", fetched, "milliseconds", "Floor: the slowest answer.")
    return [*handling, *cpu, *irrelevant, *fetched]


def over_sockets() -> list[Row]:
    """The service and the floor as processes of their own."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        throughput, latencies = outside.throughput(folder)
        show(
            "One worker over sockets",
            throughput,
            "requests per second",
            "Floor: the same server with a bare Flask route that parses the body and answers a constant card.",
        )
        heads = ("milliseconds", *(f"{who} {part}" for who in ("floor", "ours") for part in ("p50", "p95", "p99")))
        show_plain("Latency in that load", heads, latencies, "c: connections, each asking again at once.")
        steady = outside.under_steady_load(folder)
        show("At 70 % of capacity", steady, "milliseconds", "Floor: the 50th percentile of the same calls.")
        show_plain(
            "The machine itself",
            ("milliseconds", "p50", "p95", "p99", "slowest"),
            [["a loop of nothing but Python", *outside.steadiness()]],
            "Where p99 is far from p50 here, no service on this machine can be steadier.",
        )
        start = outside.cold_start(folder)
        show("Cold start", start, "milliseconds", "Floor: Python, Flask and the server alone.")
        memory = outside.memory(folder)
        show("Memory", memory, "MB", "Floor: a worker with the bare Flask route.")
    return [*throughput, *steady, *start, *memory]


@click.command()
@click.option("--only", type=click.Choice(["inside", "outside"]), help="One half of the measurements.")
def main(only: str | None) -> None:
    """Measure the service."""
    wrk.check()
    rows = ([] if only == "outside" else within()) + ([] if only == "inside" else over_sockets())
    missed = [row.what for row in rows if row.is_missed]
    print(f"{sum(row.limit is not None for row in rows)} targets, {len(missed)} missed{':' if missed else ''}")
    for what in missed:
        print(f"  {what}")
    busy, cores = os.getloadavg()[0], os.cpu_count() or 1
    print(f"load of the machine at the end: {busy:.1f} on {cores} cores")
    sys.exit(int(bool(missed)))


if __name__ == "__main__":
    main()
