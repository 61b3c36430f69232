"""The service that speaks HTTP and FHIR: ``create_app`` joins its parts.

Imports nothing of ours at module level, so that no import can go in circles.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import flask

    from app.audit import Write
    from app.auth import Verify
    from app.clients import Client
    from app.fhir_client import Fetch
    from app.key_sets import KeySets
    from app.settings import Settings
    from app.store.opening import Ledger
    from hooks.knowledge import Knowledge

KEY_THREADS = 4
"""Threads that renew the key sets of clients behind the answers, per worker."""

THREADS = 64
"""Threads that ask FHIR servers, per worker; one server gets ``fhir_connections`` of them at most, and at most half."""


def today_in(timezone: str) -> date:
    """The date now at a place."""
    return datetime.now(ZoneInfo(timezone)).date()


def correlation_id() -> str:
    """An id that joins an answer to its line in the log: no secret, so it need not wait for the system's entropy.

    Gunicorn seeds each worker anew, so that two workers do not count alike.
    """
    return f"{random.getrandbits(128):032x}"


def create_app(
    settings: Settings,
    *,
    today: Callable[[str], date] = today_in,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], float] = time.time,
    new_id: Callable[[], str] = correlation_id,
    fetch: Fetch | None = None,
    write: Write | None = None,
) -> flask.Flask:
    """The service, ready to be called.

    ``today`` gives the date in a time zone, ``clock`` counts seconds, ``now`` is seconds since 1970,
    ``fetch`` asks a FHIR server, ``write`` logs a call.

    Raises:
        SettingsError, ClientsError, hooks.tables.KnowledgeError: with the remedy.
    """
    from concurrent.futures import ThreadPoolExecutor

    import flask

    from app import audit, clients, pages, routes, sources, wire
    from app.breaker import Circuits
    from app.fhir_client import FhirClient
    from app.lanes import Lanes
    from app.metrics import Metrics, and_counted
    from app.pages import feedback, front
    from app.routes import description, staff
    from app.routes.door import LOOPBACK_ORIGINS, furnish
    from hooks import knowledge as all_knowledge

    knowledge = all_knowledge.load(frozenset(settings.code_packs) or None, settings.local_codes)
    listed = _clients(settings, knowledge)
    ledger = _ledger(settings, now)
    ca_file = str(settings.ca_file) if settings.ca_file else None
    client = FhirClient(max_bytes=settings.max_fhir_bytes, connections=settings.fhir_connections, ca_file=ca_file)
    keys = _keys(settings, clock, ca_file)
    metrics = Metrics(lost_notes=lambda: ledger.notes.dropped)
    parts = routes.Parts(
        settings=settings,
        knowledge=knowledge,
        sources=sources.table(knowledge.labs),
        verify=_verify(settings, listed, now, keys, ledger),
        fetch=metrics.watched(fetch or client.get),
        circuits=Circuits(clock=clock, longest=settings.fhir_pause_seconds, tell=metrics.circuit),
        lanes=Lanes(
            ThreadPoolExecutor(THREADS, thread_name_prefix="fhir"), threads=THREADS, width=settings.fhir_connections
        ),
        today=today,
        clock=clock,
        write=and_counted(write or audit.write, metrics),
        now=now,
        ledger=ledger,
    )
    wire.warm()
    app = flask.Flask(__name__, static_folder=None)
    app.extensions["cat-cds"] = ledger
    app.extensions["cat-cds-metrics"] = metrics
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    origins = [origin for one in listed for origin in one.origins]
    furnish(
        app,
        origins=[LOOPBACK_ORIGINS, clients.SANDBOX] if settings.demo else origins,
        loopback_only=settings.demo and not settings.demo_public,
        new_id=new_id,
    )
    app.register_blueprint(routes.blueprint(parts))
    app.register_blueprint(description.blueprint(settings))
    app.register_blueprint(staff.blueprint(settings, metrics))
    app.register_blueprint(feedback.blueprint(settings, knowledge, ledger.database, now))
    app.register_blueprint(pages.blueprint(knowledge, settings.public_url, lambda: today(settings.timezone)))
    if settings.demo:
        from app.demo.joining import join

        join(app, parts, _fixtures(settings))
    else:
        app.register_blueprint(front.blueprint(knowledge, settings.public_url))
    return app


def known_names(knowledge: Knowledge) -> dict[str, frozenset[str]]:
    """The names that an entry of the clients file may use, by key."""
    from app import sources
    from hooks.services import SERVICES

    return {
        "profile": frozenset(knowledge.profiles),
        "services": frozenset(service.id for service in SERVICES),
        "silent_rules": frozenset(rule.code for rule in knowledge.rules),
        "prefetch": frozenset(row.key for row in sources.table(knowledge.labs)),
    }


def _clients(settings: Settings, knowledge: Knowledge) -> tuple[Client, ...]:
    """The clients, once everything that they and the settings name is known to exist."""
    from app import clients_file
    from app.clients import ClientsError
    from app.settings import SettingsError, variable

    known = ", ".join(sorted(knowledge.profiles))
    if settings.guideline not in knowledge.profiles:
        raise SettingsError(f"{variable('guideline')}: there is no profile {settings.guideline}. Use one of: {known}.")
    if settings.clients_file is None or settings.demo:
        return ()
    found = clients_file.read(settings.clients_file)
    faults = (
        *found.faults,
        *clients_file.unknown_names(found, known_names(knowledge)),
        *clients_file.internal_addresses(found),
    )
    if faults:
        raise ClientsError(str(faults[0]))
    return found.clients


def _verify(
    settings: Settings, listed: Sequence[Client], now: Callable[[], float], keys: KeySets, ledger: Ledger
) -> Verify:
    from app import auth

    if settings.demo:
        return auth.demo(settings)
    return auth.with_clients(listed, settings, now=now, keys=keys, seen=ledger.seen)


def _keys(settings: Settings, clock: Callable[[], float], ca_file: str | None) -> KeySets:
    from concurrent.futures import ThreadPoolExecutor

    from app.key_sets import KeySets, reader
    from app.outbound import Outbound

    read = reader(Outbound(connections=KEY_THREADS, ca_file=ca_file), clock)
    later = ThreadPoolExecutor(KEY_THREADS, thread_name_prefix="keys").submit
    return KeySets(clock=clock, read=read, later=later, budget_ms=settings.budget_ms)


def _ledger(settings: Settings, now: Callable[[], float]) -> Ledger:
    from app.store.behind import Behind
    from app.store.notes import Note, Notes, Sweep
    from app.store.opening import Ledger, open_database
    from app.store.tokens import SeenTokens

    database = open_database(settings)
    notes: Behind[Note] = Behind(Notes(database, now=now, keep_days=settings.keep_days))
    seen = SeenTokens(database, now=now, sweep=lambda: notes.put([Sweep()]))
    return Ledger(database=database, notes=notes, seen=seen)


def _fixtures(settings: Settings) -> Path:
    """The folder of the demo patients: as set, in the installed package, or in the source tree."""
    from app.settings import SettingsError, variable

    here = Path(__file__).resolve().parent
    for folder in (settings.fixtures, here / "demo" / "fixtures", here.parent / "fixtures" / "ehr"):
        if folder is not None and folder.is_dir():
            return folder
    raise SettingsError(f"The demo patients are not there. Name their folder in {variable('fixtures')}.")
