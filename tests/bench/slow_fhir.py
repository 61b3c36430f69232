"""A FHIR server on loopback that answers each query after a set time, and remembers the slowest answer."""

import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import orjson


class SlowFhirServer(ThreadingHTTPServer):
    """Answers ``answers`` (by path and query, without the leading slash), each ``wait`` seconds after the question."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, answers: Mapping[str, Any], wait: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = {unquote(query): orjson.dumps(answer) for query, answer in answers.items()}
        self.wait = wait
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.slowest = 0.0
        self.unknown: set[str] = set()

    def slowest_since_last(self) -> float:
        """The longest time that an answer took, in seconds, since this was last asked."""
        slowest, self.slowest = self.slowest, 0.0
        return slowest


class _Handler(BaseHTTPRequestHandler):
    server: SlowFhirServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet

    def do_GET(self) -> None:
        started = time.perf_counter()
        content = self.server.answers.get(unquote(self.path).removeprefix("/"))
        if content is None:
            self.server.unknown.add(self.path)
        time.sleep(self.server.wait)
        self.send_response(200 if content is not None else 404)
        self.send_header("Content-Type", "application/fhir+json")
        self.send_header("Content-Length", str(len(content or b"{}")))
        self.end_headers()
        self.wfile.write(content or b"{}")
        self.server.slowest = max(self.server.slowest, time.perf_counter() - started)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""
