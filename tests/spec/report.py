"""``python -m tests.spec.report``: run the tests that carry rows, and write docs/conformance.md from what they did."""

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from tests.spec.rows import TESTS, Mark, Row, faults, marks, rows

DOCUMENT = TESTS.parent / "docs" / "conformance.md"
Results = Mapping[str, Counter[str]]
"""How often a test passed or failed, over its parameters."""

SECTIONS = {
    "J": "JSON and transport",
    "D": "Discovery",
    "PT": "Prefetch templates",
    "R": "The request",
    "FA": "FHIR access",
    "PF": "Prefetch values",
    "O": "The answer",
    "C": "Cards",
    "SG": "Suggestions",
    "AC": "Actions",
    "L": "Links",
    "X": "Codings and extensions",
    "E": "Statuses and errors",
    "F": "Feedback",
    "S": "Security",
    "A": "What the specification leaves open",
    "K": "The Inferno CRD test kit: how it calls",
    "T": "The Inferno CRD test kit: what it asserts",
}
HEAD = """# Conformance to CDS Hooks

Written by `make conformance` from [rows.csv](../tests/spec/rows.csv) and from the tests that carry the ids of the rows;
do not edit. The rows are the requirements of CDS Hooks 1.0, 2.0.1 and the 3.0 ballot that concern a service, in our
words. Levels: MUST, SHOULD and MAY are of the specification (with the version that brought them), CLIENT is a duty of
clients that decides what we must be able to read, OURS fills a gap of the specification, BP is its page of best
practices. The rows K and T are what the base part of a public test kit does and asserts. A row without a test says why.
"""
NO_RESULT = "not run"


class _Tally:
    """Counts outcomes by test, parameters left off."""

    def __init__(self) -> None:
        self.results: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the call, and a setup or teardown that failed."""
        if report.when == "call" or report.failed:
            test = report.nodeid.partition("[")[0].removeprefix("tests/")
            self.results[test]["passed" if report.passed else "failed"] += 1


def document(table: Iterable[Row], found: Iterable[Mark], results: Results) -> str:
    """The page, for results of a run."""
    table = list(table)
    tests: defaultdict[str, list[str]] = defaultdict(list)
    for mark in found:
        tests[mark.row].append(mark.test)
    text = [HEAD, "## Totals", "", *_totals(table, tests, results)]
    for section, title in SECTIONS.items():
        text += ["", f"## {title}", "", "| row | level | requirement | tests | result |", "|---|---|---|---|---|"]
        text += [_line(row, tests[row.id], results) for row in table if row.section == section]
    return "\n".join(text) + "\n"


def _totals(table: list[Row], tests: Mapping[str, list[str]], results: Results) -> list[str]:
    kinds = ("tested", "client", "deployment", "overridden", "not-applicable")
    lines = ["| level | rows | " + " | ".join(kinds) + " | passed |", "|---|---|" + "---|" * (len(kinds) + 1)]
    level = {row.id: "test kit" if row.section in "KT" else row.level.split(" ")[0].strip(",") for row in table}
    groups = [*dict.fromkeys(level.values()), "all"]
    for group in groups:
        some = [row for row in table if group in (level[row.id], "all")]
        counts = Counter(row.status for row in some)
        passed = sum(_result(tests[row.id], results).startswith("passed") for row in some if row.status == "tested")
        lines.append(f"| {group} | {len(some)} | " + " | ".join(str(counts[one]) for one in kinds) + f" | {passed} |")
    return lines


def _line(row: Row, tests: list[str], results: Results) -> str:
    shown = "<br>".join(f"[{name}](../tests/{path})" for path, _, name in (test.partition("::") for test in tests))
    remark = f" *{row.remark}*" if row.remark else ""
    said = shown or row.status
    result = _result(tests, results) if tests else "–"
    return f"| {row.id} | {row.level} | {row.requirement}{remark} | {said} | {result} |"


def _result(tests: list[str], results: Results) -> str:
    total = sum((results.get(test, Counter()) for test in tests), Counter[str]())
    if not total or any(test not in results for test in tests):
        return NO_RESULT
    return f"failed ({total['failed']})" if total["failed"] else "passed"


def without_results(text: str) -> str:
    """The page without its last column: what does not depend on a run."""
    return re.sub(r"\|[^|\n]*\|$", "|", text, flags=re.MULTILINE)


def main() -> int:
    """Run, write, and tell the totals; 1 when a test failed or a row has neither test nor reason."""
    table, found = rows(), marks()
    wrong = faults(table, found)
    for line in wrong:
        print(line)
    tally = _Tally()
    files = sorted({f"tests/{mark.test.partition('::')[0]}" for mark in found})
    status = pytest.main(["-q", "-m", "spec", "-p", "no:cacheprovider", *files, *sys.argv[1:]], plugins=[tally])
    text = document(table, found, tally.results)
    DOCUMENT.write_text(text, encoding="utf-8")
    print(text[text.index("## Totals") : text.index("\n\n## JSON")])
    print(f"written: {DOCUMENT.relative_to(Path.cwd()) if DOCUMENT.is_relative_to(Path.cwd()) else DOCUMENT}")
    return 1 if status or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
