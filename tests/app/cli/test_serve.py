"""``cat-cds serve``: what keeps it from starting, and that it serves, its own FHIR server included."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from click.testing import CliRunner, Result

from app import settings
from app.cli import SUBCOMMANDS, main
from app.cli.serve import EXIT_PORT_TAKEN, EXIT_WRONG_SETTINGS
from app.store.database import Database
from app.store.report import lines
from tests.app.cli.worker import until
from tests.app.service import APIXABAN, CLOT, COLON_CANCER, PATIENT_ID, PERSON, searchset
from tests.fake_ehr import saying
from tests.fake_ehr import serving as fake_ehr


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in settings.Settings.model_fields:
        monkeypatch.delenv(settings.variable(field), raising=False)


def serve(*options: str) -> Result:
    return CliRunner().invoke(main, ["serve", *options])


def one_line(refused: Result, status: int) -> str:
    assert refused.exit_code == status
    line = refused.stderr.rstrip("\n")
    assert line.startswith("cat-cds: ")
    assert "\n" not in line
    return line


# What keeps it from starting


def test_without_clients_it_says_what_to_set() -> None:
    assert "CAT_CDS_CLIENTS_FILE" in one_line(serve(), EXIT_WRONG_SETTINGS)


def test_an_unknown_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAT_CDS_GUIDLINE", "x")
    assert "CAT_CDS_GUIDLINE" in one_line(serve("--demo", "--port", "0"), EXIT_WRONG_SETTINGS)


def test_an_unknown_profile_is_named_with_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAT_CDS_GUIDELINE", "chest-1950")
    line = one_line(serve("--demo", "--port", "0"), EXIT_WRONG_SETTINGS)
    assert "chest-1950" in line
    assert "lmwh-first-2014" in line


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::"])  # noqa: S104 - it is to be refused
def test_a_demo_listens_on_this_machine_only(host: str) -> None:
    assert "--demo-public" in one_line(serve("--demo", "--host", host, "--port", "0"), EXIT_WRONG_SETTINGS)


def test_others_are_called_by_https(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CAT_CDS_CLIENTS_FILE", str(tmp_path / "clients.toml"))
    monkeypatch.setenv("CAT_CDS_CARD_KEY", "k" * 32)
    assert "CAT_CDS_PUBLIC_URL" in one_line(serve("--port", "0"), EXIT_WRONG_SETTINGS)
    monkeypatch.setenv("CAT_CDS_PUBLIC_URL", "https://cds.example")
    assert "clients.toml" in one_line(serve("--port", "0"), EXIT_WRONG_SETTINGS)


def test_a_port_that_is_taken_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        line = one_line(serve("--demo", "--port", str(port)), EXIT_PORT_TAKEN)
    assert f"127.0.0.1:{port} is taken" in line


def test_the_command_names_its_subcommands_without_loading_them() -> None:
    shown = CliRunner().invoke(main, ["--help"])
    assert shown.exit_code == 0
    assert all(name in shown.output and words in shown.output for name, (_, _, words) in SUBCOMMANDS.items())
    assert CliRunner().invoke(main, ["unknown"]).exit_code == 2


# That it serves


@contextmanager
def started(
    project_root: Path, *options: str, env: dict[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A demo as a process of its own on a free port: its address, and the process."""
    command = [str(Path(sys.executable).parent / "cat-cds"), "serve", "--demo", "--port", "0", *options]
    with subprocess.Popen(
        command, cwd=project_root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    ) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(5)]
        url = next(line.split()[1] for line in told if line.strip().startswith("services")).removesuffix(
            "/cds-services"
        )
        try:
            yield url, process
        finally:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=30)


@pytest.fixture(scope="module")
def demo(project_root: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    with started(project_root, "--workers", "1") as one:
        yield one


def open_chart(url: str, patient: str) -> requests.Response:
    body = {
        "hook": "patient-view",
        "hookInstance": "6f2b8d0e-3c1a-4e55-9d6b-2a7f0c9e41b7",
        "fhirServer": f"{url}/fhir",
        "context": {"userId": "Practitioner/demo", "patientId": patient},
    }
    return requests.post(f"{url}/cds-services/cat-patient-view", json=body, timeout=20)


def test_a_demo_reads_its_own_fhir_server_and_does_not_wait_for_itself(
    demo: tuple[str, subprocess.Popen[str]],
) -> None:
    url, _ = demo
    assert open_chart(url, "brief").json()["cards"]
    with ThreadPoolExecutor(4) as clinicians:
        answers = list(clinicians.map(lambda _: open_chart(url, "brief"), range(8)))
    assert {answer.status_code for answer in answers} == {200}


def test_nor_with_a_single_thread(project_root: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "CAT_CDS_STATE_DIR": str(tmp_path), "CAT_CDS_BUDGET_MS": "20000"}
    with started(project_root, "--workers", "1", "--threads", "1", env=environment) as (url, _):
        with ThreadPoolExecutor(6) as clinicians:
            answers = list(clinicians.map(lambda _: open_chart(url, "brief"), range(6)))
        assert [bool(answer.json()["cards"]) for answer in answers] == [True] * 6


def test_a_body_that_is_too_long_is_answered_and_not_cut_off(demo: tuple[str, subprocess.Popen[str]]) -> None:
    url, _ = demo
    answer = requests.post(
        f"{url}/cds-services/cat-patient-view",
        data=iter([b" " * 1_000_000] * 11),
        headers={"Content-Type": "application/json"},
        timeout=20,
    )
    assert (answer.status_code, answer.json()["resourceType"]) == (413, "OperationOutcome")


def test_it_logs_a_line_per_call_and_ends_in_order(demo: tuple[str, subprocess.Popen[str]]) -> None:
    url, process = demo
    open_chart(url, "brief")
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=20)
    assert process.returncode == 0
    assert '"service":"cat-patient-view"' in log
    assert '"status":200' in log
    assert "Traceback" not in log


def test_what_the_workers_have_queued_is_written_when_it_ends(project_root: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "CAT_CDS_STATE_DIR": str(tmp_path)}
    with started(project_root, "--workers", "2", env=environment) as (url, process):
        for _ in range(4):
            assert open_chart(url, "brief").json()["cards"]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    database = Database(f"sqlite:///{tmp_path / 'cat-cds.db'}")
    found = lines(database)
    database.close()
    assert {line.shown for line in found} == {4}


# That it stops, and that it restarts


SLOW = {
    "hook": "order-sign",
    "hookInstance": "6f2b8d0e-3c1a-4e55-9d6b-2a7f0c9e41b7",
    "context": {
        "userId": "Practitioner/demo",
        "patientId": PATIENT_ID,
        "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": APIXABAN}]},
    },
}


def sign(url: str, fhir: str) -> requests.Response:
    return requests.post(f"{url}/cds-services/cat-order-sign", json=SLOW | {"fhirServer": fhir}, timeout=20)


def test_calls_that_wait_for_a_fhir_server_are_answered_while_it_stops(project_root: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "CAT_CDS_STATE_DIR": str(tmp_path), "CAT_CDS_BUDGET_MS": "30000"}
    with fake_ehr() as ehr, started(project_root, "--workers", "2", env=environment) as (url, process):
        ehr.on("Patient", ehr.hanging(saying(PERSON)))
        ehr.on("Condition", saying(searchset(COLON_CANCER, CLOT)))
        with ThreadPoolExecutor(12) as clinicians:
            answers = [clinicians.submit(sign, url, ehr.base) for _ in range(12)]
            until(lambda: len(ehr.paths("Patient")) == 12)
            process.send_signal(signal.SIGTERM)
            until(lambda: not is_listening(url))
            ehr.released.set()
            got = [answer.result(20) for answer in answers]
        process.communicate(timeout=20)
    assert [answer.status_code for answer in got] == [200] * 12
    assert all(answer.json()["cards"] for answer in got)
    assert {answer.headers["Connection"] for answer in got} == {"close"}
    assert process.returncode == 0


def test_under_load_every_request_is_answered_in_full_until_it_has_stopped(project_root: Path, tmp_path: Path) -> None:
    """Each clinician asks on new connections until nobody listens: between that and an answer there is nothing."""
    environment = {**os.environ, "CAT_CDS_STATE_DIR": str(tmp_path)}
    asked = threading.Semaphore(0)

    def clinic(url: str) -> list[int]:
        statuses = []
        while True:
            with requests.Session() as session:
                try:
                    statuses.append(session.get(f"{url}/cds-services", timeout=20).status_code)
                except requests.ConnectionError as error:
                    if "Connection refused" not in str(error):
                        raise
                    return statuses
            asked.release()

    with started(project_root, "--workers", "2", env=environment) as (url, process):
        with ThreadPoolExecutor(4) as clinics:
            all_statuses = [clinics.submit(clinic, url) for _ in range(4)]
            for _ in range(40):
                assert asked.acquire(timeout=20)
            process.send_signal(signal.SIGTERM)
            statuses = [status for one in all_statuses for status in one.result(30)]
        process.communicate(timeout=20)
    assert len(statuses) >= 40
    assert set(statuses) == {200}


def test_workers_are_replaced_on_hup_and_nobody_notices(project_root: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "CAT_CDS_STATE_DIR": str(tmp_path)}

    with started(project_root, "--workers", "2", env=environment) as (url, process):
        until(lambda: len(children(process.pid)) == 2)
        before = children(process.pid)
        process.send_signal(signal.SIGHUP)
        statuses = []
        with requests.Session() as kept:

            def asked() -> bool:
                statuses.append(kept.get(f"{url}/cds-services", timeout=20).status_code)
                return not before & children(process.pid) and len(children(process.pid)) == 2

            until(asked)
        assert open_chart(url, "brief").json()["cards"]
    assert set(statuses) == {200}


def children(pid: int) -> set[str]:
    return set(Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split())


def is_listening(url: str) -> bool:
    address = urlsplit(url)
    try:
        socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=10).close()
    except ConnectionRefusedError:
        return False
    return True
