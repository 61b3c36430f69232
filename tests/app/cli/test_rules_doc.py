"""docs/rules.md and ``cat-cds rules``: made from the data, complete, and never behind it."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli import main
from app.pages.document import document
from hooks import knowledge as all_knowledge
from hooks.tables import DATA, KnowledgeError

KNOWLEDGE = all_knowledge.load()


@pytest.fixture(scope="module")
def text() -> str:
    return document(KNOWLEDGE)


def part(text: str, heading: str) -> str:
    """What stands under one heading of the document."""
    return text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def test_the_document_in_the_repository_is_up_to_date(project_root: Path, text: str) -> None:
    kept = (project_root / "docs" / "rules.md").read_text(encoding="utf-8")
    assert kept == text, "hooks/data changed: run make rules-doc"


@pytest.mark.parametrize("rule", KNOWLEDGE.rules, ids=lambda rule: rule.code)
def test_a_rule_is_there_with_number_condition_and_source_of_each_profile(
    text: str, rule: all_knowledge.RuleRow
) -> None:
    told = part(text, rule.display)
    assert f"`{rule.code}`, permanent number {rule.number}, " in told
    used = [profile.rules[rule.code] for profile in KNOWLEDGE.profiles.values() if rule.code in profile.rules]
    assert used
    for evidence in used:
        assert evidence.when in told
        assert evidence.source_label in told
        assert evidence.year in told
        for found in evidence.texts.values():
            for line in (*found.advice, *found.today):
                assert all(piece in told for piece in re.split(r"\{[a-z_]+\}", line))


def test_thresholds_stand_side_by_side(text: str) -> None:
    assert "| Hold when platelets are below | 20 × 10⁹ per litre | 25 × 10⁹ per litre |" in text
    assert "| Condition | Apixaban, rivaroxaban or edoxaban ordered;" in part(text, "DOAC in cancer-associated VTE")
    assert "| This profile does not use the rule. |" in part(text, "DOAC in cancer-associated VTE")


def test_what_is_not_verified_is_listed_in_one_place(text: str) -> None:
    left = part(text, "Not yet verified")
    assert "- DOAC starting dose or step-down: added by this project, not a statement of its clinical source" in left
    assert "- Low platelets and anticoagulant" not in left


def test_every_line_of_a_table_has_all_its_cells(text: str) -> None:
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(tables) > len(KNOWLEDGE.rules)
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1, table.splitlines()[0]


def test_doses_and_interacting_medicines_are_there_with_their_source(text: str) -> None:
    told = part(text, "Doses and interactions")
    assert (
        "| dalteparin | month 1 | 200 | IU | 1 | 18000 | 0 | 29 | 30 |  | US label; CLOT regimen | verified |" in told
    )
    assert re.search(r"^\| strong inducers \| .*rifampicin", told, re.MULTILINE)
    for file in (DATA / "dosing").glob("*.csv"):
        with file.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                assert row.get("source", row.get("code")) in told


def test_data_cannot_break_a_table_or_bring_markup() -> None:
    profile = KNOWLEDGE.profiles["lmwh-first-2014"]
    odd = replace(profile.rules["pregnancy"], when="a | b <script> *c* [d](https://x.example)")
    changed = replace(profile, rules={**profile.rules, "pregnancy": odd})
    told = document(replace(KNOWLEDGE, profiles={**KNOWLEDGE.profiles, changed.name: changed}))
    assert r"| Condition | a \| b \<script\> \*c\* \[d\](https://x.example) |" in told


def test_the_command_prints_the_document_or_writes_it(text: str, tmp_path: Path) -> None:
    printed = CliRunner().invoke(main, ["rules", "doc"])
    written = CliRunner().invoke(main, ["rules", "doc", "--output", str(tmp_path / "rules.md")])
    assert (printed.exit_code, printed.stdout) == (0, text)
    assert written.exit_code == 0
    assert (tmp_path / "rules.md").read_text(encoding="utf-8") == text


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    refused = CliRunner().invoke(main, ["rules", "doc", "--output", str(tmp_path / "none" / "rules.md")])
    assert refused.exit_code == 1
    assert "cannot be written: No such file or directory" in refused.output


@pytest.mark.parametrize("command", ["list", "doc"])
def test_wrong_knowledge_is_one_line_with_its_remedy(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise KnowledgeError("rules.csv", 3, "number 1 is used twice", "give it a new one")

    monkeypatch.setattr(all_knowledge, "load", broken)
    refused = CliRunner().invoke(main, ["rules", command])
    assert (refused.exit_code, refused.output) == (
        1,
        "Error: rules.csv:3: number 1 is used twice. Remedy: give it a new one\n",
    )


def test_the_list_shows_every_rule_with_its_urgencies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    shown = CliRunner().invoke(main, ["rules", "list"]).stdout
    lines = {words[1]: " ".join(words) for line in shown.splitlines() if len(words := line.split()) > 2}
    assert set(lines) >= {rule.code for rule in KNOWLEDGE.rules}
    assert lines["doac-in-cancer"].startswith("4 doac-in-cancer select, sign warning not used")
    assert lines["active-bleeding"].count("critical, warning, info") == len(KNOWLEDGE.profiles)
