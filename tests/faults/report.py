"""``python -m tests.faults.report``: play every row of the fault table, and write docs/faults.md from what happened."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import structlog

from tests.faults.fault import BUDGET_MS, Fault, Result, happens
from tests.faults.sites import all_sites
from tests.faults.table import GROUPS, table

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
TIMES = 10
HEAD = f"""# Faults: what a caller gets when things break

Written by `make faults` from [the rows](../tests/faults) by playing each through a running service over real sockets;
do not edit. `make test` plays the same rows, once each. A row: one call as usual, then calls in trouble, a second
apart, then the trouble ends and one more call. The time for a call is {BUDGET_MS} ms.

- **gets**: the status, the topics of the cards, and the reason that they give.
- **calls**: how many there were in trouble; **in time**: how many of them were answered within their time.
- **sent**: requests that reached the EHR (or the key server) meanwhile.
- **next**: whether the call after the trouble was as usual, and how long after.

The circuit breaker and its numbers: [operations](operations.md#a-fhir-server-that-keeps-failing).
"""
COLUMNS = "| fault | gets | calls | in time | answers | sent | next |\n|---|---|---|---|---|---|---|"


def document(results: Iterable[Result]) -> str:
    """The page, for results of a run."""
    found = {str(result.fault): result for result in results}
    text = [HEAD]
    for group, words in GROUPS.items():
        text += [f"## {group[0].upper()}{group[1:]}", "", words, "", COLUMNS]
        text += [_line(fault, found) for fault in table(None) if fault.group == group]
        text.append("")
    return "\n".join(text)


def _line(fault: Fault, found: Mapping[str, Result]) -> str:
    gets = fault.gets if not fault.alone else f"{fault.gets}; then {fault.alone.format('…')}"
    result = found.get(str(fault))
    if result is None:
        return f"| {fault.name} | {gets} | – | – | – | – | – |"
    answers = "; ".join(f"{number} × {_short(kind)}" for kind, number in result.kinds.items())
    following = "as usual" if result.is_usual else result.following
    after = f", {fault.recovers_after:g} s later" if fault.recovers_after else ", at once"
    times = len(result.answers)
    return f"| {fault.name} | {gets} | {times} | {_in_time(result)} | {answers} | {result.sent} | {following}{after} |"


def _in_time(result: Result) -> str:
    if result.fault.leaps:
        return "–"
    return str(sum(one <= BUDGET_MS for one in result.milliseconds))


def _short(kind: str) -> str:
    status = kind[:3]
    if "left alone" in kind or "asked for a pause" in kind:
        return f"{status}, not asked"
    return f"{status}, data missing" if "data-not-usable" in kind else status


def without_counts(text: str) -> str:
    """The page without what depends on a run."""
    return re.sub(r"^(\| [^|]*\| [^|]*\|)[^\n]*$", r"\1", text, flags=re.MULTILINE)


def main() -> int:
    """Play, write, and tell what was not as its row says; 1 when something was not."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else TIMES
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    results = []
    with all_sites() as sites:
        for fault in table(sites):
            result = happens(fault, times)
            results.append(result)
            print(f"{'as it says' if not result.wrong else 'NOT AS IT SAYS'}: {fault}", *result.wrong, sep="\n    ")
    calls, late = sum(len(one.answers) for one in results), sum(len(one.answers) - one.in_time for one in results)
    wrong = sum(bool(one.wrong) for one in results)
    DOCUMENT.write_text(document(results), encoding="utf-8")
    print(f"{len(results)} faults, {calls} calls in trouble, {late} late, {wrong} rows not as they say")
    print(f"written: docs/{DOCUMENT.name}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
