"""The vignette tables themselves: the reader refuses slips of the pen, and every rule has a full table per profile."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from hooks.guidelines import Profile
from hooks.knowledge import load
from tests.test_vignettes import CODES, HERE, PROFILES, Row, expected, rows, tables

HEAD = "| name | order | expect |\n|---|---|---|\n"
FURTHER = ("no-cancer", "not-a-treatment", "suggested-doses", "given", "review")
KINDS = {"", "on the line", "cannot tell"}
NEVER_UNSURE = {
    "early-walking": "a bed-rest order and a clot are enough",
    "compression-stockings": "an order, or a clot, is enough",
    "bleeding-disorder": "a diagnosis and an order are enough",
    "hepatic-impairment": "a diagnosis and an order are enough",
    "cns-tumour": "a diagnosis and an order are enough",
    "extend-while-cancer-active": "it waits for a date of the clot",
    "stop-too-early": "it waits for a date of the clot",
    "remission-review-duration": "it waits for a date of the clot",
}
NO_LINE = {("contemporary-2023", "compression-stockings"): "the limit is of the prompt, which this profile has not"}


class TestReader:
    def test_reads_all_tables_of_a_page(self) -> None:
        page = f"# Title\n\n> Quote\n\n{HEAD}| one | - | nothing |\n\ntext\n\n{HEAD}| two | filter | nothing |\n"
        assert [row["name"] for row in tables(page)] == ["one", "two"]

    @pytest.mark.parametrize(
        ("page", "words"),
        [
            ("| name | wheight | expect |\n|---|---|---|\n| a | 70 | nothing |\n", "wheight"),
            ("| order | expect |\n|---|---|\n| filter | nothing |\n", "name or expect missing"),
            ("| name | order |\n|---|---|\n| a | filter |\n", "name or expect missing"),
            (f"{HEAD}| a | filter | nothing | x |\n", "4 cells where the header has 3"),
            (f"{HEAD}| a | nothing |\n", "2 cells where the header has 3"),
            (f"{HEAD}| a | filter | nothing |\n| a | - | nothing |\n", "name used twice"),
            (f"{HEAD}| a | filter | nothing |\n\n{HEAD}| a | - | nothing |\n", "name used twice"),
            (f"{HEAD}| a | filter | |\n", "nothing expected"),
        ],
        ids=[
            "column not known",
            "no name column",
            "no expect column",
            "row too wide",
            "row too narrow",
            "name twice",
            "name twice in two tables",
            "expectation empty",
        ],
    )
    def test_refuses_slips(self, page: str, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            list(tables(page))

    @pytest.mark.parametrize("cell", ["alarm R3", "warning R99", "warning", "warning R3 R4a"])
    def test_refuses_expectations_that_mean_nothing(self, cell: str) -> None:
        with pytest.raises((AssertionError, KeyError, ValueError)):
            expected(cell)

    def test_reads_cards_merged_rules_and_silence(self) -> None:
        assert expected("nothing") == set()
        assert expected("warning R4a+R4f, cannot tell") == {
            ("warning", frozenset({CODES["R4a"], CODES["R4f"]})),
            ("info", frozenset({CODES["R25"]})),
        }


@cache
def profile(name: str) -> Profile:
    return load().profiles[name]


def page(name: str, code: str) -> Path | None:
    """The page of a rule under a profile, its own or the one for both."""
    return next((p for p in (HERE / name / f"{code}.md", HERE / "both" / f"{code}.md") if p.exists()), None)


@cache
def all_rows() -> tuple[Row, ...]:
    return tuple(rows())


def rows_of(name: str, code: str) -> list[Row]:
    return [row for row in all_rows() if (row.profile, row.file) == (name, code)]


def fires(row: Row, code: str) -> bool:
    return any(code in rules for _, rules in expected(row.cells["expect"]))


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("code", [*CODES.values(), *FURTHER])
def test_every_rule_has_a_page_under_every_profile(name: str, code: str) -> None:
    assert page(name, code) is not None


@pytest.mark.parametrize("path", sorted(HERE.glob("*/*.md")), ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_page_opens_with_a_heading_and_the_recommendation(path: Path) -> None:
    heading, empty, *rest = path.read_text().splitlines()
    quote = [line for line in rest[: rest.index("")] if line.startswith("> ")]
    assert heading.startswith("# ")
    assert not empty
    assert quote == rest[: rest.index("")] != []


@pytest.mark.parametrize("path", sorted(HERE.glob("*/*.md")), ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_page_is_named_for_a_rule(path: Path) -> None:
    assert path.stem in {*CODES.values(), *FURTHER}


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("code", CODES.values())
class TestPageOfARule:
    def test_has_a_patient_for_whom_it_speaks(self, name: str, code: str) -> None:
        speaks = code in profile(name).rules
        assert any(fires(row, code) for row in rows_of(name, code)) is speaks

    def test_has_a_patient_for_whom_it_is_silent(self, name: str, code: str) -> None:
        assert any(not fires(row, code) for row in rows_of(name, code))

    def test_has_patients_on_both_sides_of_a_line(self, name: str, code: str) -> None:
        evidence = profile(name).rules.get(code)
        if evidence is None or not evidence.numbers or (name, code) in NO_LINE:
            return
        beside = {fires(row, code) for row in rows_of(name, code) if row.cells.get("kind") == "on the line"}
        assert beside == {True, False}

    def test_has_a_patient_about_whom_it_cannot_tell(self, name: str, code: str) -> None:
        kinds = {row.cells.get("kind") for row in rows_of(name, code)}
        assert "cannot tell" in kinds or code in NEVER_UNSURE


def test_kinds_of_rows_are_known() -> None:
    assert {row.cells.get("kind", "") for row in all_rows()} <= KINDS


@pytest.mark.parametrize("name", PROFILES)
def test_every_rule_of_a_profile_speaks_somewhere(name: str) -> None:
    cards = [card for row in all_rows() if row.profile == name for card in expected(row.cells["expect"])]
    assert {code for _, rules in cards for code in rules} >= set(profile(name).rules)
