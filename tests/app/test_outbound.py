"""What the service asks of others, seen as an attacker would: which addresses, how long, how much, what goes along."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.outbound import Answer, Deadline, Outbound, OutboundError, may_connect
from tests.app.tls import certify
from tests.fake_ehr import FakeEhr, Reply, redirecting, serving

Addresses = list[str]


class Names:
    """A name server of the test: each name gets the next of its answers; what was asked is remembered."""

    def __init__(self, **answers: list[Addresses]) -> None:
        self._answers = {name.replace("_", "."): list(given) for name, given in answers.items()}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, **_: object) -> list[Any]:
        self.asked.append(host)
        if host not in self._answers:
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        given = self._answers[host]
        found = given.pop(0) if len(given) > 1 else given[0]
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found
        ]


def within(seconds: float = 5) -> Deadline:
    return Deadline(clock=time.monotonic, at=time.monotonic() + seconds)


def ask(outbound: Outbound, url: str, *, internal: bool = False, seconds: float = 5, **headers: str) -> Answer:
    return outbound.get(url, headers=headers, internal=internal, deadline=within(seconds), max_bytes=10_000)


def refusal(outbound: Outbound, url: str, **more: Any) -> str:
    with pytest.raises(OutboundError) as caught:
        ask(outbound, url, **more)
    return caught.value.kind


@pytest.fixture
def ehr() -> Iterator[FakeEhr]:
    with serving() as server:
        yield server


def named(ehr: FakeEhr, name: str) -> str:
    return ehr.base.replace("127.0.0.1", name)


# Addresses


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8"])
def test_public_addresses_are_asked(address: str) -> None:
    assert may_connect(address, internal=False)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.255.254", "::1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "fd12:3456::1",
        "100.64.0.1", "198.18.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "2002:a00:1::",
        "64:ff9b::7f00:1", "64:ff9b::a00:1", "240.0.0.1", "192.0.2.1",
    ],
)  # fmt: skip
def test_internal_addresses_are_asked_only_by_agreement(address: str) -> None:
    assert not may_connect(address, internal=False)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "fd12:3456::1", "8.8.8.8"])
def test_by_agreement_internal_addresses_are_asked(address: str) -> None:
    assert may_connect(address, internal=True)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "fe80::1",
        "fe80::1%eth0", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "168.63.129.16", "100.100.100.200", "192.0.0.192",  # noqa: S104
        "fd00:ec2::254",
    ],
)  # fmt: skip
@pytest.mark.parametrize("internal", [True, False])
def test_metadata_link_local_and_no_mans_addresses_are_never_asked(address: str, internal: bool) -> None:
    assert not may_connect(address, internal=internal)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_this_machine_is_not_asked_however_it_is_written(ehr: FakeEhr, host: str) -> None:
    port = urlsplit(ehr.base).port
    literal = {"[::1]": "::1", "[::ffff:127.0.0.1]": "::ffff:127.0.0.1"}.get(host, "127.0.0.1")
    names = Names(**{host.strip("[]").replace(".", "_"): [[literal]]})
    assert refusal(Outbound(connections=1, resolve=names), f"http://{host}:{port}/fhir/Patient") == "address"
    assert ehr.asked == []


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "fe80::1"])
def test_a_name_that_leads_inside_is_not_followed(ehr: FakeEhr, address: str) -> None:
    outbound = Outbound(connections=1, resolve=Names(ehr_test=[[address]]))
    assert refusal(outbound, named(ehr, "ehr.test")) == "address"
    assert ehr.asked == []


def test_a_name_that_leads_inside_is_followed_by_agreement(ehr: FakeEhr) -> None:
    outbound = Outbound(connections=1, resolve=Names(ehr_test=[["127.0.0.1"]]))
    assert ask(outbound, named(ehr, "ehr.test"), internal=True).status == 200
    assert ehr.asked[0].headers["host"].startswith("ehr.test:")


def test_a_connection_by_agreement_is_not_lent_to_who_has_none(ehr: FakeEhr) -> None:
    outbound = Outbound(connections=1, resolve=Names(ehr_test=[["127.0.0.1"]]))
    ask(outbound, named(ehr, "ehr.test"), internal=True)
    assert refusal(outbound, named(ehr, "ehr.test")) == "address"
    assert len(ehr.asked) == 1


def test_a_name_that_changes_its_meaning_gains_nothing(ehr: FakeEhr, monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(ehr_test=[["8.8.8.8"], ["127.0.0.1"]])
    tried = []

    def connect(_: socket.socket, address: tuple[str, int]) -> None:
        tried.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    assert refusal(Outbound(connections=1, resolve=names), named(ehr, "ehr.test")) == "unreachable"
    assert (names.asked, tried) == (["ehr.test"], ["8.8.8.8"])
    assert refusal(Outbound(connections=1, resolve=names), named(ehr, "ehr.test")) == "address"


def test_of_several_addresses_only_the_allowed_are_tried(ehr: FakeEhr, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def connect(_: socket.socket, address: tuple[str, int]) -> None:
        tried.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    names = Names(ehr_test=[["127.0.0.1", "8.8.8.8", "169.254.169.254", "9.9.9.9"]])
    assert refusal(Outbound(connections=1, resolve=names), named(ehr, "ehr.test")) == "unreachable"
    assert tried == ["8.8.8.8", "9.9.9.9"]


def test_the_next_address_is_tried_when_one_does_not_answer(ehr: FakeEhr) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.2", 0))
    outbound = Outbound(connections=1, resolve=Names(ehr_test=[["127.0.0.2", "127.0.0.1"]]))
    assert ask(outbound, named(ehr, "ehr.test"), internal=True).status == 200


def test_a_name_that_nobody_knows_is_not_reached() -> None:
    def unknown(*_: object, **__: object) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    assert refusal(Outbound(connections=1, resolve=unknown), "https://ehr.test/") == "unreachable"


# TLS


@pytest.fixture
def trusted(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    return certify(tmp_path, "ehr.test")


def test_tls_asks_for_the_name_and_not_for_the_pinned_address(trusted: tuple[Path, ssl.SSLContext]) -> None:
    ca_file, context = trusted
    names = Names(ehr_test=[["127.0.0.1"]], other_test=[["127.0.0.1"]])
    with serving(context) as ehr:
        outbound = Outbound(connections=1, ca_file=str(ca_file), resolve=names)
        assert ask(outbound, named(ehr, "ehr.test"), internal=True).status == 200
        assert refusal(outbound, named(ehr, "other.test"), internal=True) == "unreachable"
        assert refusal(outbound, ehr.base, internal=True) == "unreachable"
        assert len(ehr.asked) == 1


def test_an_authority_that_is_not_trusted_vouches_for_nobody(trusted: tuple[Path, ssl.SSLContext]) -> None:
    with serving(trusted[1]) as ehr:
        outbound = Outbound(connections=1, resolve=Names(ehr_test=[["127.0.0.1"]]))
        assert refusal(outbound, named(ehr, "ehr.test"), internal=True) == "unreachable"
        assert ehr.asked == []


# What goes along


def test_nothing_of_one_request_goes_with_the_next(ehr: FakeEhr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    ehr.on("Patient", lambda _: Reply(b"{}", headers={"Set-Cookie": "session=one"}))
    outbound = Outbound(connections=1)
    ask(outbound, f"{ehr.base}/Patient", internal=True, Authorization="Bearer one")
    ask(outbound, f"{ehr.base}/Patient", internal=True)
    assert {"authorization", "cookie"} & ehr.asked[1].headers.keys() == set()


def test_a_redirect_is_an_answer_and_not_followed(ehr: FakeEhr) -> None:
    ehr.on("Patient", redirecting(f"{ehr.base}/Condition"))
    assert ask(Outbound(connections=1), f"{ehr.base}/Patient", internal=True).status == 302
    assert ehr.paths("Condition") == []


# How long


@contextmanager
def saying_slowly(pieces: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that hands the connection over once it was asked."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                try:
                    pieces(connection)
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/Patient"
        thread.join(5)


@pytest.mark.parametrize(
    "start",
    [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b"HTTP/1.1 100 C\r\n\r\n"],
)
def test_a_trickle_of_bytes_gains_no_time(start: bytes) -> None:
    stop = threading.Event()

    def trickle(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in range(150):
            connection.sendall(b"X")
            if stop.wait(0.02):
                return

    with saying_slowly(trickle) as url:
        began = time.monotonic()
        assert refusal(Outbound(connections=1), url, internal=True, seconds=0.2) == "late"
        assert time.monotonic() - began < 2
        stop.set()


def test_when_connecting_took_all_the_time_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    now, connect = [0.0], socket.socket.connect

    def slow(opened: socket.socket, address: Any) -> None:
        connect(opened, address)
        now[0] = 1.0

    monkeypatch.setattr(socket.socket, "connect", slow)
    with socket.create_server(("127.0.0.1", 0)) as server:
        with pytest.raises(OutboundError) as caught:
            Outbound(connections=1).get(
                f"http://127.0.0.1:{server.getsockname()[1]}/Patient",
                headers={},
                internal=True,
                deadline=Deadline(clock=lambda: now[0], at=1.0),
                max_bytes=1,
            )
        connection, _ = server.accept()
        with connection:
            assert (caught.value.kind, connection.recv(100)) == ("late", b"")


def test_when_looking_up_the_name_took_all_the_time_nothing_is_asked(ehr: FakeEhr) -> None:
    now = [0.0]

    def slow(host: str, port: int, **_: object) -> list[Any]:
        now[0] = 1.0
        return socket.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM)

    with pytest.raises(OutboundError) as caught:
        Outbound(connections=1, resolve=slow).get(
            named(ehr, "ehr.test"),
            headers={},
            internal=True,
            deadline=Deadline(clock=lambda: now[0], at=1.0),
            max_bytes=1,
        )
    assert (caught.value.kind, ehr.asked) == ("late", [])
