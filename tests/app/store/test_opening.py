"""What the start makes of the store: a SQLite file is made ready, a database that is not ours stops it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog

from app.settings import Settings, SettingsError
from app.store import opening
from app.store.database import Database
from app.store.opening import open_database
from tests.app.hospital import listed
from tests.app.store.databases import empty_database, opened

pytestmark = pytest.mark.xdist_group("postgresql")


def test_a_sqlite_file_is_made_in_the_folder_that_is_set(tmp_path: Path) -> None:
    database = open_database(listed(tmp_path))
    database.check()
    database.close()
    assert (tmp_path / "cat-cds.db").is_file()


def test_without_a_folder_it_is_made_where_the_service_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAT_CDS_STATE_DIR")
    monkeypatch.chdir(tmp_path)
    open_database(Settings(demo=True)).close()
    assert (tmp_path / "cat-cds.db").is_file()


@pytest.mark.parametrize("kind", ["a folder", "no database"])
def test_a_file_that_cannot_be_used_stops_the_start_with_its_remedy(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "cat-cds.db"
    file.mkdir() if kind == "a folder" else file.write_bytes(b"x" * 5000)
    with pytest.raises(SettingsError, match="CAT_CDS_STATE_DIR"):
        open_database(listed(tmp_path))


def test_a_demo_without_a_place_to_write_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAT_CDS_STATE_DIR")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "cat-cds.db").mkdir()
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(opening.tempfile, "mkdtemp", lambda **_: str(tmp_path / "else"))
    open_database(Settings(demo=True)).close()
    assert (tmp_path / "else" / "cat-cds.db").is_file()


def test_postgresql_without_our_tables_stops_the_start(tmp_path: Path, postgres_server: Any) -> None:
    url = empty_database(postgres_server)
    with pytest.raises(SettingsError, match="cat-cds db upgrade"):
        open_database(listed(tmp_path, database_url=url))
    with opened(url) as database:
        database.upgrade()
    open_database(listed(tmp_path, database_url=url)).close()


def test_postgresql_that_is_away_does_not_stop_the_start_and_is_told(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as told:
        database = open_database(listed(tmp_path, database_url=f"postgresql://u:hush@/n?host={tmp_path}"))
    assert isinstance(database, Database)
    assert [one["event"] for one in told] == ["store cannot be reached"]
    assert "hush" not in str(told)


def test_another_kind_of_database_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="sqlite:///file or postgresql://"):
        open_database(listed(tmp_path, database_url="mysql://u@h/n"))


def test_tables_of_a_newer_release_stop_the_start(tmp_path: Path) -> None:
    settings = listed(tmp_path)
    database = open_database(settings)
    database.surely(lambda c: c.execute(sa.text("UPDATE alembic_version SET version_num = '9999'")))
    database.close()
    with pytest.raises(SettingsError, match="newer than this release"):
        open_database(settings)
