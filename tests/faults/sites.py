"""The services on which faults are played: each is started once, with its clocks in the hand of the test."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import requests

from app.settings import Settings
from app.store import database
from tests.app.hospital import bearer, listed
from tests.app.service import Service, call, record, running, searchset
from tests.app.store.databases import a_server, empty_database, opened
from tests.fake_ehr import Asked, FakeEhr, Reply, bundle, saying
from tests.faults.fault import BUDGET_MS, PAUSE_SECONDS, Clock

SIGN = "/cds-services/cat-order-sign"
ACCEPTING = "https://accepting.example"
KINDS = {
    "patient": "Patient",
    "conditions": "Condition",
    "medications": "MedicationRequest",
    "procedures": "Procedure",
    "allergies": "AllergyIntolerance",
}
ALL = (*KINDS.values(), "Observation")
STORE_WAITS_SECONDS = 0.3
"""As long as a call waits for the store in these scenes; the tests elsewhere wait longer than the service does."""


@dataclass
class Sites:
    """What is running. ``folder`` is for files that may go in the end."""

    stack: ExitStack
    folder: Path
    _running: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def none(cls) -> Sites:
        """Nothing that could run: for reading the rows."""
        return cls(ExitStack(), Path())

    def _once(self, name: str, start: Callable[[], Any]) -> Any:
        if name not in self._running:
            self._running[name] = start()
        return self._running[name]

    def demo(self) -> tuple[Service, Clock]:
        """A service that asks any FHIR server of this machine."""

        def start() -> tuple[Service, Clock]:
            settings = Settings(demo=True, state_dir=self.folder, budget_ms=BUDGET_MS, fhir_pause_seconds=PAUSE_SECONDS)
            return self.service(settings)

        found: tuple[Service, Clock] = self._once("demo", start)
        return found

    def patient(self) -> tuple[Service, Clock]:
        """The same with more time for a call than any machine needs."""

        def start() -> tuple[Service, Clock]:
            return self.service(Settings(demo=True, state_dir=self.folder, budget_ms=6 * BUDGET_MS))

        found: tuple[Service, Clock] = self._once("patient", start)
        return found

    def sqlite(self) -> tuple[Service, Clock, Path]:
        """A service with two listed clients and a SQLite file."""

        def start() -> tuple[Service, Clock, Path]:
            folder = self.folder / "sqlite"
            (folder / "state").mkdir(parents=True)
            settings = _listed(folder, state_dir=folder / "state")
            return *self.service(settings), folder / "state" / "cat-cds.db"

        found: tuple[Service, Clock, Path] = self._once("sqlite", start)
        return found

    def postgresql(self) -> tuple[Service, Clock, Any]:
        """A service with two listed clients and a PostgreSQL server of its own."""

        def start() -> tuple[Service, Clock, Any]:
            server = self.stack.enter_context(a_server())
            url = empty_database(server)
            with opened(url) as one:
                one.upgrade()
            settings = _listed(self.folder / "postgresql", database_url=url)
            return *self.service(settings), server

        found: tuple[Service, Clock, Any] = self._once("postgresql", start)
        return found

    def service(self, settings: Settings) -> tuple[Service, Clock]:
        """A service of these settings, running to the end."""
        clock = Clock()
        given = {"today": clock.today, "clock": clock.monotonic, "now": clock.wall}
        with impatient_store():
            return self.stack.enter_context(running(settings, **given)), clock


def _listed(folder: Path, **settings: Any) -> Settings:
    """Two clients: "north" as the settings make it, "accepting" goes on without the store and holds back repeats."""
    more = (
        f'[[client]]\nname = "accepting"\nissuer = "{ACCEPTING}"\njwks_file = "keys.json"\n'
        'jti_when_store_is_down = "accept"\nrepeat_alerts_days = 30\n'
    )
    return listed(folder, entry=more, budget_ms=BUDGET_MS, **settings)


@contextmanager
def all_sites() -> Iterator[Sites]:
    with tempfile.TemporaryDirectory(prefix="faults-") as folder, ExitStack() as stack:
        yield Sites(stack, Path(folder))


@contextmanager
def impatient_store() -> Iterator[None]:
    with (
        patch.object(database, "CALL_WAITS_SECONDS", STORE_WAITS_SECONDS),
        patch.object(database, "COMMIT_WAITS_SECONDS", 2 * STORE_WAITS_SECONDS),
    ):
        yield


def sign_with(service: Service, clock: Clock, **claims: Any) -> requests.Response:
    """A draft of apixaban signed by a listed client, all data in prefetch; its token is of the EHR's clock."""
    return service.post(call("order-sign"), headers=bearer(SIGN, **_times(clock), **claims))


def tell(service: Service, clock: Clock, card: str) -> requests.Response:
    """Feedback that this card was overridden."""
    entry = {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-03-10T12:30:00Z"}
    headers = bearer(SIGN, **_times(clock), iss=ACCEPTING)
    return service.http.post(f"{service.url}{SIGN}/feedback", json={"feedback": [entry]}, headers=headers, timeout=10)


def _times(clock: Clock) -> dict[str, int]:
    """The EHR's clock goes on as the service's does, but is not set anew with it."""
    now = int(clock.ehr())
    return {"iat": now, "exp": now + 60}


def whole_record(ehr: FakeEhr) -> None:
    """The record that ``call`` puts into prefetch, to be read from this EHR."""
    for key, kind in KINDS.items():
        ehr.on(kind, saying(record()[key] or searchset()))
    ehr.on("Observation", observations)


def observations(asked: Asked) -> Reply:
    held = [entry["resource"] for one in record().values() if one for entry in one.get("entry", [])]
    wanted = [r for r in held if r["resourceType"] == "Observation" and r["code"]["coding"][0]["code"] in asked.path]
    return saying(bundle(*wanted))(asked)


def page_limited(file: Path, spare: int) -> Callable[[Any, Any], None]:
    """What makes each new connection to a SQLite file refuse to let it grow by more than some pages."""
    with sqlite3.connect(file) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.close()

    def limit(connection: Any, _record: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute(f"PRAGMA max_page_count = {pages + spare}").close()

    return limit
