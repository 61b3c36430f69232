"""The service as it runs for clients (`cat-cds serve`, two workers), three clients that sign, and two EHRs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil
import requests
from jwt.algorithms import ECAlgorithm

from app import create_app, today_in
from app.settings import STORE_FILE, Settings
from tests.app.hospital import KEY, PUBLIC
from tests.app.tls import certify
from tests.soak.ehr import ALWAYS_WELL, MOODY, https_fhir

Json = dict[str, Any]
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "ehr"
PATIENTS = ("brief", "sarcoma-day-170", "plain-healthy")
STAFF_TOKEN = "staff-of-the-soak-" * 2
START_SECONDS = 60.0
STOP_SECONDS = 60.0
WORKERS = 2
USUAL = (str(Path(sys.executable).with_name("cat-cds")),)
PATIENT = (
    sys.executable,
    "-c",
    "import app.store.database as store; store.CALL_WAITS_SECONDS = 5.0; from app.cli import main; main()",
)

_CLIENTS = """
[[client]]
name = "north"
issuer = "https://north.example"
jwks_file = "keys.json"
fhir_servers = ["{well}"]
internal_network = true
budget_ms = 10000

[[client]]
name = "south"
issuer = "https://south.example"
jwks_file = "keys.json"
fhir_servers = ["{moody}"]
internal_network = true
budget_ms = 1000

[[client]]
name = "east"
issuer = "https://east.example"
jwks_file = "keys.json"
jti_reuse = true
open_fhir_servers = ["{well}"]
internal_network = true
budget_ms = 10000
repeat_alerts_days = 1
"""


@dataclass(kw_only=True)
class Scene:
    """What runs, and with which ``status`` the service ended.

    ``answers`` are those of the EHRs, by query; ``services`` those of discovery, by hook. ``well`` and ``moody`` are
    the base URLs of the EHRs; ``log`` is the file of what the service writes.
    """

    url: str
    process: psutil.Process
    folder: Path
    well: str
    moody: str
    services: dict[str, Json]
    answers: dict[str, bytes]
    status: int | None = None

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def store(self) -> Path:
        return self.folder / STORE_FILE

    def read(self, query: str) -> Json:
        """What the EHRs answer to a query."""
        return dict(orjson.loads(self.answers[query]))


@contextmanager
def running(folder: Path, *, patient: bool = False) -> Iterator[Scene]:
    """The scene with all its files in ``folder``; the service is stopped as one stops it, by SIGTERM.

    A ``patient`` service waits for its store as long as a busy machine makes it, like those of the other tests.
    """
    services, answers = _records(folder)
    with ExitStack() as stack:
        authority, tls = certify(folder, "127.0.0.1")
        well = stack.enter_context(https_fhir(answers, tls, ALWAYS_WELL))
        moody = stack.enter_context(https_fhir(answers, tls, MOODY))
        public = ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
        (folder / "keys.json").write_bytes(orjson.dumps({"keys": [{**public, "kid": "k1"}]}))
        (folder / "clients.toml").write_text(_CLIENTS.format(well=well, moody=moody))
        counters = folder / "counters"
        counters.mkdir()
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("CAT_CDS_", "PROMETHEUS_"))},
            "CAT_CDS_CLIENTS_FILE": str(folder / "clients.toml"),
            "CAT_CDS_PUBLIC_URL": PUBLIC,
            "CAT_CDS_CARD_KEY": "k" * 32,
            "CAT_CDS_STATE_DIR": str(folder),
            "CAT_CDS_STAFF_TOKEN": STAFF_TOKEN,
            "CAT_CDS_CA_FILE": str(authority),
            "PROMETHEUS_MULTIPROC_DIR": str(counters),
        }
        child = stack.enter_context(_started(folder / "log", environment, PATIENT if patient else USUAL))
        process = psutil.Process(child.pid)
        scene = Scene(
            url=_address(process),
            process=process,
            folder=folder,
            well=well,
            moody=moody,
            services=services,
            answers=answers,
        )
        yield scene
        child.terminate()
        scene.status = child.wait(STOP_SECONDS)


def _records(folder: Path) -> tuple[dict[str, Json], dict[str, bytes]]:
    """Discovery by hook, and the record of each patient as the FHIR server of the demo answers, by query."""
    day = today_in("UTC")
    settings = Settings(demo=True, fixtures=FIXTURES, state_dir=folder / "demo")
    (folder / "demo").mkdir()
    app = create_app(settings, today=lambda _zone: day, write=lambda *_args, **_kwargs: None)
    reader = app.test_client()
    services = {one["hook"]: one for one in orjson.loads(reader.get("/cds-services").data)["services"]}
    queries = {
        template.replace("{{context.patientId}}", patient)
        for patient in PATIENTS
        for template in services["patient-view"]["prefetch"].values()
    } | {"Medication/sarcoma-day-170-syringe"}
    answers = {query: reader.get(f"/fhir/{query}").data for query in queries}
    app.extensions["cat-cds"].close()
    return services, answers


@contextmanager
def _started(log: Path, environment: dict[str, str], program: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    command = [*program, "serve", "--port", "0", "--workers", str(WORKERS)]
    with log.open("wb") as output:
        child = subprocess.Popen(command, env=environment, cwd=log.parent, stdout=output, stderr=output)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
            child.wait(STOP_SECONDS)


def _address(process: psutil.Process) -> str:
    """Where the service listens, once it answers and all its workers are there."""
    until, pause = time.monotonic() + START_SECONDS, threading.Event()
    while time.monotonic() < until and process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        ports = [one.laddr.port for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
        if ports and len(process.children()) == WORKERS:
            url = f"http://127.0.0.1:{ports[0]}"
            assert requests.get(f"{url}/health/ready", timeout=START_SECONDS).status_code == 200
            return url
        pause.wait(0.05)
    raise TimeoutError("the service did not start: see its log")
