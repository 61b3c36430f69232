"""A FHIR server of the tests over a real socket: it answers what a test tells it to and remembers what it was asked."""

from __future__ import annotations

import gzip
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import orjson

Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request that came: the path below the base with its query, and the headers in lower case."""

    path: str
    headers: dict[str, str]

    @property
    def kind(self) -> str:
        return self.path.lstrip("/").partition("?")[0].partition("/")[0]


@dataclass(frozen=True)
class Reply:
    """What is sent back. Of ``missing`` bytes more it only speaks; ``stalls`` says that it then waits for the end."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    missing: int = 0
    stalls: bool = False


Answer = Callable[[Asked], Reply]


def bundle(*resources: Json, following: str = "") -> Json:
    """A searchset, with a link to the next page if one is given."""
    link = {"link": [{"relation": "next", "url": following}]} if following else {}
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": r} for r in resources], **link}


def saying(content: object, status: int = 200) -> Answer:
    return lambda _asked: Reply(orjson.dumps(content), status)


def failing(status: int) -> Answer:
    return saying({"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}, status)


def broken() -> Answer:
    return lambda _asked: Reply(b'{"resourceType": "Bundle", "entry": [')


def redirecting(to: str) -> Answer:
    return lambda _asked: Reply(b"", 302, {"Location": to})


def zipped(content: object) -> Answer:
    return lambda _asked: Reply(gzip.compress(orjson.dumps(content)), 200, {"Content-Encoding": "gzip"})


def in_turn(*answers: Answer) -> Answer:
    """The first answer to the first request, and so on; the last one from then on."""
    left = list(answers)

    def answer(asked: Asked) -> Reply:
        return (left.pop(0) if len(left) > 1 else left[0])(asked)

    return answer


@dataclass
class FakeEhr:
    """``on`` says what is answered for a resource type; a type that nothing is said of is an empty Bundle."""

    base: str
    asked: list[Asked] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    released: threading.Event = field(default_factory=threading.Event)
    at_once: int = 0
    most_at_once: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def on(self, kind: str, answer: Answer) -> None:
        self.answers[kind] = answer

    def hanging(self, answer: Answer) -> Answer:
        """As ``answer``, but only when the test ends."""

        def wait(asked: Asked) -> Reply:
            self.released.wait(30)
            return answer(asked)

        return wait

    def paths(self, kind: str = "") -> list[str]:
        return [asked.path for asked in self.asked if not kind or asked.kind == kind]

    def is_idle(self) -> bool:
        """Whether nothing is being answered, once what was left of earlier requests has ended."""
        with self._changed:
            return self._changed.wait_for(lambda: self.at_once == 0, timeout=5)

    def is_asked(self, at_once: int, also: Callable[[], bool]) -> bool:
        """Whether so many requests are being answered, or soon are, and something else is so, too."""
        deadline = time.monotonic() + 5
        with self._changed:
            while not (self.at_once >= at_once and also()) and time.monotonic() < deadline:
                self._changed.wait(0.01)
            return self.at_once >= at_once and also()

    def answer(self, asked: Asked) -> Reply:
        with self._changed:
            self.asked.append(asked)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self._changed.notify_all()
        try:
            return self.answers.get(asked.kind, saying(bundle()))(asked)
        finally:
            with self._changed:
                self.at_once -= 1
                self._changed.notify_all()


@contextmanager
def serving(tls: ssl.SSLContext | None = None, port: int = 0) -> Iterator[FakeEhr]:
    """A fake EHR on a free port of this machine (or the one given), over https if it is given a certificate."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = ehr.answer(Asked(self.path.removeprefix("/fhir"), headers))
            try:
                self.send_response_only(reply.status)
                for name, value in {"Content-Type": "application/fhir+json", **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body) + reply.missing))
                self.end_headers()
                self.wfile.write(reply.body)
                if reply.missing:
                    self.close_connection = True
                if reply.stalls:
                    ehr.released.wait(30)
            except ConnectionError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 128  # with the usual 5, a burst of connections waits a second for another try
        daemon_threads = True
        connections: ClassVar[list[socket.socket]] = []

        def get_request(self) -> tuple[socket.socket, Any]:
            connection, address = super().get_request()
            self.connections.append(connection)
            return connection, address

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Callers that break off, or do not trust the certificate, are no news."""
            if not isinstance(sys.exc_info()[1], ConnectionError | ssl.SSLError):
                super().handle_error(request, client_address)

    server = Server(("127.0.0.1", port), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    ehr = FakeEhr(base=f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}/fhir")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield ehr
    finally:
        ehr.released.set()
        server.shutdown()
        server.server_close()
        for connection in server.connections:  # a server that ends takes the connections along that were kept
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        thread.join(5)
