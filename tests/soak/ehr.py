"""A FHIR server over https in a process of its own: it is well, or has moods in which it fails, one after the other."""

from __future__ import annotations

import multiprocessing
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

BACKLOG = 128
SLOW_SECONDS = 3.0
ALWAYS_WELL = ("well",)
MOODY = ("well", "error", "well", "busy", "well", "broken", "well", "cut", "well", "slow", "well", "refusing")
"""Well; 500; 429 with Retry-After; no JSON; the connection closed in the middle; late; 401."""
MOOD_SECONDS = 7.0

_STATUS = {"error": 500, "busy": 429, "refusing": 401}


@contextmanager
def https_fhir(answers: Mapping[str, bytes], tls: ssl.SSLContext, moods: Sequence[str]) -> Iterator[str]:
    """The base URL of a server of ``answers`` by query (relative, unquoted)."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    process = multiprocessing.get_context("fork").Process(
        target=_serve, args=(listener, answers, tls, moods), daemon=True
    )
    process.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/fhir"
    finally:
        process.terminate()
        process.join()
        listener.close()


def _serve(listener: socket.socket, answers: Mapping[str, bytes], tls: ssl.SSLContext, moods: Sequence[str]) -> None:
    started, never = time.monotonic(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            mood = moods[int((time.monotonic() - started) / MOOD_SECONDS) % len(moods)]
            content = answers.get(unquote(self.path).removeprefix("/fhir/"))
            status = _STATUS.get(mood, 404 if content is None else 200)
            if mood == "slow":
                never.wait(SLOW_SECONDS)
            if status != 200 or mood == "broken":
                content = b'{"resourceType": "OperationOutcome", '
            self.send_response(status)
            self.send_header("Content-Type", "application/fhir+json")
            self.send_header("Content-Length", str(len(content or b"")))
            if mood == "busy":
                self.send_header("Retry-After", "2")
            self.end_headers()
            if mood == "cut":
                content, self.close_connection = (content or b"")[:20], True
            self.wfile.write(content or b"")

        def setup(self) -> None:
            super().setup()
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def log_message(self, *_: object) -> None:
            """Nothing: the soak prints a table."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A caller that waited long enough is no news."""

    server = Server(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = tls.wrap_socket(listener, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()
