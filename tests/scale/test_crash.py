"""A PostgreSQL that crashes loses nothing that the service has relied on: no used token, no stored feedback."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
import sqlalchemy as sa

from app.store.database import Database
from app.store.feedback import Event, save
from app.store.tables import FEEDBACK
from app.store.tokens import SeenTokens
from tests.app.store.databases import opened, postgresql, short_folder
from tests.scale.stage import SharedDatabase

pytestmark = pytest.mark.xdist_group("scale")


@pytest.fixture
def shared() -> Iterator[SharedDatabase]:
    """A PostgreSQL that writes its log as late as it may."""
    folder = short_folder()
    try:
        with postgresql(folder) as server:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
                connection.execute("SELECT pg_reload_conf()")
            yield SharedDatabase(server)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def tokens(database: Database) -> SeenTokens:
    return SeenTokens(database, now=lambda: 0.0, sweep=lambda: None)


@pytest.mark.spec("S-12")
def test_a_token_that_was_accepted_just_before_a_crash_is_refused_after_it(shared: SharedDatabase) -> None:
    with opened(shared.url) as database:
        database.upgrade()
        seen = tokens(database)
        before = [seen("issuer", f"jti-{number}", 1000.0) for number in range(20)]
        shared.crash()
    shared.start()
    with opened(shared.url) as database:
        seen = tokens(database)
        after = [seen("issuer", f"jti-{number}", 1000.0) for number in range(20)]

    assert not any(before)
    assert all(after)


def test_feedback_that_was_stored_just_before_a_crash_is_there_after_it(shared: SharedDatabase) -> None:
    at = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
    events = [
        Event(
            card=f"00000000-0000-8000-8000-{number:012}",
            rule=4,
            profile=1,
            client="north",
            service="cat-order-select",
            outcome="accepted",
            reason_code="",
            reason_system="",
            commented=False,
            suggestions=(),
            outcome_at=at,
            told=(str(number),),
        )
        for number in range(20)
    ]
    with opened(shared.url) as database:
        database.upgrade()
        assert save(database, events, received_at=at, key=b"key") == 20
        shared.crash()
    shared.start()
    with opened(shared.url) as database:
        told = database.surely(lambda connection: set(connection.scalars(sa.select(FEEDBACK.c.card))))

    assert told == {event.card for event in events}
