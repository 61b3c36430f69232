"""sekmet servers with all fixture patients in them, and the service, for the tests of this folder.

The tests are of the xdist group "sekmet", so that one process has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.demo.charts import Charts
from app.settings import Settings
from tests.app.service import TODAY, Service
from tests.app.service import running as service_running
from tests.app.test_every_patient import HAS_A_MEDICATION_REFERENCE, prefetched
from tests.integration.calls import Filled
from tests.integration.sekmet import Sekmet, running

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "ehr"
SERVERS = 4
"""The patients are shared among so many: a sorted search of this server looks through all Observations it has."""


@pytest.fixture(scope="session")
def charts() -> Charts:
    """The charts of the fixture patients as they are on the day of the tests."""
    return Charts(folder=FIXTURES, today=lambda: TODAY)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sekmet")


@pytest.fixture(scope="session")
def server_of(folder: Path, charts: Charts) -> Iterator[dict[str, Sekmet]]:
    """The server of each patient, who is in it by its own API: a transaction for each patient."""
    with ExitStack() as stack, ThreadPoolExecutor(SERVERS) as pool:
        servers = [
            stack.enter_context(running(folder / f"server-{at}", folder / f"{at}.db", token_check=True))
            for at in range(SERVERS)
        ]
        of = {patient: servers[at % SERVERS] for at, patient in enumerate(charts.patient_ids())}
        list(pool.map(lambda patient: of[patient].store(charts.chart(patient)), of))
        yield of


@pytest.fixture(scope="session")
def absolute(server_of: dict[str, Sekmet], folder: Path, charts: Charts) -> Iterator[tuple[Sekmet, list[str]]]:
    """A further server of what one of them holds, which writes every reference as an absolute address; its patients."""
    twin = server_of[HAS_A_MEDICATION_REFERENCE]
    patients = [patient for patient, server in server_of.items() if server is twin]
    database = folder / f"{charts.patient_ids().index(HAS_A_MEDICATION_REFERENCE) % SERVERS}.db"
    with running(folder / "absolute", database, token_check=False, absolute_references=True) as server:
        yield server, patients


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """The service in demo mode, which may ask FHIR servers of this machine; a busy one may take its time."""
    with service_running(Settings(demo=True, fixtures=FIXTURES, budget_ms=30_000)) as one:
        yield one


@pytest.fixture(scope="session")
def templates(service: Service) -> dict[str, str]:
    """The prefetch templates of discovery, which all services share."""
    first, *others = [dict(one["prefetch"]) for one in service.get("/cds-services").json()["services"]]
    assert all(one == first for one in others)
    return first


@pytest.fixture(scope="session")
def prefetch_of(service: Service, templates: dict[str, str], charts: Charts) -> Filled:
    """The prefetch of each patient, filled by the demo's own FHIR server."""
    return {patient: prefetched(service, templates, patient) for patient in charts.patient_ids()}
