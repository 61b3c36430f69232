"""Opens the store that the settings name. SQLite is made ready at once, PostgreSQL beforehand by cat-cds db upgrade."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import structlog

from app.settings import Settings, SettingsError, variable
from app.store.behind import Behind
from app.store.database import Database, StoreDownError, StoreError
from app.store.notes import Note
from app.store.tokens import SeenTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What the service keeps beyond a call: its database, what is written behind answers, the tokens seen."""

    database: Database
    notes: Behind[Note]
    seen: SeenTokens

    def close(self) -> None:
        """Write what is queued and close the connections; how much could not be written goes to the log."""
        self.notes.close()
        self.database.close()
        if self.notes.dropped:
            structlog.get_logger("cat_cds").warning("notes dropped", number=self.notes.dropped)


def open_database(settings: Settings) -> Database:
    """The database, its tables checked where it can be reached. No connection stays open, so that workers may fork.

    A demo without a place to write keeps its store in a folder of its own that goes with the machine's temporary files.

    Raises:
        SettingsError: it cannot be used, with the remedy.
    """
    try:
        database = Database(settings.store_url)
        try:
            _make_ready(database)
        except StoreDownError:
            if not database.is_sqlite:
                structlog.get_logger("cat_cds").warning("store cannot be reached")
            elif settings.demo and settings.database_url is None and settings.state_dir is None:
                folder = Path(tempfile.mkdtemp(prefix="cat-cds-"))
                database = Database(f"sqlite:///{folder / 'cat-cds.db'}")
                _make_ready(database)
            else:
                raise StoreError(
                    f"The file {database.url.database} cannot be written or is no SQLite database. "
                    f"Name a folder in {variable('state_dir')} or another database in {variable('database_url')}."
                ) from None
    except StoreError as wrong:
        raise SettingsError(str(wrong)) from None
    return database


def _make_ready(database: Database) -> None:
    try:
        if database.is_sqlite:
            database.upgrade()
        else:
            database.check()
    finally:
        database.close()
