"""The database behind the store, SQLite or PostgreSQL: how long one may wait for it, whether its tables are ours."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as WaitedTooLongError
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from app.store.migrations import HEAD, upgrade

T = TypeVar("T")

CALL_WAITS_SECONDS = 0.1
"""The longest that a hook call waits for the store."""
COMMIT_WAITS_SECONDS = 5
"""The longest that feedback and reports wait for a lock or an answer."""
CONNECTIONS = 8

_ALONE = {
    "sqlite": ("BEGIN IMMEDIATE",),
    "postgresql": (
        "SET LOCAL statement_timeout = 0",
        "SET LOCAL lock_timeout = 0",
        "SELECT pg_advisory_xact_lock(7203001)",
    ),
}
"""What has other processes wait while one changes the tables."""

_FORMS = "Use sqlite:///file or postgresql://user@host/name."
_POSTGRES = {"postgres", "postgresql", "postgresql+psycopg"}


class StoreError(Exception):
    """The store cannot be used as it is set or as it is; the text has the remedy."""


class StoreDownError(Exception):
    """The store did not answer, or not in time."""


class Database:
    """One database. Nothing is opened before it is asked, so a process may be forked until then.

    Raises:
        StoreError: the URL is none of SQLite or PostgreSQL.
    """

    def __init__(self, url: str) -> None:
        self.url = _url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._quick = self._engine(wait_seconds=CALL_WAITS_SECONDS, sync="NORMAL")
        self._sure = self._engine(wait_seconds=COMMIT_WAITS_SECONDS, sync="FULL")
        self._pool = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="store")

    def in_call(self, work: Callable[[sa.Connection], T]) -> T:
        """``work`` in one transaction, for a hook call: its result within ``CALL_WAITS_SECONDS``.

        Raises:
            StoreDownError: it is not there by then. What ``work`` wrote may still come to be.
        """
        future: Future[T] = self._pool.submit(_transaction, self._quick, work)
        try:
            return future.result(timeout=CALL_WAITS_SECONDS)
        except WaitedTooLongError:
            future.cancel()
            raise StoreDownError("no answer in time") from None

    def behind(self, work: Callable[[sa.Connection], T]) -> T:
        """``work`` in one transaction, for what nobody waits for. A power cut may take the newest of a SQLite file.

        Raises:
            StoreDownError: it could not be done now.
        """
        return _transaction(self._quick, work)

    def surely(self, work: Callable[[sa.Connection], T]) -> T:
        """``work`` in one transaction that is on disk when this returns.

        Raises:
            StoreDownError: it could not be done.
        """
        return _transaction(self._sure, work)

    def is_reachable(self) -> bool:
        """Whether a hook call would get an answer now."""
        with suppress(StoreDownError):
            return self.in_call(lambda connection: connection.scalar(sa.select(1)) == 1)
        return False

    def version(self) -> str | None:
        """The version of the tables; None when there are none.

        Raises:
            StoreDownError: the database cannot be reached.
        """
        return self.surely(_version)

    def check(self) -> None:
        """Whether the tables are those of this release.

        Raises:
            StoreError: they are not, with the remedy.
            StoreDownError: the database cannot be reached.
        """
        found = self.version()
        if found is None:
            raise StoreError("The database holds no tables of cat-cds. Run: cat-cds db upgrade.")
        if found != HEAD:
            raise StoreError(
                f"The tables of the database are of version {found}, this release needs {HEAD}. "
                "Run: cat-cds db upgrade, with the newest release that uses this database."
            )

    def upgrade(self) -> None:
        """Bring the tables to the version of this release; several processes may do so at once.

        Raises:
            StoreError: the tables are of a release that this one does not know.
            StoreDownError: the database cannot be reached or written.
        """
        if self.is_sqlite and self.url.database:
            with suppress(OSError):  # what is wrong with the file shows in a moment
                Path(self.url.database).touch(mode=0o600)
        try:
            self.surely(self._upgrade)
        finally:
            self.close()

    def close(self) -> None:
        """Close the connections; the next question opens new ones."""
        self._quick.dispose()
        self._sure.dispose()

    def _upgrade(self, connection: sa.Connection) -> None:
        for statement in _ALONE["sqlite" if self.is_sqlite else "postgresql"]:
            connection.exec_driver_sql(statement)
        found = _version(connection)
        if found == HEAD:
            return
        if not upgrade(connection, found):
            raise StoreError(f"The tables of the database are of version {found}, which is newer than this release.")

    def _engine(self, *, wait_seconds: float, sync: str) -> sa.Engine:
        if not self.is_sqlite:
            # Always on: of a token that was accepted and then lost with a crash, the second use would be accepted, too.
            milliseconds = int(wait_seconds * 1000)
            options = f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds} -c synchronous_commit=on"
            return sa.create_engine(
                self.url,
                pool_size=CONNECTIONS,
                max_overflow=0,
                pool_timeout=wait_seconds,
                pool_pre_ping=True,
                hide_parameters=True,
                connect_args={"connect_timeout": 2, "tcp_user_timeout": 2000, "options": options},
            )
        engine = sa.create_engine(
            self.url,
            pool_size=CONNECTIONS,
            max_overflow=0,
            hide_parameters=True,
            connect_args={"timeout": wait_seconds},
        )

        @sa.event.listens_for(engine, "connect")
        def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - a connection of sqlite3
            for pragma in ("journal_mode = WAL", f"synchronous = {sync}", "foreign_keys = ON", "secure_delete = ON"):
                connection.execute(f"PRAGMA {pragma}").close()

        return engine


def insert(dialect: str, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that may say what happens on conflict, which SQLite and PostgreSQL do in the same words.

    One with ``excluded`` in it should be made once and kept: for each SQLAlchemy copies the table, in objects that
    hold each other until they are collected.
    """
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def _url(text: str) -> sa.URL:
    try:
        url = sa.make_url(text)
    except ArgumentError:
        raise StoreError(
            "The database URL cannot be read. Use sqlite:///file or postgresql://user@host/name."
        ) from None
    if url.drivername in _POSTGRES:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite" and url.database and url.database != ":memory:":
        return url
    raise StoreError(f"The database must be a SQLite file or PostgreSQL. {_FORMS}")


def _transaction(engine: sa.Engine, work: Callable[[sa.Connection], T]) -> T:
    try:
        with engine.begin() as connection:
            return work(connection)
    except (SQLAlchemyError, OSError) as error:
        raise StoreDownError(type(error).__name__) from None  # its words may hold the address or a value


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return found
