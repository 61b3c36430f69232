"""`make profile`: where a call spends its time, function by function, as py-spy sees it from outside.

The same call is made again and again in a process of its own; py-spy looks at it 500 times a second. Shares are of the
time between the WSGI call and its answer; milliseconds are the share of a whole call, timed without py-spy.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from app.cli.serve import settle_memory
from tests.bench import inside

ROOT = Path(__file__).resolve().parents[2]
RATE = 500


@dataclass(slots=True)
class Frame:
    """A function in the tree of calls: how many samples saw it, and what it called."""

    samples: int = 0
    below: dict[str, Frame] = field(default_factory=dict)


def tree(stacks: str) -> Frame:
    """The tree below the WSGI call, from py-spy's raw format."""
    root = Frame()
    for line in stacks.splitlines():
        stack, _, samples = line.rpartition(" ")
        names = [frame.rpartition(":")[0] for frame in stack.split(";")]
        start = next((at for at, name in enumerate(names) if name.startswith("post ")), None)
        if start is None:
            continue
        frame = root
        frame.samples += int(samples)
        for name in names[start + 1 :]:
            frame = frame.below.setdefault(name, Frame())
            frame.samples += int(samples)
    return root


def lines(frame: Frame, whole: int, milliseconds: float, least: float, depth: int = 0) -> list[str]:
    """The tree in words, the largest first; what is below ``least`` (a share) is left out."""
    told = []
    for name, below in sorted(frame.below.items(), key=lambda pair: -pair[1].samples):
        share = below.samples / whole
        if share >= least:
            told.append(f"{share:6.1%} {share * milliseconds:7.3f} ms  {'  ' * depth}{name})")
            told += lines(below, whole, milliseconds, least, depth + 1)
    return told


def again_and_again(hook: str, order: str | None, resources: int, seconds: float) -> float:
    """Make the call for so many seconds; the median of its milliseconds."""
    with inside.bench() as here:
        path, body = here.body(hook, order, resources)
        settle_memory()
        times = []
        until = time.perf_counter() + seconds
        while (began := time.perf_counter()) < until:
            inside.post(here.app.wsgi_app, path, body)
            times.append((time.perf_counter() - began) * inside.MILLISECONDS)
    return statistics.median(times)


@click.command()
@click.option("--hook", default="order-select", show_default=True)
@click.option("--order", default="dalteparin:15000", show_default=True, help='"" for patient-view.')
@click.option("--resources", default=75, show_default=True)
@click.option("--seconds", default=20.0, show_default=True)
@click.option("--least", default=0.01, show_default=True, help="Smallest share that is shown.")
@click.option("--only-calls", is_flag=True, hidden=True)
def main(*, hook: str, order: str, resources: int, seconds: float, least: float, only_calls: bool) -> None:
    """Show where a call spends its time."""
    if only_calls:
        again_and_again(hook, order or None, resources, seconds)
        return
    if importlib.util.find_spec("py_spy") is None and not (Path(sys.executable).parent / "py-spy").exists():
        sys.exit("py-spy is not installed: .venv/bin/pip install py-spy")
    milliseconds = again_and_again(hook, order or None, resources, min(seconds, 5))
    with TemporaryDirectory() as folder:
        raw = Path(folder) / "stacks"
        spy = [str(Path(sys.executable).parent / "py-spy"), "record", "-r", str(RATE), "--nonblocking"]
        again = [sys.executable, "-m", "tests.bench.profile", "--only-calls", "--hook", hook, "--order", order]
        again += ["--resources", str(resources), "--seconds", str(seconds)]
        subprocess.run(
            [*spy, "-f", "raw", "-o", str(raw), "--", *again],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        whole = tree(raw.read_text(encoding="utf-8"))
    print(f"{hook} {order}, {resources} resources: {milliseconds:.2f} ms a call, {whole.samples} samples")
    print("\n".join(lines(whole, whole.samples, milliseconds, least)))


if __name__ == "__main__":
    main()
