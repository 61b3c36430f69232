"""A worker that is told to stop: what it has in hand is answered, nobody who got in is cut off, then it is gone."""

from __future__ import annotations

import socket

import pytest

from app.cli.connections import Limits
from tests.app.cli.worker import Gate, answer, is_closed, request, serving, until


@pytest.fixture
def gate() -> Gate:
    return Gate()


def test_calls_in_hand_and_calls_that_wait_are_answered_and_their_connections_closed(gate: Gate) -> None:
    with serving(gate, threads=2) as one:
        clients = [one.connect(request(f"/calls/{n}")) for n in range(6)]
        gate.wait_for(2)
        until(lambda: one.worker.in_hand == 6)
        one.stop()
        until(lambda: not one.worker._accepting)
        gate.open.set()
        answers = [answer(client) for client in clients]
        assert [(status, headers["connection"]) for status, headers, _ in answers] == [(200, "close")] * 6
        assert all(is_closed(client) for client in clients)
        one.thread.join(20)
        assert not one.thread.is_alive()


def test_who_connected_before_the_door_was_shut_is_answered(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(gate, threads=1) as one:
        monkeypatch.setattr(one.worker, "nr_conns", one.worker.worker_connections)  # so it leaves them in the backlog
        first = one.connect(request("/calls/0"))
        until(lambda: not one.worker._accepting)
        late = [one.connect(request(f"/calls/{n}")) for n in range(1, 10)]
        gate.open.set()
        one.stop()
        assert [answer(client)[0] for client in (first, *late)] == [200] * 10
        one.worker.nr_conns -= one.worker.worker_connections


def test_nobody_is_let_in_afterwards(gate: Gate) -> None:
    with serving(gate, threads=1) as one:
        held = one.connect(request("/calls/0"))
        gate.wait_for(1)
        one.stop()
        until(lambda: not one.worker._accepting)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(one.address, timeout=10)
        gate.open.set()
        assert answer(held)[0] == 200


def test_a_request_on_a_connection_that_was_kept_is_still_answered(gate: Gate) -> None:
    gate.open.set()
    with serving(gate, threads=1) as one:
        kept = one.connect(request("/calls/0"))
        status, headers, _ = answer(kept)
        assert (status, headers["connection"]) == (200, "keep-alive")
        until(lambda: one.worker.in_hand == 0)
        one.stop()
        until(lambda: not one.worker._accepting)
        kept.sendall(request("/calls/1"))
        status, headers, _ = answer(kept)
        assert (status, headers["connection"]) == (200, "close")
        assert is_closed(kept)


def test_a_request_that_is_still_coming_is_answered(gate: Gate) -> None:
    gate.open.set()
    with serving(gate, threads=1) as one:
        whole = request("/calls/0", b"{}")
        client = one.connect(whole[:20])
        until(lambda: any(conn.received for conn in one.worker.pending_conns))
        one.stop()
        until(lambda: not one.worker._accepting)
        client.sendall(whole[20:])
        assert answer(client)[::2] == (200, b"/calls/0 {}")


def test_idle_connections_do_not_hold_it_up(gate: Gate) -> None:
    with serving(gate, threads=1, limits=Limits(head_seconds=3600)) as one:
        idle = [one.connect() for _ in range(3)]
        until(lambda: len(one.worker.pending_conns) == 3)
        one.stop()
        assert all(is_closed(client) for client in idle)
        one.thread.join(20)
        assert not one.thread.is_alive()
