"""Each test of the store runs on SQLite and on PostgreSQL, each time in a database with nothing in our tables."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.store.database import Database
from app.store.tables import METADATA
from tests.app.store.databases import empty_database, opened


@pytest.fixture(scope="session")
def postgres_url(postgres_server: Any) -> str:
    """The address of a PostgreSQL database with our tables, shared by the tests."""
    url = empty_database(postgres_server)
    with opened(url) as database:
        database.upgrade()
    return url


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with our tables, to be copied."""
    file = tmp_path_factory.mktemp("template") / "store.db"
    with opened(f"sqlite:///{file}") as database:
        database.upgrade()
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty_url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without any table."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return empty_database(request.getfixturevalue("postgres_server"))


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with our tables and nothing in them."""
    if kind == "sqlite":
        return f"sqlite:///{shutil.copy(request.getfixturevalue('sqlite_file'), tmp_path / 'store.db')}"
    address: str = request.getfixturevalue("postgres_url")
    names = ", ".join(METADATA.tables)
    with opened(address) as database:
        database.surely(lambda connection: connection.execute(sa.text(f"TRUNCATE {names}")))
    return address


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A database with our tables and nothing in them."""
    with opened(url) as database:
        yield database
