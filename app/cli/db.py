"""``cat-cds db``: the tables of the store, made, brought up to date and checked."""

import sys
from collections.abc import Callable

import click

from app import settings
from app.settings import SettingsError
from app.store.database import Database, StoreDownError, StoreError

EXIT_WRONG = 2


@click.group()
def db() -> None:
    """Make, renew and check the tables of the store (CAT_CDS_DATABASE_URL)."""


@db.command()
def upgrade() -> None:
    """Bring the tables to this release. Safe to run again, and from several machines at once."""
    _with_database(Database.upgrade)
    click.echo("The tables are those of this release.")


@db.command()
def check() -> None:
    """Tell whether the tables are those of this release."""
    _with_database(Database.check)
    click.echo("The tables are those of this release.")


def open_store() -> Database:
    """The store that the settings name; clients and keys need not be set for that.

    Raises:
        SettingsError, StoreError: with the remedy.
    """
    return Database(settings.load_alone().store_url)


def give_up(wrong: Exception) -> None:
    """One line that says what is wrong, and the end."""
    words = "The database does not answer." if isinstance(wrong, StoreDownError) else str(wrong)
    click.echo(f"cat-cds: {words}", err=True)
    sys.exit(EXIT_WRONG)


def _with_database(work: Callable[[Database], None]) -> None:
    try:
        database = open_store()
        try:
            work(database)
        finally:
            database.close()
    except (SettingsError, StoreError, StoreDownError) as wrong:
        give_up(wrong)
