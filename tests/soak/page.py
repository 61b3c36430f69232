"""The numbers of a soak as tables: on the terminal, and as docs/soak.md."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from tests.soak.run import Soak
from tests.soak.verdict import CRITERIA
from tests.soak.watch import Sample

ROWS = 10
"""Fewest rows of the table over time; a long run has one for each minute."""

Rows = list[list[str]]


def of_kinds(soak: Soak) -> tuple[list[str], Rows]:
    """Heading and rows: one for each kind of request."""
    rows = []
    for name, tally in soak.tallies.items():
        times = [took for _, took in tally.times]
        wrong = "; ".join(f"{words} ({number})" for words, number in tally.errors.items())
        rows.append([name, str(len(times)), wrong or "0", _share(times, 0.5), _share(times, 0.99), _share(times, 1)])
    everything = [took for tally in soak.tallies.values() for _, took in tally.times]
    errors = sum(tally.errors.total() for tally in soak.tallies.values())
    total = ["all", str(len(everything)), str(errors), *(_share(everything, part) for part in (0.5, 0.99, 1))]
    return ["request", "answers", "errors", "p50 ms", "p99 ms", "longest ms"], [*rows, total]


def over_time(soak: Soak) -> tuple[list[str], Rows]:
    """Heading and rows: one for each minute, or tenth of a short run."""
    step = min(60.0, soak.seconds / ROWS)
    pids = sorted({one.pid for one in soak.samples})
    names = ["master", *(f"worker {at}" for at in range(1, len(pids)))]
    rows = []
    for number in range(math.ceil(soak.seconds / step)):
        start, end = number * step, (number + 1) * step
        times = [took for tally in soak.tallies.values() for due, took in tally.times if start <= due < end]
        within = [one for one in soak.samples if start <= one.at < end]
        sizes = [size for at, size in soak.store_bytes if start <= at < end]
        rows.append(
            [
                f"{end / 60:.0f}" if step == 60 else f"{end / 60:.2f}",
                str(len(times)),
                _share(times, 0.5),
                _share(times, 0.99),
                *(_process([one for one in within if one.pid == pid]) for pid in pids),
                f"{sizes[-1] / 1e6:.2f}" if sizes else "",
            ]
        )
    return ["minute", "answers", "p50 ms", "p99 ms", *(f"{name}" for name in names), "database MB"], rows


def of_findings(soak: Soak) -> tuple[list[str], Rows]:
    """Heading and rows: one for each criterion."""
    rows = [[one.what, one.found, "met" if one.met else "MISSED"] for one in soak.findings]
    return ["criterion", "found", "verdict"], rows


def show(soak: Soak) -> None:
    """All tables on the terminal."""
    console = Console(width=160)
    for heading, rows in (of_kinds(soak), over_time(soak), of_findings(soak)):
        table = Table(*heading)
        for row in rows:
            table.add_row(*row)
        console.print(table)
    console.print(PROCESSES)


PROCESSES = "Of each process: memory (PSS / RSS in MB), open descriptors, threads; medians."


def markdown(soak: Soak, at: float) -> str:
    """The page; ``at`` is when the run ended, in seconds since 1970."""
    day = datetime.fromtimestamp(at, UTC).date()
    verdict = "All criteria were met." if soak.is_well else "**Criteria were missed.**"
    return "\n".join(
        [
            "# Soak",
            "",
            "Written by `make soak`; do not edit. `cat-cds serve` with two workers and SQLite, outside demo mode:",
            "three clients that sign their calls, one EHR that is well and one that fails in a different way every few",
            "seconds. Requests of all kinds at a fixed rate, each timed from the moment at which it was due.",
            "",
            f"**{soak.seconds / 60:g} minutes on {day}, {soak.rate:g} requests a second**, Python"
            f" {platform.python_version()}, {os.cpu_count()} cores, which sender, EHRs and service share."
            f" {verdict}",
            f"The latest request was sent {soak.latest * 1000:.0f} ms after it was due.",
            "",
            "## Verdict",
            "",
            CRITERIA,
            *_lines(*of_findings(soak)),
            "",
            "## By kind of request",
            "",
            *_lines(*of_kinds(soak)),
            "",
            "## Over time",
            "",
            f"{PROCESSES}",
            "",
            *_lines(*over_time(soak)),
            "",
        ]
    )


def _lines(heading: Sequence[str], rows: Rows) -> Iterator[str]:
    for row in (heading, ["---"] * len(heading), *rows):
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"


def _process(samples: Sequence[Sample]) -> str:
    if not samples:
        return "not there"
    middle = sorted(samples, key=lambda one: one.pss)[len(samples) // 2]
    return f"{middle.pss / 1e6:.1f} / {middle.rss / 1e6:.1f}, {middle.descriptors}, {middle.threads}"


def _share(times: Sequence[float], part: float) -> str:
    if not times:
        return ""
    return f"{sorted(times)[min(len(times) - 1, int(len(times) * part))]:.1f}"
