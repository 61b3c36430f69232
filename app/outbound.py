"""GET over connections that go only where they may: address checked and pinned, time and size bounded, no redirects.

A name is resolved once, and the connection goes to the very address that was checked: a name that changes its meaning
between check and use (DNS rebinding) gains nothing. TLS still asks for the name.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Literal
from urllib.parse import urlsplit

import certifi
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import DecodeError, HTTPError, ProtocolError
from urllib3.exceptions import TimeoutError as UrllibTimeoutError

_CHUNK = 65_536
_HTTP_OK = 200
_NAT64 = IPv6Network("64:ff9b::/96")
_METADATA = frozenset(ip_address(one) for one in ("168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254"))
"""Addresses at which clouds tell a machine its secrets, besides the link-local ones."""

Kind = Literal["late", "unreachable", "broken", "unreadable", "too-long", "address"]
Resolve = Callable[..., Sequence[Any]]
"""As socket.getaddrinfo."""


class OutboundError(Exception):
    """No answer. ``kind`` says why; the words of the error hold no address."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind)
        self.kind: Kind = kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """The moment, on a monotonic clock in seconds, after which nothing more is asked."""

    clock: Callable[[], float]
    at: float

    def left(self) -> float:
        """Seconds left; zero or less when it has passed."""
        return self.at - self.clock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status and body; the body is read only when the status is 200.

    ``retry_after`` are the seconds for which the server wants to be left alone, 0 when it did not say so.
    """

    status: int
    body: bytes = b""
    retry_after: float = 0.0


def may_connect(address: str, *, internal: bool) -> bool:
    """Whether an IP address may be connected to. ``internal`` allows this machine and private networks, too.

    Link-local, multicast, unspecified and cloud metadata addresses are never allowed: no FHIR server lives there.
    """
    found = _embedded(ip_address(address.partition("%")[0]))
    if any(_is_never_asked(one) for one in found):
        return False
    return internal or all(one.is_global for one in found)


def _is_never_asked(address: IPv4Address | IPv6Address) -> bool:
    return address.is_link_local or address.is_multicast or address.is_unspecified or address in _METADATA


def _embedded(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """The address, and the IPv4 addresses that it stands for; ``::ffff:a.b.c.d`` is nothing but the latter."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    inner = [address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        inner.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    return [address, *(one for one in inner if one is not None)]


class Outbound:
    """Keeps connections to each server and asks over them. Safe to use from many threads."""

    def __init__(self, *, connections: int, ca_file: str | None = None, resolve: Resolve | None = None) -> None:
        self._connections = connections
        self._resolve = resolve
        self._tls = ssl.create_default_context(cafile=ca_file or certifi.where())
        self._tls.sslsocket_class = _TimedTls
        self._pools: dict[tuple[str, str, int | None, bool], urllib3.HTTPConnectionPool] = {}
        self._lock = threading.Lock()

    def get(
        self, url: str, *, headers: Mapping[str, str], internal: bool, deadline: Deadline, max_bytes: int
    ) -> Answer:
        """The answer of a server. A connection that broke before it answered is opened once more.

        Raises:
            OutboundError: none in time, none at all, too long, or the address may not be connected to.
        """
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        pool = self._pool(parts.scheme, parts.hostname or "", parts.port, internal)
        _now.deadline = deadline
        try:
            try:
                return self._ask(pool, target, headers, max_bytes)
            except ProtocolError:  # most often a kept connection that the server has closed
                return self._ask(pool, target, headers, max_bytes)
        except (TimeoutError, UrllibTimeoutError):
            raise OutboundError("late") from None
        except (HTTPError, OSError):
            raise OutboundError("unreachable") from None
        finally:
            _now.deadline = None

    def _ask(self, pool: urllib3.HTTPConnectionPool, target: str, headers: Mapping[str, str], max_bytes: int) -> Answer:
        left = _left()
        answer = pool.urlopen(
            "GET",
            target,
            headers={"Accept-Encoding": "gzip", "User-Agent": "cat-cds", **headers},
            retries=False,
            redirect=False,
            timeout=urllib3.Timeout(connect=left, read=left),
            preload_content=False,
        )
        if answer.status != _HTTP_OK:
            answer.close()
            return Answer(status=answer.status, retry_after=_retry_after(answer.headers))
        try:
            body = _body(answer, max_bytes)
        except BaseException as error:
            answer.close()
            if isinstance(error, DecodeError):
                raise OutboundError("unreadable") from None
            if isinstance(error, HTTPError) and not isinstance(error, UrllibTimeoutError):
                raise OutboundError("broken") from None
            raise
        answer.release_conn()
        return Answer(status=answer.status, body=body)

    def _pool(self, scheme: str, host: str, port: int | None, internal: bool) -> urllib3.HTTPConnectionPool:
        """The kept connections to a server; those that may be internal are kept apart."""
        key = (scheme, host, port, internal)
        with self._lock:
            pool = self._pools.get(key)
            if pool is None:
                door = _Door(resolve=self._resolve or socket.getaddrinfo, internal=internal)
                if scheme == "https":
                    pool = urllib3.HTTPSConnectionPool(host, port, maxsize=self._connections, ssl_context=self._tls)
                    pool.ConnectionCls = type("TlsConnection", (_TlsConnection,), {"door": door})
                else:
                    pool = urllib3.HTTPConnectionPool(host, port, maxsize=self._connections)
                    pool.ConnectionCls = type("PlainConnection", (_PlainConnection,), {"door": door})
                self._pools[key] = pool
        return pool


class _Now(threading.local):
    """The deadline of the request that this thread is at."""

    deadline: Deadline | None = None


_now = _Now()


def _left() -> float:
    """Seconds until the deadline of this thread's request.

    Raises:
        OutboundError: it has passed.
    """
    left = _now.deadline.left() if _now.deadline else 0.0
    if left <= 0:
        raise OutboundError("late")
    return left


class _TimedSocket(socket.socket):
    """A socket that waits for each piece no longer than until the deadline: a trickle of bytes gains no time."""

    def recv_into(self, buffer: Any, nbytes: int | None = 0, flags: int = 0) -> int:  # noqa: ANN401 - as in socket
        self.settimeout(_left())
        return super().recv_into(buffer, nbytes or 0, flags)


class _TimedTls(ssl.SSLSocket):
    """The same over TLS."""

    def recv_into(self, buffer: Any, nbytes: int | None = 0, flags: int = 0) -> int:  # noqa: ANN401 - as in socket
        self.settimeout(_left())
        return super().recv_into(buffer, nbytes or 0, flags)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Door:
    """Opens sockets to allowed addresses only."""

    resolve: Resolve
    internal: bool

    def open(self, host: str, port: int) -> socket.socket:
        try:
            found = self.resolve(host.strip("[]"), port, type=socket.SOCK_STREAM)
        except OSError:
            raise OutboundError("unreachable") from None
        allowed = [one for one in found if may_connect(str(one[4][0]), internal=self.internal)]
        if found and not allowed:
            raise OutboundError("address")
        for family, kind, protocol, _, address in allowed:
            with suppress(OSError):
                return self._connected(family, kind, protocol, address)
            _left()
        raise OutboundError("unreachable")

    @staticmethod
    def _connected(family: int, kind: int, protocol: int, address: tuple[Any, ...]) -> socket.socket:
        opened = _TimedSocket(family, kind, protocol)
        try:
            opened.settimeout(_left())
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.connect(address)
        except BaseException:
            opened.close()
            raise
        return opened


class _PlainConnection(HTTPConnection):
    door: _Door

    def _new_conn(self) -> socket.socket:
        return self.door.open(self.host, self.port)

    def connect(self) -> None:
        super().connect()
        _left()  # connecting may have taken all the time: nothing is asked then


class _TlsConnection(HTTPSConnection):
    door: _Door

    def _new_conn(self) -> socket.socket:
        return self.door.open(self.host, self.port)

    def connect(self) -> None:
        super().connect()
        _left()


def _body(answer: urllib3.BaseHTTPResponse, max_bytes: int) -> bytes:
    body = bytearray()
    for chunk in answer.stream(_CHUNK):
        body += chunk
        if len(body) > max_bytes:
            raise OutboundError("too-long")
        _left()
    return bytes(body)


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds by the header of that name. A moment counts from the server's own Date, whatever our clock says."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    with suppress(ValueError, TypeError, OverflowError):
        return max((parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("Date", ""))).total_seconds(), 0.0)
    return 0.0
