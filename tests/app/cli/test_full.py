"""When all threads are busy: a bounded number of calls waits, the rest is refused at once, probes are answered."""

from __future__ import annotations

import json

import pytest

from app.cli.connections import Connection, Limits
from app.cli.http_worker import PORTERS, REFUSERS
from tests.app.cli.worker import PATIENCE, Gate, answer, is_closed, request, serving, until
from tests.cds_hooks_validator import operation_outcome_faults

BODY = b'{"hook": "order-select"}' * 4000  # longer than what a socket is read at once


@pytest.fixture
def gate() -> Gate:
    return Gate()


def test_calls_beyond_those_that_may_wait_are_refused_at_once_and_the_others_answered(gate: Gate) -> None:
    with serving(gate, threads=2, limits=Limits(waiting=3, patience_seconds=60)) as one:
        clients = [one.connect(request(f"/calls/{n}", BODY)) for n in range(2)]
        gate.wait_for(2)
        for n in range(2, 5):
            clients.append(one.connect(request(f"/calls/{n}", BODY)))
            until(lambda n=n: one.worker.in_hand == n + 1)
        refused = one.connect(request("/calls/5", BODY))
        status, headers, body = answer(refused)
        gate.open.set()
        answers = [answer(client) for client in clients]
        assert (status, headers["content-type"]) == (503, "application/fhir+json")
        assert int(headers["retry-after"]) > 0
        assert operation_outcome_faults(json.loads(body)) == []
        assert [(status, body) for status, _, body in answers] == [
            (200, f"/calls/{n} ".encode() + BODY) for n in range(5)
        ]
        assert gate.turned_away == ["full"]


def test_a_client_that_was_refused_may_ask_again_on_the_same_connection(gate: Gate) -> None:
    with serving(gate, threads=1, limits=Limits(waiting=0)) as one:
        busy = one.connect(request("/calls/0", BODY))
        gate.wait_for(1)
        client = one.connect(request("/calls/1", BODY))
        status, headers, _ = answer(client)
        assert (status, headers["connection"]) == (503, "keep-alive")
        gate.open.set()
        assert answer(busy)[0] == 200
        until(lambda: one.worker.in_hand == 0)
        client.sendall(request("/calls/2", BODY))
        assert answer(client)[::2] == (200, b"/calls/2 " + BODY)


def test_a_refusal_reaches_a_client_whose_body_has_not_come_and_ends_the_connection(gate: Gate) -> None:
    with serving(gate, threads=1, limits=Limits(waiting=0)) as one:
        busy = one.connect(request("/calls/0"))
        gate.wait_for(1)
        client = one.connect(b"POST /calls/1 HTTP/1.1\r\nHost: tests\r\nContent-Length: 5000000\r\n\r\n{")
        status, headers, _ = answer(client)
        assert (status, headers["connection"]) == (503, "close")
        assert is_closed(client)
        expectant = one.connect(request("/calls/2", Content_Length="9", Expect="100-continue"))
        assert answer(expectant)[0] == 503
        gate.open.set()
        assert answer(busy)[0] == 200


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
def test_probes_are_answered_while_everything_is_full(gate: Gate, path: str) -> None:
    with serving(gate, threads=1, limits=Limits(waiting=0)) as one:
        one.connect(request("/calls/0"))
        gate.wait_for(1)
        assert answer(one.connect(request("/calls/1")))[0] == 503
        probe = one.connect(request(path, method="GET"))
        assert answer(probe)[::2] == (200, path.encode() + b" ")
        probe.sendall(request(path, method="GET"))  # and on the connection that it keeps
        assert answer(probe)[0] == 200
        gate.open.set()


def test_a_call_that_has_waited_longer_than_its_caller_is_not_worked_on(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(gate, threads=1, limits=Limits(waiting=5, patience_seconds=60)) as one:
        queued: list[Connection] = []
        enqueue = one.worker.enqueue_req
        monkeypatch.setattr(
            one.worker, "enqueue_req", lambda connection: (enqueue(connection), queued.append(connection))
        )
        clients = [one.connect(request("/calls/0"))]
        gate.wait_for(1)
        for n in (1, 2):
            clients.append(one.connect(request(f"/calls/{n}")))
            until(lambda n=n: len(queued) == n + 1)
        queued[1].queued_at -= 61
        gate.open.set()
        assert [answer(client)[0] for client in clients] == [200, 503, 200]
        assert gate.turned_away == ["late"]


def test_a_probe_is_never_too_late_and_never_behind_refusals(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(gate, threads=1, limits=Limits(waiting=0, patience_seconds=60)) as one:
        queued: list[Connection] = []
        enqueue = one.worker.enqueue_req

        def watched(connection: Connection) -> None:
            enqueue(connection)
            queued.append(connection)

        monkeypatch.setattr(one.worker, "enqueue_req", watched)
        one.connect(request("/calls/0"))
        gate.wait_for(1)
        for pool, threads in ((one.worker.porters, PORTERS), (one.worker.refusers, REFUSERS)):
            for _ in range(threads):
                pool.submit(gate.open.wait, PATIENCE)
        refused = one.connect(request("/calls/1"))
        probe = one.connect(request("/health/live", method="GET"))
        until(lambda: len(queued) == 3)
        for connection in queued:
            connection.queued_at -= 61
        gate.open.set()
        assert answer(probe)[0] == 200
        assert answer(refused)[0] == 503


def test_when_it_is_no_longer_full_calls_are_answered_again(gate: Gate) -> None:
    with serving(gate, threads=2, limits=Limits(waiting=1)) as one:
        clients = [one.connect(request(f"/calls/{n}")) for n in range(2)]
        gate.wait_for(2)
        clients.append(one.connect(request("/calls/2")))
        until(lambda: one.worker.in_hand == 3)
        assert [answer(one.connect(request("/calls/9")))[0] for _ in range(20)] == [503] * 20
        gate.open.set()
        assert [answer(client)[0] for client in clients] == [200] * 3
        until(lambda: one.worker.in_hand == 0)
        assert [answer(one.connect(request("/calls/9")))[0] for _ in range(20)] == [200] * 20


def test_connections_on_which_nothing_comes_keep_no_thread(gate: Gate) -> None:
    gate.open.set()
    with serving(gate, threads=1) as one:
        idle = [one.connect() for _ in range(50)]
        assert answer(one.connect(request("/calls/0")))[0] == 200
        idle[0].sendall(request("/calls/1"))
        assert answer(idle[0])[0] == 200
