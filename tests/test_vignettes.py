"""Every row of ``tests/vignettes`` is a hook request to the whole service; the tables are the clinicians' pages.

A file is ``<profile>/<name>.md`` or ``both/<name>.md``; every pipe table in it is read. Columns (all but ``name`` and
``expect`` may be left out): kind, sex, age, clot, cancer, more, platelets, creatinine, weight, height, drugs,
procedures, allergies, pregnant, hook, order, others, expect, says, suggests. See ``tests/build.py`` for
the words in the cells.

``expect``: ``nothing``, or the cards as ``warning R4a+R4f, info R25``; ``cannot tell`` is ``info R25``.
``kind``: ``on the line`` for a patient one step beside a limit, ``cannot tell`` where something needed is missing.
``says`` / ``suggests``: texts that must appear on a card / in a suggestion, separated by ``&``; ``!text`` must not.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flask
import flask.testing
import pytest

from app import create_app
from app.settings import Settings
from hooks.tables import DATA
from tests import build
from tests.cds_hooks_validator import service_response_faults

HERE = Path(__file__).parent / "vignettes"
PROFILES = ("lmwh-first-2014", "contemporary-2023")
DEFAULTS = {
    "sex": "female",
    "age": "50",
    "clot": "I82.412 d0",
    "cancer": "C49.21+443719001 recurrence d-400",
    "platelets": "220",
    "creatinine": "0.8",
    "weight": "70",
}
COLUMNS = {
    *DEFAULTS,
    "name", "kind", "more", "height", "drugs", "procedures", "allergies", "pregnant",
    "hook", "order", "others", "expect", "says", "suggests",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a table."""

    file: str
    profile: str
    cells: dict[str, str]

    @property
    def id(self) -> str:
        return f"{self.profile}/{self.file}: {self.cells['name']}"


def tables(text: str) -> Iterator[dict[str, str]]:
    """The rows of all pipe tables in a Markdown text.

    Raises:
        ValueError: a column that is not known, a row of another width, or a name used twice.
    """
    header: list[str] = []
    seen: set[str] = set()
    for line in text.splitlines():
        if not line.startswith("|"):
            header = []
            continue
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if not header:
            header = cells
            unknown = set(header) - COLUMNS
            if unknown or "name" not in header or "expect" not in header:
                raise ValueError(f"columns {sorted(unknown)} unknown, or name or expect missing: {line}")
            continue
        if set("".join(cells)) <= set("-: "):
            continue
        if len(cells) != len(header):
            raise ValueError(f"{len(cells)} cells where the header has {len(header)}: {line}")
        row = dict(zip(header, cells, strict=True))
        if row["name"] in seen or not row["expect"]:
            raise ValueError(f"name used twice, or nothing expected: {line}")
        seen.add(row["name"])
        yield row


def rows() -> list[Row]:
    found = []
    for path in sorted(HERE.glob("*/*.md")):
        profiles = PROFILES if path.parent.name == "both" else (path.parent.name,)
        for cells in tables(path.read_text()):
            found += [Row(file=path.stem, profile=p, cells=cells) for p in profiles]
    return found


def rule_codes() -> dict[str, str]:
    with (DATA / "rules.csv").open() as lines:
        return {r["rule"]: r["code"] for r in csv.DictReader(lines)}


CODES = rule_codes()


def expected(cell: str) -> set[tuple[str, frozenset[str]]]:
    """``warning R4a+R4f, info R25`` as indicator and rule codes."""
    if cell == "nothing":
        return set()
    cards = set()
    for part in cell.replace("cannot tell", "info R25").split(","):
        indicator, rules = part.split()
        assert indicator in ("info", "warning", "critical"), cell
        cards.add((indicator, frozenset(CODES[r] for r in rules.split("+"))))
    return cards


def chart(cells: dict[str, str]) -> build.Chart:
    def cell(column: str) -> str:
        value = cells.get(column, "")
        return "" if value == "-" else value or DEFAULTS.get(column, "")

    def listed(column: str) -> list[str]:
        return [part.strip() for part in cell(column).split(";") if part.strip()]

    return build.Chart(
        sex=cell("sex"),
        age=cell("age"),
        conditions=[*listed("clot"), *listed("cancer"), *listed("more")],
        values={name: listed(name) for name in build.LOINC},
        drugs=listed("drugs"),
        procedures=listed("procedures"),
        allergies=listed("allergies"),
        pregnant=cell("pregnant"),
    )


def request(cells: dict[str, str]) -> dict[str, Any]:
    def listed(column: str) -> list[str]:
        return [part.strip() for part in cells.get(column, "").split(";") if part.strip() not in ("", "-")]

    hook = cells.get("hook") or ("order-select" if listed("order") else "patient-view")
    return build.request(hook, chart(cells), listed("order"), listed("others"))


@pytest.fixture(scope="module")
def clients() -> dict[str, flask.testing.FlaskClient]:
    """The service under each profile, on the day of the tables."""
    return {
        name: create_app(Settings(demo=True, guideline=name), today=lambda _: build.TODAY).test_client()
        for name in PROFILES
    }


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.id)
def test_vignette(row: Row, clients: dict[str, flask.testing.FlaskClient]) -> None:
    body = request(row.cells)
    answer = clients[row.profile].post(f"/cds-services/cat-{body['hook']}", json=body)
    assert answer.status_code == 200, answer.text
    content = answer.get_json()
    drafts = [e["resource"] for e in body["context"].get("draftOrders", {}).get("entry", [])]
    references = [f"{r['resourceType']}/{r['id']}" for r in drafts]
    assert service_response_faults(content, draft_orders=references, patient_id="p1") == []
    cards = content["cards"]
    got = {(c["indicator"], frozenset(c["extension"]["cat-cds"]["rules"])) for c in cards}
    assert got == expected(row.cells["expect"]), [c["summary"] for c in cards]
    _check_texts(row.cells.get("says", ""), "\n".join(f"{c['summary']}\n{c.get('detail', '')}" for c in cards))
    _check_texts(row.cells.get("suggests", ""), suggestions(cards))


def _check_texts(cell: str, text: str) -> None:
    for part in filter(None, (p.strip() for p in cell.split("&"))):
        if part.startswith("!"):
            assert part[1:] not in text
        else:
            assert part in text or (part == "none" and not text.strip()), text


def suggestions(cards: list[dict[str, Any]]) -> str:
    """What the suggestions would do, one line an action."""
    lines = []
    for card in cards:
        for suggestion in card.get("suggestions", []):
            for action in suggestion["actions"]:
                if action["type"] == "delete":
                    lines.append(f"delete {action['resourceId']}")
                    continue
                resource = action["resource"]
                dosage = resource["dosageInstruction"][0]
                dose = dosage["doseAndRate"][0]["doseQuantity"]
                period = dosage["timing"]["repeat"]["boundsPeriod"]
                name = resource["medicationCodeableConcept"]["text"].split()[0]
                lines.append(f"{action['type']} {name} {dose['value']} {period['start']}/{period['end']}")
    return "\n".join(lines)
