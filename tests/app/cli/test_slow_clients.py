"""Clients that send, read or close slowly are cut off within limits, and keep nobody else waiting."""

from __future__ import annotations

import json
import socket

import pytest

from app import create_app
from app.cli.connections import Limits
from app.settings import Settings
from tests.app.cli.worker import Gate, answer, is_closed, request, serving, until
from tests.cds_hooks_validator import operation_outcome_faults

SHORT = Limits(head_seconds=0.1, body_seconds=0.2, stall_seconds=0.1, linger_seconds=0.1)
HEAD = b"POST /calls HTTP/1.1\r\nHost: tests\r\nContent-Length: 1000\r\n\r\n"


@pytest.fixture
def gate() -> Gate:
    gate = Gate()
    gate.open.set()
    return gate


def test_a_head_that_does_not_come_is_answered_with_408(gate: Gate) -> None:
    with serving(gate, limits=SHORT) as one:
        client = one.connect(b"POST /calls HTTP/1.1\r\nHost: te")
        status, headers, body = answer(client)
        assert (status, headers["connection"], headers["content-type"]) == (408, "close", "application/fhir+json")
        assert operation_outcome_faults(json.loads(body)) == []
        assert is_closed(client)
        assert gate.turned_away == ["slow"]


def test_it_is_counted_where_the_service_counts() -> None:
    app = create_app(Settings(demo=True), write=lambda *_args: None)
    with serving(app, limits=SHORT) as one:
        assert answer(one.connect(b"POST /calls HTTP/1.1\r\nHost: te"))[0] == 408
        status, _, counters = answer(one.connect(request("/metrics", method="GET").replace(b"tests", b"localhost")))
        assert status == 200
        assert b'cat_cds_turned_away_total{why="slow"} 1.0\n' in counters
    app.extensions["cat-cds"].close()


def test_neither_does_a_head_on_a_connection_that_was_kept(gate: Gate) -> None:
    with serving(gate, limits=SHORT) as one:
        client = one.connect(request("/calls"))
        assert answer(client)[0] == 200
        client.sendall(b"POST")
        assert answer(client)[0] == 408


def test_a_head_that_trickles_keeps_no_thread_and_is_read_when_it_is_whole(gate: Gate) -> None:
    whole = request("/calls", b"{}")
    with serving(gate, threads=1) as one:
        slow = one.connect()
        for at in range(len(whole)):
            slow.sendall(whole[at : at + 1])
            if at % 20 == 0:
                assert answer(one.connect(request("/calls/other")))[0] == 200
        assert answer(slow)[::2] == (200, b"/calls {}")


def test_many_slow_heads_keep_nobody_waiting(gate: Gate) -> None:
    with serving(gate, threads=2) as one:
        slow = [one.connect(b"POST /calls HTTP/1.1\r\nHost") for _ in range(60)]
        assert answer(one.connect(request("/calls/other")))[0] == 200
        assert all(client.fileno() > 0 for client in slow)


def test_a_connection_on_which_nothing_ever_comes_is_closed_without_a_word(gate: Gate) -> None:
    with serving(gate, limits=SHORT) as one:
        assert is_closed(one.connect())
        assert gate.turned_away == []


@pytest.mark.parametrize("sent", [HEAD, HEAD + b"{"], ids=["nothing", "a part"])
def test_a_body_that_stops_is_answered_with_408(sent: bytes) -> None:
    app = create_app(Settings(demo=True), write=lambda *_args: None)
    with serving(app, limits=SHORT) as one:
        client = one.connect(sent.replace(b"/calls", b"/cds-services/cat-patient-view").replace(b"tests", b"localhost"))
        status, headers, body = answer(client)
        assert (status, headers["connection"]) == (408, "close")
        assert json.loads(body)["issue"][0]["code"] == "timeout"
        assert is_closed(client)
    app.extensions["cat-cds"].close()


def test_a_body_that_trickles_is_cut_at_the_end_of_its_time_and_frees_the_thread(gate: Gate) -> None:
    with serving(gate, threads=1, limits=SHORT) as one:
        client = one.connect(HEAD)
        client.settimeout(0.02)
        ended = b""
        while not ended:  # a byte at a time, never so long apart that it counts as stalled
            try:
                client.sendall(b"x")
                ended = client.recv(100)
            except TimeoutError:
                continue
        assert ended.startswith(b"HTTP/1.1 408 ")
        assert answer(one.connect(request("/calls/other")))[0] == 200


def test_a_client_that_does_not_read_its_answer_frees_the_thread() -> None:
    def endless(environ, start_response):
        start_response("200 OK", [("Content-Length", str(200_000_000))])
        return iter([b"x" * 1_000_000] * 200)

    with serving(endless, threads=1, limits=SHORT) as one:
        deaf = one.connect(request("/much", method="GET"))
        until(lambda: one.worker.in_hand == 1)
        until(lambda: one.worker.in_hand == 0)
        assert deaf.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_does_not_close_keeps_neither_the_loop_nor_the_connection(gate: Gate) -> None:
    with serving(gate, threads=1, limits=SHORT) as one:
        lazy = [one.connect(b"nonsense\r\n\r\n" + b"x" * 100) for _ in range(10)]
        assert answer(one.connect(request("/calls/other")))[0] == 200
        assert [answer(client)[0] for client in lazy] == [400] * 10
        until(lambda: one.worker.lingering == [])
        assert all(is_closed(client) for client in lazy)


def test_two_requests_sent_at_once_are_both_answered(gate: Gate) -> None:
    with serving(gate, threads=1) as one:
        client = one.connect(request("/calls/1", b"a") + request("/calls/2", b"b"))
        assert [answer(client)[2] for _ in range(2)] == [b"/calls/1 a", b"/calls/2 b"]


def test_a_body_in_pieces_is_read(gate: Gate) -> None:
    with serving(gate, threads=1) as one:
        client = one.connect(b"POST /calls HTTP/1.1\r\nHost: tests\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        client.sendall(b"2\r\nde\r\n0\r\n\r\n")
        assert answer(client)[2] == b"/calls abcde"


def test_a_client_that_vanishes_leaves_nothing_behind(gate: Gate) -> None:
    with serving(gate, threads=1) as one:
        for sent in (b"", b"POST /ca", HEAD, request("/calls")):
            client = one.connect(sent)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
        until(lambda: one.worker.nr_conns == 0)
        assert answer(one.connect(request("/calls/other")))[0] == 200
