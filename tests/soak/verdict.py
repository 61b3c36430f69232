"""What a soak has to show: memory flat, no descriptor or thread kept, no answer but the expected one."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.soak.load import Tally
from tests.soak.watch import Sample

MOST_GROWTH = 0.03
MOST_KEPT = 2.0
MASTER = "master"
FEWEST_SAMPLES = 4
"""In each third of the run."""

CRITERIA = f"""\
The run is cut into thirds. The first is warm-up and not judged: code is loaded, pools and caches fill, connections are
made. For each process, and for all together, the median of the last third is held against the median of the second:
memory may be at most {MOST_GROWTH:.0%} more, open descriptors and threads at most {MOST_KEPT:.0f} more. Memory is PSS,
a process's own and its part of what it shares; of the master it is RSS, for its PSS grows when workers share less with
it. The same processes must be there from the first sample to the last. Every answer must be the one that its kind asks
for: the status, the rules on the cards and, on one day, byte for byte the first such answer; calls to the EHR that
fails at times may be told that data could not be read, or be refused with 412, but never get an empty "all clear". The
service must have logged no error, have stored each feedback that it acknowledged, and no other, and end by itself when
told to.
"""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One criterion: what was found, and whether that will do."""

    what: str
    found: str
    met: bool


def of_processes(samples: Sequence[Sample]) -> list[Finding]:
    """Memory, descriptors and threads, and whether it was the same processes all along.

    Raises:
        ValueError: the run was too short to be judged.
    """
    moments = sorted({sample.at for sample in samples})
    third = len(moments) // 3
    if third < FEWEST_SAMPLES:
        raise ValueError(f"{len(moments)} samples are too few to judge: {3 * FEWEST_SAMPLES} are needed")
    second, last = set(moments[third : 2 * third]), set(moments[2 * third :])
    by_process: dict[str, list[Sample]] = defaultdict(list)
    first_pids, names = sorted({one.pid for one in samples if one.at == moments[0]}), {}
    for pid in sorted({one.pid for one in samples}):
        at = first_pids.index(pid) if pid in first_pids else -1
        names[pid] = MASTER if at == 0 else f"worker {at}" if at > 0 else f"later process {pid}"
    for one in samples:
        by_process[names[one.pid]].append(one)

    found = [_same_processes(by_process, moments)]
    for name, ones in by_process.items():
        memory = _rss if name == MASTER else _pss
        found.append(_memory(name, _middle(ones, second, memory), _middle(ones, last, memory)))
        for what, read in (("descriptors", _descriptors), ("threads", _threads)):
            before, after = _middle(ones, second, read), _middle(ones, last, read)
            found.append(
                Finding(what=f"{what} of {name}", found=f"{before:.0f} → {after:.0f}", met=after <= before + MOST_KEPT)
            )
    sums = {at: sum(one.pss for one in samples if one.at == at) for at in moments}
    together = [statistics.median(sums[at] for at in some) for some in (second, last)]
    return [*found, _memory("all together", *together)]


def of_answers(tallies: Mapping[str, Tally]) -> list[Finding]:
    """That every kind was asked, and every answer the one that had to come."""
    sent = sum(len(tally.times) for tally in tallies.values())
    wrong = sum(tally.errors.total() for tally in tallies.values())
    never = [name for name, tally in tallies.items() if not tally.times]
    return [
        Finding(what="answers other than expected", found=f"{wrong} of {sent}", met=wrong == 0 and sent > 0),
        Finding(what="kinds never sent", found=", ".join(never) or "none", met=not never),
    ]


def _same_processes(by_process: Mapping[str, Sequence[Sample]], moments: Sequence[float]) -> Finding:
    partly = [name for name, ones in by_process.items() if {one.at for one in ones} != set(moments)]
    return Finding(what="processes that came or went", found=", ".join(partly) or "none", met=not partly)


def _memory(name: str, before: float, after: float) -> Finding:
    growth = after / before - 1 if before else float("inf")
    found = f"{before / 1e6:.1f} → {after / 1e6:.1f} MB ({growth:+.1%})"
    return Finding(what=f"memory of {name}", found=found, met=growth <= MOST_GROWTH)


def _middle(samples: Sequence[Sample], moments: set[float], read: Callable[[Sample], float]) -> float:
    values = [read(one) for one in samples if one.at in moments]
    return statistics.median(values) if values else 0.0


def _pss(sample: Sample) -> float:
    return sample.pss


def _rss(sample: Sample) -> float:
    return sample.rss


def _descriptors(sample: Sample) -> float:
    return sample.descriptors


def _threads(sample: Sample) -> float:
    return sample.threads
