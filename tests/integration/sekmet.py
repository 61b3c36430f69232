"""sekmet-fhir, a FHIR R4 server that nobody of this project wrote, as a process of its own on a free port."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

Json = dict[str, Any]
TOKEN = "token-of-the-tests"
SMART_CLIENT, SMART_SECRET = "cds", "secret-of-the-tests"
START_SECONDS = 60.0
SERVER = ("-m", "uvicorn", "--factory", "sekmet.main:app_factory", "--log-level", "warning")


@dataclass(frozen=True, kw_only=True)
class Sekmet:
    """The running server: its base URL, and a way to speak to it as one who may do everything."""

    base: str
    http: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.http.headers.update({"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/fhir+json"})

    def get(self, query: str) -> requests.Response:
        return self.http.get(f"{self.base}/{query}", timeout=START_SECONDS)

    def read(self, query: str) -> Json:
        answer = self.get(query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def put(self, resource: Json) -> None:
        where = f"{self.base}/{resource['resourceType']}/{resource['id']}"
        answer = self.http.put(where, json=resource, timeout=START_SECONDS)
        assert answer.ok, answer.text

    def store(self, resources: Iterable[Json]) -> None:
        """Put resources under the ids that they have, all or none (a transaction)."""
        entries = [
            {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
            for one in resources
        ]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        answer = self.http.post(self.base, json=bundle, headers={"Prefer": "return=minimal"}, timeout=START_SECONDS)
        assert answer.status_code == 200, answer.text

    def smart_token(self, scope: str) -> str:
        """An access token of SMART Backend Services for these scopes."""
        form = {"grant_type": "client_credentials", "scope": scope}
        address = self.base.removesuffix("/fhir") + "/auth/token"
        answer = requests.post(address, data=form, auth=(SMART_CLIENT, SMART_SECRET), timeout=START_SECONDS)
        assert answer.status_code == 200, answer.text
        assert answer.json()["scope"] == scope
        return str(answer.json()["access_token"])


@contextmanager
def running(folder: Path, database: Path, *, token_check: bool, **behaviour: bool) -> Iterator[Sekmet]:
    """The server with its state in ``folder`` and its resources in ``database``.

    With ``token_check`` it answers nobody without a token. ``behaviour`` are its own ``server_behaviour``. What it
    plays besides (a laboratory, a pharmacy that fulfils orders) is switched off: a chart stays as it was put.
    """
    folder.mkdir(exist_ok=True)
    # the socket is handed over: no port is free at one moment and taken at the next
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # uvicorn does not, for a socket handed over
        base = f"http://127.0.0.1:{listener.getsockname()[1]}/fhir"
        settings = {
            **_settings(base, folder, database),
            "server_auth": _auth() if token_check else {"types": ["none"]},
            "server_behaviour": behaviour,
        }
        (folder / "settings.yaml").write_text(json.dumps(settings))  # JSON is YAML, too
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *SERVER, "--fd", str(listener.fileno())],
                cwd=folder,
                env={**os.environ, "SEKMET_CONFIG": str(folder / "settings.yaml")},
                pass_fds=[listener.fileno()],
                stdout=output,
                stderr=output,
            )
    try:
        server = Sekmet(base=base)
        server.read("metadata")
        yield server
        server.http.close()
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _settings(base: str, folder: Path, database: Path) -> Json:
    return {
        "base_url": base,
        "data_dir": str(folder),
        "db_path": str(database),
        "simulator": {"enabled": False},
        "log_inbound": False,
    }


def _auth() -> Json:
    client = {"client_id": SMART_CLIENT, "client_secret": SMART_SECRET, "scopes": "system/*.*"}
    return {"types": ["bearer", "smart"], "tokens": [TOKEN], "smart_clients": [client]}
