"""The database: its tables are what the code says, it is never waited for too long, and it says what is wrong."""

from __future__ import annotations

import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from app.store import database as module
from app.store.database import Database, StoreDownError, StoreError
from app.store.migrations import HEAD
from app.store.tables import METADATA, TOKENS
from tests.app.store.databases import empty_database, opened

pytestmark = pytest.mark.xdist_group("postgresql")


def test_the_migrations_make_the_tables_that_the_code_describes(database: Database) -> None:
    def differences(connection: sa.Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, METADATA))

    assert database.surely(differences) == []
    assert database.version() == HEAD
    database.check()


def test_an_upgrade_may_be_run_again_and_keeps_what_is_there(database: Database) -> None:
    database.surely(lambda c: c.execute(TOKENS.insert().values(issuer="i", jti_hash="h", expires=1)))
    database.upgrade()
    assert database.surely(lambda c: c.scalar(sa.select(sa.func.count()).select_from(TOKENS))) == 1


def test_many_may_upgrade_at_once(empty_url: str) -> None:
    wrong: list[Exception] = []

    def upgrade() -> None:
        try:
            Database(empty_url).upgrade()
        except (StoreError, StoreDownError) as error:
            wrong.append(error)

    threads = [threading.Thread(target=upgrade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    with opened(empty_url) as database:
        database.check()


def test_an_empty_database_is_told_with_its_remedy(empty_url: str) -> None:
    with opened(empty_url) as database, pytest.raises(StoreError, match="cat-cds db upgrade"):
        database.check()


def test_tables_of_a_newer_release_are_neither_used_nor_changed(empty_url: str) -> None:
    database = Database(empty_url)
    database.upgrade()
    database.surely(lambda c: c.execute(sa.text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(StoreError, match="9999"):
        database.check()
    with pytest.raises(StoreError, match="newer than this release"):
        database.upgrade()
    assert database.version() == "9999"
    database.close()


@pytest.mark.parametrize("url", ["mysql://u@h/n", "sqlite://", "sqlite:///:memory:", "nonsense", "oracle://x:hush@y"])
def test_a_database_of_another_kind_is_refused_and_its_address_not_repeated(url: str) -> None:
    with pytest.raises(StoreError, match="sqlite:///file or postgresql://") as caught:
        Database(url)
    assert "hush" not in str(caught.value)


def test_a_sqlite_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    Database(f"sqlite:///{tmp_path / 'a.db'}").upgrade()
    assert stat.S_IMODE((tmp_path / "a.db").stat().st_mode) == 0o600


def test_a_call_waits_no_longer_than_it_may(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CALL_WAITS_SECONDS", 0.1)
    held, done = threading.Event(), threading.Event()

    def hold(_: sa.Connection) -> None:
        held.set()
        done.wait(10)

    def insist() -> None:
        with pytest.raises(StoreDownError):
            database.in_call(hold)

    started = time.monotonic()
    insist()
    assert held.is_set()
    assert time.monotonic() - started < 2
    done.set()
    monkeypatch.setattr(module, "CALL_WAITS_SECONDS", 5.0)
    assert database.is_reachable()


def test_while_every_connection_is_busy_calls_are_refused_and_leave_nothing_waiting(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CALL_WAITS_SECONDS", 0.01)
    done, ran = threading.Event(), []
    for _ in range(module.CONNECTIONS):
        with pytest.raises(StoreDownError):
            database.in_call(lambda _: done.wait(10))
    for _ in range(20):
        with pytest.raises(StoreDownError):
            database.in_call(lambda _: ran.append(1))
    monkeypatch.setattr(module, "CALL_WAITS_SECONDS", 5.0)
    done.set()
    assert database.is_reachable()
    assert ran == []


def test_a_statement_that_fails_undoes_its_transaction_and_tells_no_value(database: Database) -> None:
    def twice(connection: sa.Connection) -> None:
        connection.execute(TOKENS.insert().values(issuer="canary", jti_hash="h", expires=1))
        connection.execute(TOKENS.insert().values(issuer="canary", jti_hash="h", expires=1))

    with pytest.raises(StoreDownError) as caught:
        database.surely(twice)
    assert "canary" not in str(caught.value)
    assert database.surely(lambda c: c.scalar(sa.select(sa.func.count()).select_from(TOKENS))) == 0


def test_a_server_that_restarts_is_down_for_as_long_and_used_again(postgres_server: Any) -> None:
    with opened(empty_database(postgres_server)) as database:
        database.upgrade()
        assert database.is_reachable()
        postgres_server.stop()
        assert not database.is_reachable()
        with pytest.raises(StoreDownError):
            database.version()
        postgres_server.start()
        database.check()
        assert database.is_reachable()


def test_nothing_listens_there(tmp_path: Path) -> None:
    with opened(f"postgresql://u@/n?host={tmp_path}") as nowhere:
        assert not nowhere.is_reachable()
        with pytest.raises(StoreDownError):
            nowhere.check()
