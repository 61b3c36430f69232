"""The rows of the specification, and the tests that carry their ids, read from the source of the tests."""

import ast
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
TABLE = TESTS / "spec" / "rows.csv"
STATUSES = ("tested", "client", "deployment", "overridden", "not-applicable")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One requirement. ``remark`` says why there is no test, or where we differ."""

    id: str
    level: str
    requirement: str
    status: str
    remark: str

    @property
    def section(self) -> str:
        """The letters of its id."""
        return self.id.partition("-")[0]


@dataclass(frozen=True, order=True)
class Mark:
    """A test that carries the id of a row. ``test`` is its path below tests/ and its name."""

    row: str
    test: str


def rows(table: Path = TABLE) -> list[Row]:
    """All rows, in the order of the table."""
    with table.open(encoding="utf-8", newline="") as file:
        return [Row(**row) for row in csv.DictReader(file)]


def marks(tests: Path = TESTS) -> list[Mark]:
    """Every ``pytest.mark.spec`` of the tests, also those of single parameters."""
    found = set()
    for path in sorted(tests.rglob("test_*.py")):
        for function in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(function, ast.FunctionDef):
                test = f"{path.relative_to(tests).as_posix()}::{function.name}"
                found |= {Mark(row, test) for row in _named(function)}
    return sorted(found)


def _named(function: ast.FunctionDef) -> Iterator[str]:
    for node in (one for decorator in function.decorator_list for one in ast.walk(decorator)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.spec":
            yield from (ast.literal_eval(argument) for argument in node.args)


def faults(table: list[Row], found: list[Mark]) -> list[str]:
    """What is wrong between the table and the tests."""
    known = [row.id for row in table]
    carried = {mark.row for mark in found}
    lines = [f"{one} stands twice in rows.csv" for one in sorted({one for one in known if known.count(one) > 1})]
    lines += [f"{mark.test} names {mark.row}, which is no row" for mark in found if mark.row not in known]
    for row in table:
        if row.status not in STATUSES:
            lines.append(f"{row.id}: {row.status} is no status")
        if row.status == "tested" and row.id not in carried:
            lines.append(f"{row.id} has no test")
        if row.status != "tested" and row.id in carried:
            lines.append(f"{row.id} has a test, its status is {row.status}")
        if row.status not in ("tested", "client") and not row.remark:
            lines.append(f"{row.id} has neither test nor reason")
    return lines
