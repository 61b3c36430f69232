"""What the tests of scale run: replicas of the service behind a real nginx, and the one PostgreSQL that they share."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import requests

from app.settings import Settings
from tests.app.hospital import listed
from tests.app.store.databases import empty_database, environment, postgresql, short_folder
from tests.app.tls import certify

ROOT = Path(__file__).resolve().parents[2]
NGINX_CONF = ROOT / "docs" / "deploy" / "nginx.conf"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
NOBODY = 65534
PATIENCE_SECONDS = 60


def free_ports(number: int) -> list[int]:
    """So many ports of this machine that nobody uses."""
    probes = [socket.socket() for _ in range(number)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def session(*, trust: Path | None = None) -> requests.Session:
    """Connections of one caller, that asks once and no more."""
    http = requests.Session()
    http.trust_env = False
    http.verify = str(trust) if trust else True
    return http


class Replica:
    """One ``cat-cds serve`` at an address of its own: a process group, as a container is."""

    def __init__(self, port: int, log: Path, given: dict[str, str]) -> None:
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{self.address}"
        self._port = port
        self._log_file = log
        self._given = given
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [_console(), "serve", "--port", str(self._port), "--workers", "1"]
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=self._given, stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + PATIENCE_SECONDS
        with session() as http:
            while not self._is_ready(http):
                assert not _ended_within(self._process, 0.05), f"no start: {self._log_file.read_text()[-2000:]}"
                assert time.monotonic() < until, "the replica does not answer"

    def _is_ready(self, http: requests.Session) -> bool:
        try:
            return http.get(f"{self.url}/health/ready", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def kill(self) -> None:
        """End it and its workers at once, whatever they are at."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as an orchestrator does, where it runs."""
        if self._process is not None and self._process.poll() is None:
            self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, how)
        self._process.wait(30)


class SharedDatabase:
    """A PostgreSQL that can crash and come back, with an empty database in it."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url = empty_database(server)

    def crash(self) -> None:
        """End it without a checkpoint: what was not written to its log by then is lost, and no caller is told."""
        process = self._server.get_postmaster_info().process
        process.send_signal(signal.SIGQUIT)
        process.wait(30)

    def start(self) -> None:
        """Start it; it recovers from its log."""
        self._server.ensure_postgres_running()


def configured(text: str, *, port: int, replicas: Sequence[str], certificate: Path, folder: Path) -> str:
    """The text of docs/deploy/nginx.conf with the addresses and places of a test, and nothing else changed."""
    servers = re.search(r"^ *server cat-cds:8000 resolve( [^;]*);$", text, re.MULTILINE)
    assert servers is not None
    changes = {
        servers[0]: "\n".join(f"        server {replica}{servers[1]};" for replica in replicas),
        "listen 8443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "access_log /dev/stdout calls;": f"access_log {folder}/calls.log calls;",
        "/run/secrets/tls_certificate;": f"{certificate};",
        "/run/secrets/tls_key;": f"{certificate.with_suffix('.key')};",
        "pid /tmp/": f"pid {folder}/",
    }
    for old, new in changes.items():
        assert text.count(old) == 1, f"docs/deploy/nginx.conf has no single {old}"
        text = text.replace(old, new)
    return re.sub(r"(temp_path) /tmp/", rf"\1 {folder}/", text)


class Balancer:
    """A running nginx: its address, the certificate to trust, and what it wrote about the calls."""

    def __init__(self, url: str, trust: Path, calls: Path) -> None:
        self.url = url
        self._trust = trust
        self._calls = calls
        self._read = 0
        self._answered: Counter[str] = Counter()

    def calls(self) -> list[str]:
        """The lines of its log."""
        return self._calls.read_text().splitlines()

    def answered_by(self, replica: Replica) -> int:
        """How many calls this replica answered with 200."""
        with self._calls.open("rb") as written:
            written.seek(self._read)
            whole = written.read().rpartition(b"\n")[0]
        self._read += len(whole) + 1 if whole else 0
        for line in whole.splitlines():
            told = json.loads(line)
            if told["replica_status"] == "200":
                self._answered[told["replica"]] += 1
        return self._answered[replica.address]

    def session(self) -> requests.Session:
        """Connections to it."""
        return session(trust=self._trust)


@contextmanager
def balanced(replicas: Sequence[str]) -> Iterator[Balancer]:
    """nginx in front of ``replicas`` (host:port), with the project's own configuration, never as root."""
    assert NGINX is not None
    [port] = free_ports(1)
    folder = short_folder()
    trust, _ = certify(folder, "127.0.0.1")
    text = configured(
        NGINX_CONF.read_text(encoding="utf-8"), port=port, replicas=replicas, certificate=trust, folder=folder
    )
    conf, calls = folder / "nginx.conf", folder / "calls.log"
    conf.write_text(text, encoding="utf-8")
    calls.touch()
    user: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        for path in (folder, *folder.iterdir()):
            os.chown(path, NOBODY, NOBODY)
    command = [NGINX, "-e", "stderr", "-p", str(folder), "-c", str(conf), "-g", "daemon off;"]
    errors = folder / "errors.log"
    try:
        with errors.open("wb") as written:
            process = subprocess.Popen(command, cwd="/", stdout=written, stderr=written, **user)
        try:
            _wait_for_handshake(port, process, trust, errors)
            yield Balancer(f"https://127.0.0.1:{port}", trust, calls)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(15)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for_handshake(port: int, process: subprocess.Popen[bytes], trust: Path, errors: Path) -> None:
    context = ssl.create_default_context(cafile=str(trust))
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as plain:
                context.wrap_socket(plain, server_hostname="127.0.0.1").close()
        except OSError:
            assert not _ended_within(process, 0.05), f"nginx did not start: {errors.read_text()}"
            assert time.monotonic() < until, "nginx does not answer"
        else:
            return


def _ended_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


class Stage:
    """Three replicas, the balancer before them, and the database behind them."""

    def __init__(
        self, *, settings: Settings, database: SharedDatabase, replicas: list[Replica], balancer: Balancer, log: Path
    ) -> None:
        self.settings = settings
        self.database = database
        self.replicas = replicas
        self.balancer = balancer
        self._log = log

    def log(self) -> str:
        """What the replicas wrote."""
        return self._log.read_text(encoding="utf-8")


@contextmanager
def staged(*, timezone: str, replicas: int = 3) -> Iterator[Stage]:
    """Everything started, the tables made by ``cat-cds db upgrade``; everything ended with the block."""
    folder = short_folder()
    log = folder / "replicas.log"
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        settings = listed(folder / "site", entry=f'timezone = "{timezone}"')
        database = SharedDatabase(stack.enter_context(postgresql(folder)))
        given = _given(settings, database.url)
        subprocess.run([_console(), "db", "upgrade"], cwd=ROOT, env=given, check=True, capture_output=True, timeout=60)
        group = [Replica(port, log, given) for port in free_ports(replicas)]
        for one in group:
            stack.callback(one.stop)
            one.start()
        balancer = stack.enter_context(balanced([one.address for one in group]))
        yield Stage(settings=settings, database=database, replicas=group, balancer=balancer, log=log)


def _given(settings: Settings, database: str) -> dict[str, str]:
    """The environment of a replica: what a deployment sets, and nothing of the tests around it."""
    assert settings.card_key is not None
    given = environment(
        CAT_CDS_PUBLIC_URL=settings.public_url,
        CAT_CDS_CLIENTS_FILE=str(settings.clients_file),
        CAT_CDS_CARD_KEY=settings.card_key.get_secret_value(),
        CAT_CDS_DATABASE_URL=database,
        TMPDIR=tempfile.gettempdir(),
    )
    given.pop("PROMETHEUS_MULTIPROC_DIR", None)
    return given


def _console() -> str:
    return str(Path(sys.executable).parent / "cat-cds")


def at_noon() -> str:
    """A time zone in which it is about noon: no run of minutes passes midnight there."""
    hours = 12 - time.gmtime().tm_hour
    return f"Etc/GMT{-hours:+d}" if hours else "Etc/GMT"
