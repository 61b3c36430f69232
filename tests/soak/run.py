"""One soak from start to end: the service is started, loaded, watched, stopped and judged."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import orjson

from tests.soak.kinds import kinds
from tests.soak.load import Load, Tally
from tests.soak.scene import running
from tests.soak.verdict import Finding, of_answers, of_processes
from tests.soak.watch import Sample, Watch

SAMPLES = 180
"""At most so many, and not more often than twice a second."""

FEEDBACK = "feedback: "


@dataclass(frozen=True, kw_only=True)
class Soak:
    """What came of it. ``seconds`` is how long requests were sent, ``latest`` by how much the latest was late."""

    seconds: float
    rate: float
    latest: float
    tallies: Mapping[str, Tally]
    samples: Sequence[Sample]
    store_bytes: Sequence[tuple[float, int]]
    findings: Sequence[Finding]

    @property
    def is_well(self) -> bool:
        return all(finding.met for finding in self.findings)


def soak(
    folder: Path,
    *,
    seconds: float,
    rate: float,
    patient: bool = False,
    tell: Callable[[str], None] = lambda _words: None,
) -> Soak:
    """Load the service for so many seconds with so many requests a second; its files are in ``folder``.

    A ``patient`` service waits for its store as long as a busy machine makes it.
    """
    tell("starting the service and its EHRs")
    with running(folder, patient=patient) as scene:
        load = Load(url=scene.url, kinds=kinds(scene), rate=rate)
        told_before = _stored(scene.store)
        tell(f"{rate:g} requests a second for {seconds:g} s")
        with Watch(process=scene.process, store=scene.store, every=max(0.5, seconds / SAMPLES)) as watch:
            load.run(seconds)
    told = sum(
        len(tally.times) - tally.errors.total() for name, tally in load.tallies.items() if name.startswith(FEEDBACK)
    )
    stored = _stored(scene.store) - told_before
    errors = _errors(scene.log)
    return Soak(
        seconds=seconds,
        rate=rate,
        latest=load.latest_start,
        tallies=load.tallies,
        samples=watch.samples,
        store_bytes=watch.store_bytes,
        findings=[
            *of_processes(watch.samples),
            *of_answers(load.tallies),
            Finding(what="feedback acknowledged and stored", found=f"{told} and {stored}", met=told == stored > 0),
            Finding(what="errors in the log", found="; ".join(errors[:3]) or "none", met=not errors),
            Finding(what="status at the end", found=str(scene.status), met=scene.status == 0),
        ],
    )


def _stored(store: Path) -> int:
    with closing(sqlite3.connect(store)) as database:
        (number,) = database.execute("select count(*) from feedback").fetchone()
        return int(number)


def _errors(log: Path) -> list[str]:
    """Lines that are no JSON, of level error, or of a call that broke; what a failing EHR causes is a warning."""
    found = []
    for line in log.read_bytes().splitlines():
        try:
            content = orjson.loads(line)
        except orjson.JSONDecodeError:
            found.append(line.decode(errors="replace")[:200])
            continue
        if content.get("level") == "error" or content.get("error") or content.get("status") == 500:
            found.append(line.decode()[:200])
    return found
