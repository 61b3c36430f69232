"""docs/deploy/nginx.conf before servers of the test: whose turn it is when one does not answer, and what callers see.

A token is good for one use. A call that reached a replica may have used it, so it must not be sent to another one.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import pytest
import requests

from tests.cds_hooks_validator import operation_outcome_faults
from tests.scale.stage import balanced, free_ports

pytestmark = [pytest.mark.nginx, pytest.mark.xdist_group("scale")]

SERVICE = "/cds-services/cat-order-select"
ANSWER = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{"cards":[]}'
)
REFUSAL = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy"


class Upstream:
    """A server that reads each request whole, remembers it, and answers with the same bytes; none: it hangs up."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                if request := _whole(connection):
                    self.requests.append(request)
                    connection.sendall(self._answer)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


def _whole(connection: socket.socket) -> bytes:
    """One request with its body; nothing when the connection ends before."""
    connection.settimeout(10)
    content = b""
    while b"\r\n\r\n" not in content or len(content.partition(b"\r\n\r\n")[2]) < _length(content):
        if not (more := connection.recv(65_536)):
            return b""
        content += more
    return content


def _length(request: bytes) -> int:
    lines = request.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    return next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)


@contextmanager
def upstream(answer: bytes) -> Iterator[Upstream]:
    one = Upstream(answer)
    try:
        yield one
    finally:
        one.close()


def post(*replicas: str, times: int = 1, body: bytes = b"{}") -> list[requests.Response]:
    """What callers get from nginx before these replicas."""
    with balanced(replicas) as balancer, balancer.session() as http:
        head = {"Authorization": "Bearer once", "Content-Type": "application/json"}
        return [http.post(balancer.url + SERVICE, data=body, headers=head, timeout=30) for _ in range(times)]


def test_a_call_that_reached_a_replica_is_not_sent_to_another_one() -> None:
    with upstream(b"") as one, upstream(b"") as other:
        [response] = post(one.address, other.address)

    assert len(one.requests) + len(other.requests) == 1
    assert response.status_code == HTTPStatus.BAD_GATEWAY
    assert int(response.headers["Retry-After"]) > 0
    assert operation_outcome_faults(response.json()) == []


def test_a_call_that_reached_nobody_goes_to_another_replica_and_the_caller_notices_nothing() -> None:
    [nobody] = free_ports(1)
    with upstream(ANSWER) as one:
        responses = post(f"127.0.0.1:{nobody}", one.address, times=6)

    assert [response.status_code for response in responses] == [200] * 6
    assert len(one.requests) == 6


def test_when_no_replica_can_be_reached_the_caller_is_asked_to_come_back() -> None:
    nobody = [f"127.0.0.1:{port}" for port in free_ports(2)]
    [response] = post(*nobody)

    assert response.status_code == HTTPStatus.BAD_GATEWAY
    assert int(response.headers["Retry-After"]) > 0
    assert response.headers["Content-Type"] == "application/fhir+json"
    assert operation_outcome_faults(response.json()) == []


def test_a_refusal_of_a_replica_reaches_the_caller_as_it_is() -> None:
    with upstream(REFUSAL) as one, upstream(REFUSAL) as other:
        [response] = post(one.address, other.address)

    assert len(one.requests) + len(other.requests) == 1
    assert (response.status_code, response.headers["Retry-After"], response.text) == (503, "7", "busy")


def test_the_replica_gets_the_token_and_the_body_as_they_came() -> None:
    chart = b'{"chart": "' + b"x" * 3_000_000 + b'"}'
    with upstream(ANSWER) as one:
        [response] = post(one.address, body=chart)

    [request] = one.requests
    assert response.json() == {"cards": []}
    assert b"\r\nAuthorization: Bearer once\r\n" in request
    assert request.endswith(b"\r\n\r\n" + chart)


def test_a_body_longer_than_any_chart_is_refused_as_the_service_would() -> None:
    with upstream(ANSWER) as one:
        [response] = post(one.address, body=b" " * 11_000_000)

    assert one.requests == []
    assert response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert operation_outcome_faults(response.json()) == []


def test_its_log_says_nothing_of_what_was_asked() -> None:
    with upstream(ANSWER) as one, balanced([one.address]) as balancer, balancer.session() as http:
        head = {
            "Authorization": "Bearer secret-token",
            "User-Agent": "secret-agent",
            "Referer": "https://secret.example",
        }
        http.post(f"{balancer.url}/cds-services/secret-path?patient=secret", data=b"secret", headers=head, timeout=30)
        http.get(f"{balancer.url}/metrics", headers=head, timeout=30)
        lines = balancer.calls()

    assert len(lines) == 2
    assert [line for line in lines if "secret" in line] == []
    assert len(one.requests) == 1  # metrics are not asked for through here
