"""A FHIR server in a process of its own that answers each query after a set time, from answers that are ready."""

from __future__ import annotations

import multiprocessing
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

BACKLOG = 64
ANSWER_SECONDS = 0.05


@contextmanager
def slow_fhir(answers: Mapping[str, bytes], seconds: float) -> Iterator[str]:
    """The base URL of a server of ``answers`` by query (relative, unquoted), each given after so many seconds."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(listener, answers, seconds), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/fhir"
    finally:
        process.terminate()
        process.join()
        listener.close()


def _serve(listener: socket.socket, answers: Mapping[str, bytes], seconds: float) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer = answers.get(unquote(self.path).removeprefix("/fhir/"))
            time.sleep(seconds)
            content = b"" if answer is None else answer
            self.send_response(404 if answer is None else 200)
            self.send_header("Content-Type", "application/fhir+json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def setup(self) -> None:
            super().setup()
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def log_message(self, *_: object) -> None:
            """Nothing: the table is all that the bench prints."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.daemon_threads = True
    server.serve_forever()
