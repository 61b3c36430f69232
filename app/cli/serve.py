"""``cat-cds serve``: the service under gunicorn, joined once and then forked into workers."""

import errno
import math
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import click
import flask
import structlog
from gunicorn.app.base import BaseApplication

from app import audit, create_app
from app.cli import capacity, uncollected
from app.cli.connections import Limits
from app.cli.heap import collect_now_and_then, settle_memory
from app.cli.http_log import QuietLog
from app.cli.http_worker import QuietWorker
from app.clients import ClientsError
from app.fhir_client import is_loopback
from app.settings import Settings, SettingsError, load, variable
from hooks.tables import KnowledgeError

CONNECTIONS = 1_000
"""Connections that a worker holds, most of them idle between two calls."""

KEEP_ALIVE_SECONDS = 75
"""How long a connection is kept between two calls: longer than nginx does (60), so that it loses none."""

GRACE_SECONDS = 20
"""How long a worker that stops may take, beyond the time of a call, for what it has in hand."""

OWN_FHIR = b"GET /fhir/"
"""In demo mode a call asks the service itself for data: were that to wait for a thread, both would wait."""

COUNTERS = "PROMETHEUS_MULTIPROC_DIR"

EXIT_WRONG_SETTINGS = 2
EXIT_PORT_TAKEN = 3


class _Server(BaseApplication):
    """gunicorn with settings of ours and an application that is there already."""

    def __init__(self, app: flask.Flask, options: dict[str, Any], limits: Limits) -> None:
        self._app = app
        self.limits = limits  # the worker looks here
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            if name in self.cfg.settings:  # the control socket is newer than the oldest gunicorn that will do
                self.cfg.set(name, value)

    def load(self) -> flask.Flask:
        return self._app


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65_535), help="Port; 0 takes a free one."
)
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that answer; left out, one per usable core.")
@click.option("--threads", type=click.IntRange(1, 256), help="Calls at a time, per worker; left out, 16.")
@click.option(
    "--demo", is_flag=True, default=None, help="No authentication; fixture patients at /fhir; this machine only."
)
@click.option("--demo-public", is_flag=True, default=None, help="Lets a demo answer other machines.")
def serve(
    *, host: str, port: int, workers: int | None, threads: int | None, demo: bool | None, demo_public: bool | None
) -> None:
    """Start the service.

    Without --demo it starts only when clients are configured (CAT_CDS_CLIENTS_FILE).
    """
    try:
        settings = _settings(host, workers=workers, threads=threads, demo=demo, demo_public=demo_public)
        with listen(host, port) as listener, _shared_counters():
            settings = _at_its_address(settings, host, listener.getsockname()[1])
            with uncollected():
                app = create_app(settings)
            audit.configure(settings.log_level)
            if settings.demo:
                click.echo(_welcome(settings))
            else:
                place = "{}:{}".format(*listener.getsockname()[:2])
                structlog.get_logger("cat_cds").info("listening", place=place, public_url=settings.public_url)
            answer(app, listener, settings)
    except (SettingsError, ClientsError, KnowledgeError) as wrong:
        click.echo(f"cat-cds: {wrong}", err=True)
        sys.exit(EXIT_WRONG_SETTINGS)


def answer(app: flask.Flask, listener: socket.socket, settings: Settings) -> None:
    """Answer with ``app`` what comes at ``listener``, until the process is told to stop."""
    settle_memory()
    _Server(app, _options(listener, settings), _limits(settings)).run()


@contextmanager
def _shared_counters() -> Iterator[None]:
    """A folder in which the counters of all workers meet, unless one is set; prometheus_client reads it at import."""
    if os.environ.get(COUNTERS):
        yield
        return
    folder, owner = tempfile.mkdtemp(prefix="cat-cds-counters-"), os.getpid()
    os.environ[COUNTERS] = folder
    try:
        yield
    finally:
        if os.getpid() == owner:  # a worker that ends comes by here, too
            del os.environ[COUNTERS]
            shutil.rmtree(folder, ignore_errors=True)


def _options(listener: socket.socket, settings: Settings) -> dict[str, Any]:
    """How gunicorn is to run."""
    return {
        "bind": f"fd://{listener.detach()}",  # gunicorn closes it
        "workers": settings.workers or capacity.workers(capacity.cores()),
        "threads": settings.threads,
        "worker_connections": min(CONNECTIONS, capacity.allow_files() // 2),
        "worker_class": QuietWorker,
        "logger_class": QuietLog,
        "limit_request_field_size": 32_768,
        "http_parser": "python",  # not whichever is installed
        "preload_app": True,
        "keepalive": KEEP_ALIVE_SECONDS,
        "timeout": 60,
        "graceful_timeout": GRACE_SECONDS + math.ceil(settings.budget_ms / 1000),
        "loglevel": "warning",
        "proc_name": "cat-cds",
        "post_worker_init": _look_after_memory,
        "worker_exit": _write_what_is_queued,
        "control_socket_disable": True,
    }


def _limits(settings: Settings) -> Limits:
    """How long the HTTP layer waits: a call that has waited for as long as it may take is not begun any more."""
    patience = settings.budget_ms / 1000
    limits = Limits(waiting=settings.waiting, patience_seconds=patience)
    return replace(limits, quick=(*limits.quick, OWN_FHIR)) if settings.demo else limits


def _look_after_memory(_worker: object) -> None:
    collect_now_and_then()


def _write_what_is_queued(_arbiter: object, worker: Any) -> None:  # noqa: ANN401 - a worker of gunicorn
    worker.app.load().extensions["cat-cds"].close()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at the address, or one clear line and the end."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror or error})"
        click.echo(f"cat-cds: {host}:{port} {why}. Choose another one: --port 9000, or PORT=9000 make run.", err=True)
        sys.exit(EXIT_PORT_TAKEN)
    listener.set_inheritable(True)
    return listener


def _settings(host: str, **given: bool | int | None) -> Settings:
    """The settings, checked against where the service is to listen.

    Raises:
        SettingsError: a demo is to listen on other than loopback addresses, or others are not called by https.
    """
    settings = load(**given)
    if settings.demo and not settings.demo_public and not is_loopback(host):
        raise SettingsError(f"A demo listens on this machine only, not on {host}. Add --demo-public if you mean it.")
    if not settings.demo and not settings.public_url.startswith("https://"):
        raise SettingsError(f"{variable('public_url')} must be the https address under which clients call.")
    return settings


def _at_its_address(settings: Settings, host: str, port: int) -> Settings:
    """The public address of a demo is where it listens, unless it is set."""
    if not settings.demo or "public_url" in settings.model_fields_set:
        return settings
    shown = f"[{host}]" if ":" in host else host
    return settings.model_copy(update={"public_url": f"http://{shown}:{port}"})


def _welcome(settings: Settings) -> str:
    """What to open and what to try, in a few lines."""
    url, command = settings.public_url, sys.argv[0]
    body = (
        f'{{"hook": "patient-view", "hookInstance": "6f2b8d0e-3c1a-4e55-9d6b-2a7f0c9e41b7", '
        f'"fhirServer": "{url}/fhir", "context": {{"userId": "Practitioner/demo", "patientId": "brief"}}}}'
    )
    return (
        f"cat-cds in demo mode, synthetic patients, guideline {settings.guideline}. Not for clinical use.\n"
        f"  open      {url}/ (stop with Ctrl+C)\n"
        f"  services  {url}/cds-services\n"
        f"  patients  {url}/fhir/Patient\n"
        f"  terminal  {command} try brief --order apixaban --url {url}\n"
        f"  try       curl -s {url}/cds-services/cat-patient-view -H 'Content-Type: application/json' -d '{body}'"
    )
