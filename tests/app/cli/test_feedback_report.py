"""``cat-cds db`` and ``cat-cds feedback report``: the tables, and the numbers in three forms."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app import settings
from app.cli import main
from app.store.database import Database
from app.store.feedback import Event, save
from app.store.notes import Notes, Shown
from tests.app.store.databases import opened

CARD = "00000000-0000-8000-8000-000000000001"
HEAD = ["week", "rule", "client", "shown", "silent", "held", "accepted", "overridden", "reasons"]


@pytest.fixture(autouse=True)
def _folder_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for field in settings.Settings.model_fields:
        monkeypatch.delenv(settings.variable(field), raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def store() -> Iterator[Database]:
    with opened(settings.load_alone().store_url) as database:
        database.upgrade()
        yield database


def run(*words: str) -> Result:
    return CliRunner().invoke(main, [*words])


def report(*options: str) -> str:
    told = run("feedback", "report", *options)
    assert told.exit_code == 0, told.output
    return told.stdout


def fill(database: Database) -> None:
    monday, later = date(2026, 3, 2), date(2026, 3, 10)
    common = {"rule": 5, "profile": 1, "indicator": "warning"}
    counts = [("north", "shown", monday)] * 3 + [("north", "shown", later), ("south", "silent", later)]
    Notes(database, now=lambda: 0.0, keep_days=30)(
        [Shown(client=client, fate=fate, day=day, **common) for client, fate, day in counts]  # type: ignore[arg-type]
    )
    events = [
        ("accepted", "", "", "north"),
        ("overridden", "specialist-advice", "https://cds.example/override-reasons", "north"),
        ("overridden", "d7", "https://ehr.example/why", "north"),
    ]
    save(
        database,
        [
            Event(
                card=CARD,
                rule=5,
                profile=1,
                client=client,
                service="cat-order-sign",
                outcome=outcome,
                reason_code=code,
                reason_system=system,
                commented=False,
                suggestions=(),
                outcome_at=datetime(2026, 3, 4, tzinfo=UTC),
                told=(outcome, code),
            )
            for outcome, code, system, client in events
        ],
        received_at=datetime(2026, 3, 4, tzinfo=UTC),
        key=b"k",
    )


# The tables


def test_the_tables_are_made_and_checked() -> None:
    before = run("db", "check")
    assert before.exit_code == 2
    assert "cat-cds db upgrade" in before.stderr
    assert run("db", "upgrade").exit_code == 0
    assert run("db", "upgrade").exit_code == 0
    assert run("db", "check").exit_code == 0
    assert Path("cat-cds.db").is_file()


def test_the_folder_and_the_database_may_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CAT_CDS_STATE_DIR", str(tmp_path))
    run("db", "upgrade")
    assert (tmp_path / "cat-cds.db").is_file()
    monkeypatch.setenv("CAT_CDS_DATABASE_URL", f"sqlite:///{tmp_path / 'other.db'}")
    run("db", "upgrade")
    assert (tmp_path / "other.db").is_file()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://u:hush@h/n", "sqlite:///file or postgresql://"),
        ("sqlite:////nowhere/at/all.db", "does not answer"),
        ("postgresql://u:hush@127.0.0.1:1/n", "does not answer"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_in_one_line_without_its_password(
    monkeypatch: pytest.MonkeyPatch, url: str, words: str
) -> None:
    monkeypatch.setenv("CAT_CDS_DATABASE_URL", url)
    for command in (["db", "upgrade"], ["db", "check"], ["feedback", "report"]):
        refused = run(*command)
        assert refused.exit_code == 2
        assert words in refused.stderr
        assert refused.stderr.count("\n") == 1
        assert "hush" not in refused.output


# The report


def test_without_anything_it_says_so(store: Database) -> None:
    assert report() == "Nothing was shown and no feedback came.\n"
    assert report("--format", "csv") == ",".join(HEAD) + "\n"
    assert json.loads(report("--format", "json")) == {"totals": [], "weeks": []}


def test_the_text_tells_the_whole_and_each_week(store: Database) -> None:
    fill(store)
    text = report()
    whole, weeks = text.split("By week")
    assert [line.split()[:7] for line in whole.splitlines() if "north" in line] == [
        ["doac-luminal-gi", "north", "4", "0", "0", "1", "2"]
    ]
    assert "specialist-advice 1" in whole
    assert "https://ehr.example/why|d7 1" in whole
    assert [line.split()[0] for line in weeks.splitlines() if "doac" in line] == [
        "2026-03-02",
        "2026-03-09",
        "2026-03-09",
    ]


def test_the_csv_has_a_row_for_each_week_rule_and_client(store: Database) -> None:
    fill(store)
    rows = list(csv.reader(io.StringIO(report("--format", "csv"))))
    assert rows == [
        HEAD,
        [
            "2026-03-02",
            "doac-luminal-gi",
            "north",
            *("3", "0", "0", "1", "2"),
            "specialist-advice=1; https://ehr.example/why|d7=1",
        ],
        ["2026-03-09", "doac-luminal-gi", "north", *("1", "0", "0", "0", "0"), ""],
        ["2026-03-09", "doac-luminal-gi", "south", *("0", "1", "0", "0", "0"), ""],
    ]


def test_the_json_holds_the_same(store: Database) -> None:
    fill(store)
    told = json.loads(report("--format", "json", "--client", "north"))
    assert told["totals"] == [
        {
            "rule": "doac-luminal-gi",
            "client": "north",
            "shown": 4,
            "silent": 0,
            "held": 0,
            "accepted": 1,
            "overridden": 2,
            "reasons": {"https://ehr.example/why|d7": 1, "specialist-advice": 1},
        }
    ]
    assert [week["week"] for week in told["weeks"]] == ["2026-03-02", "2026-03-09"]


def test_a_part_may_be_asked_for(store: Database) -> None:
    fill(store)
    told = json.loads(report("--format", "json", "--since", "2026-03-09"))
    assert {(line["client"], line["shown"], line["silent"]) for line in told["totals"]} == {
        ("north", 1, 0),
        ("south", 0, 1),
    }
    assert run("feedback", "report", "--since", "yesterday").exit_code == 2
