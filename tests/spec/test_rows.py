"""Every row of the specification has a test or a reason, and docs/conformance.md says so."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.spec.report import DOCUMENT, SECTIONS, document, without_results
from tests.spec.rows import Mark, Row, faults, marks, rows


def row(identity: str, status: str = "tested", remark: str = "") -> Row:
    return Row(id=identity, level="MUST", requirement="Something.", status=status, remark=remark)


def test_every_row_has_a_test_or_a_reason_and_every_mark_a_row() -> None:
    assert faults(rows(), marks()) == []


def test_every_row_is_shown_on_the_page() -> None:
    assert {one.section for one in rows()} == SECTIONS.keys()


def test_the_page_is_up_to_date_but_for_its_results() -> None:
    page = DOCUMENT.read_text(encoding="utf-8")
    assert without_results(page) == without_results(document(rows(), marks(), {})), "make conformance"


@pytest.mark.parametrize(
    ("table", "found", "fault"),
    [
        ([row("J-1")], [], "J-1 has no test"),
        ([row("J-1"), row("J-1")], [Mark("J-1", "t::a")], "J-1 stands twice in rows.csv"),
        ([row("J-1")], [Mark("J-1", "t::a"), Mark("J-99", "t::b")], "t::b names J-99, which is no row"),
        ([row("J-1", "deployment")], [], "J-1 has neither test nor reason"),
        ([row("J-1", "client")], [Mark("J-1", "t::a")], "J-1 has a test, its status is client"),
        ([row("J-1", "maybe", "x")], [], "J-1: maybe is no status"),
    ],
)
def test_what_is_wrong_is_noticed(table: list[Row], found: list[Mark], fault: str) -> None:
    assert faults(table, found) == [fault]


def test_marks_are_read_from_tests_and_from_single_parameters(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text(
        'import pytest\n@pytest.mark.spec("J-1", "J-2")\ndef test_a(): ...\n'
        '@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.spec("J-3"))])\ndef test_b(x): ...\n'
        "def test_c(): ...\n"
    )
    assert marks(tmp_path) == [
        Mark("J-1", "test_x.py::test_a"),
        Mark("J-2", "test_x.py::test_a"),
        Mark("J-3", "test_x.py::test_b"),
    ]


@pytest.mark.parametrize(
    ("outcomes", "result"),
    [({}, "not run"), ({"passed": 2}, "passed"), ({"passed": 2, "failed": 1}, "failed (1)")],
)
def test_the_result_is_that_of_the_run(outcomes: dict[str, int], result: str) -> None:
    results = {"t.py::a": Counter(outcomes)} if outcomes else {}
    text = document([row("J-1")], [Mark("J-1", "t.py::a")], results)
    assert f"| J-1 | MUST | Something. | [a](../tests/t.py) | {result} |" in text
