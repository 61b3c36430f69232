"""One worker of the HTTP server in a thread of the tests, over a real socket, with limits as a test needs them."""

from __future__ import annotations

import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.sock import TCPSocket

from app.cli.connections import Limits
from app.cli.http_log import QuietLog
from app.cli.http_worker import QuietWorker

PATIENCE = 20
"""Seconds after which a test gives up."""


class Application:
    """What gunicorn calls an application: the WSGI one, and our limits."""

    def __init__(self, wsgi: Any, limits: Limits) -> None:
        self.limits = limits
        self.wsgi = lambda: wsgi


class Gate:
    """An application whose calls stay inside until they are let out; what is quick goes through."""

    def __init__(self) -> None:
        self.inside = threading.Semaphore(0)
        self.open = threading.Event()
        self.turned_away: list[str] = []
        self.extensions = {"cat-cds-metrics": self}

    def turn_away(self, why: str) -> None:
        self.turned_away.append(why)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        if environ["PATH_INFO"].startswith("/calls"):
            self.inside.release()
            assert self.open.wait(PATIENCE)
        content = environ["PATH_INFO"].encode() + b" " + body
        start_response("200 OK", [("Content-Length", str(len(content)))])
        return [content]

    def wait_for(self, calls: int) -> None:
        """Until so many more calls are inside."""
        for _ in range(calls):
            assert self.inside.acquire(timeout=PATIENCE)


class Running:
    """A running worker: where it listens, and how to stop it."""

    def __init__(self, worker: QuietWorker, address: tuple[str, int], thread: threading.Thread) -> None:
        self.worker = worker
        self.address = address
        self.thread = thread
        self.clients: list[socket.socket] = []

    def connect(self, sent: bytes = b"") -> socket.socket:
        """A new connection on which this is sent."""
        client = socket.create_connection(self.address, timeout=PATIENCE)
        self.clients.append(client)
        client.sendall(sent)
        return client

    def stop(self) -> None:
        """What SIGTERM does to a worker."""
        self.worker.handle_exit(None, None)


def request(path: str, body: bytes = b"", *, method: str = "POST", **headers: str) -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: tests", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items())]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answer(client: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """The next answer on a connection: status, headers in small letters, body."""
    start = b""
    while not start.endswith(b"\r\n\r\n"):
        byte = client.recv(1)
        assert byte, f"the connection ended after {start!r}"
        start += byte
    first, *lines = start.decode().strip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = b""
    while len(body) < int(headers.get("content-length", 0)):
        piece = client.recv(int(headers["content-length"]) - len(body))
        assert piece, f"the connection ended after {len(body)} bytes"
        body += piece
    return int(first.split()[1]), headers, body


def is_closed(client: socket.socket) -> bool:
    """Whether the server ends the connection without another byte."""
    return client.recv(1) == b""


def until(what: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end
        threading.Event().wait(0.005)


@contextmanager
def serving(
    application: Any, *, threads: int = 2, limits: Limits | None = None, keepalive: int = 30
) -> Iterator[Running]:
    """A worker that serves this WSGI application; it has ended when the block is left."""
    cfg = Config()
    for name, value in {"threads": threads, "keepalive": 30, "graceful_timeout": PATIENCE}.items():
        cfg.set(name, value)
    log = QuietLog(cfg)
    assert isinstance(log, Logger)
    listener = TCPSocket(("127.0.0.1", 0), cfg, log)
    worker = QuietWorker(1, os.getppid(), [listener], Application(application, limits or Limits()), 30, cfg, log)
    worker.load_wsgi()
    worker.tpool = worker.get_thread_pool()
    worker.poller = selectors.DefaultSelector()
    worker.method_queue.init()
    thread = threading.Thread(target=worker.run)
    address = listener.getsockname()[:2]
    thread.start()
    running = Running(worker, address, thread)
    try:
        yield running
    finally:
        if isinstance(application, Gate):
            application.open.set()
        for client in running.clients:
            client.close()
        running.stop()
        thread.join(PATIENCE)
        worker.tmp.close()
        assert not thread.is_alive()
