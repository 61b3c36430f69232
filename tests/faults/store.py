"""The rows on the database: locked by somebody, full, gone; what a call and what feedback get then."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa

from tests.app.hospital import ISSUER
from tests.app.service import Service
from tests.faults.fault import Clock, Fault, Scene
from tests.faults.sites import ACCEPTING, Sites, impatient_store, page_limited, sign_with, tell

SIGN = "200 doac-luminal-gi"
LATER = "503 transient, Retry-After"
SPARE_PAGES = 8
SURE = 2000
"""So many rows in a row that did not fit: no page has room for another."""

Trouble = AbstractContextManager[None]
Ask = Callable[[], requests.Response]
Asker = Callable[[Service, Clock], Ask]


def rows(sites: Sites) -> list[Fault]:
    def sqlite(make: Callable[[Service, Path], Trouble], asker: Asker) -> AbstractContextManager[Scene]:
        service, clock, file = sites.sqlite()
        return _scene(service, clock, asker, lambda: make(service, file))

    def postgresql(asker: Asker) -> AbstractContextManager[Scene]:
        service, clock, server = sites.postgresql()
        return _scene(service, clock, asker, lambda: _stopped(server))

    troubles = [
        *(("SQLite", name, partial(sqlite, make)) for name, make in _SQLITE.items()),
        ("PostgreSQL", "gone", postgresql),
    ]
    return [
        Fault(group=group, name=f"{name}: {who}", scene=partial(play, asker), usual=usual, gets=gets)
        for group, name, play in troubles
        for who, asker, usual, gets in _ASKS
        if (name, who) != ("full", FEEDBACK)  # a row may still fit where a page of that table has room
    ]


# Who asks

FEEDBACK = "feedback"


def _call(service: Service, clock: Clock) -> Ask:
    return lambda: sign_with(service, clock)


def _lenient_call(service: Service, clock: Clock) -> Ask:
    return lambda: sign_with(service, clock, iss=ACCEPTING)


def _feedback(service: Service, clock: Clock) -> Ask:
    card = sign_with(service, clock, iss=ACCEPTING).json()["cards"][0]["uuid"]
    return lambda: tell(service, clock, card)


_ASKS: tuple[tuple[str, Asker, str, str], ...] = (
    ("call of a client as by default", _call, SIGN, LATER),
    ('call of a client with jti_when_store_is_down = "accept"', _lenient_call, SIGN, SIGN),
    (FEEDBACK, _feedback, "200", LATER),
)


@contextmanager
def _scene(service: Service, clock: Clock, asker: Asker, make: Callable[[], Trouble]) -> Iterator[Scene]:
    with impatient_store():
        ask, trouble = asker(service, clock), make()
        yield Scene(
            service=service,
            clock=clock,
            ask=ask,
            begin=trouble.__enter__,
            end=lambda: trouble.__exit__(None, None, None),
        )


# What goes wrong


@contextmanager
def _locked(_service: Service, file: Path) -> Iterator[None]:
    """Another connection holds the lock that writers need."""
    other = sqlite3.connect(file, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
    finally:
        other.close()


@contextmanager
def _full(service: Service, file: Path) -> Iterator[None]:
    """The file may not grow any more, and no page of the used tokens has room for another."""
    service.ledger.notes.flush()
    limit = page_limited(file, SPARE_PAGES)
    sa.event.listen(sa.Pool, "connect", limit)
    service.ledger.database.close()  # connections from before have no limit
    _fill(file, limit)
    try:
        yield
    finally:
        sa.event.remove(sa.Pool, "connect", limit)
        service.ledger.database.close()
        with sqlite3.connect(file) as connection:
            connection.execute("DELETE FROM seen_token WHERE expires = 4102444800")
        connection.close()


def _fill(file: Path, limit: Callable[[object, object], None]) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    limit(connection, None)
    for issuer in (ISSUER, ACCEPTING):
        refused = 0
        while refused < SURE:
            try:
                row = (issuer, secrets.token_hex(32), 4_102_444_800)
                connection.execute("INSERT INTO seen_token (issuer, jti_hash, expires) VALUES (?, ?, ?)", row)
                refused = 0
            except sqlite3.OperationalError:
                refused += 1
    connection.close()


@contextmanager
def _gone(service: Service, file: Path) -> Iterator[None]:
    """The folder of the file is not there any more, as when its volume is taken away."""
    away = file.parent.with_name("away")
    service.ledger.database.close()
    file.parent.rename(away)
    try:
        yield
    finally:
        service.ledger.database.close()
        away.rename(file.parent)


@contextmanager
def _stopped(server: Any) -> Iterator[None]:
    """The database server is stopped, and started again."""
    server.stop()
    try:
        yield
    finally:
        server.start()


_SQLITE: dict[str, Callable[[Service, Path], Trouble]] = {"locked": _locked, "full": _full, "gone": _gone}
