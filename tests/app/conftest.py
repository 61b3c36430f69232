"""One PostgreSQL server for all tests that need one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.app.store.databases import a_server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """A running PostgreSQL server; its tests are of the xdist group "postgresql", so that one process starts it."""
    with a_server() as server:
        yield server
