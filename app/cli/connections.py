"""A connection to the HTTP server: its request read as it comes, and nobody waited for without an end."""

import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar
from wsgiref.types import InputStream

from gunicorn.http.errors import ParseException
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import TConn

from app.cli.refusals import refusal_of
from app.errors import TooSlowError

Read = TypeVar("Read")

_AT_ONCE = 8_192
"""Read for a head at a time; what of the body comes along is copied once more than the rest of it."""

_LONGEST_HEAD = 200_000
"""More than the limits of the parser allow: what is longer is given to it, to be refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long, and for how many, the server waits.

    ``head_seconds`` a request may take from its first byte (or the connection) to the end of its head,
    ``body_seconds`` its body; ``stall_seconds`` may pass without a byte, either way; ``linger_seconds`` are left to a
    client to take the answer before the connection goes. ``waiting`` requests may wait for a thread, none of them
    longer than ``patience_seconds``. ``quick`` are the beginnings of requests that never wait.
    """

    head_seconds: float = 10.0
    body_seconds: float = 20.0
    stall_seconds: float = 5.0
    linger_seconds: float = 2.0
    waiting: int = 64
    patience_seconds: float = 1.2
    quick: tuple[bytes, ...] = (b"GET /health/", b"GET /metrics")


class Connection(TConn):
    """One connection. ``until`` is when the server stops waiting for what it waits for; ``refusal`` why it refuses."""

    def __init__(self, cfg: object, sock: socket.socket, client: object, server: object, *, limits: Limits) -> None:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            sock.setsockopt(socket.SOL_SOCKET, option, _timeval(limits.stall_seconds))
        super().__init__(cfg, sock, client, server)
        self.limits = limits
        self.received = bytearray()
        self.until = time.monotonic() + limits.head_seconds
        self.queued_at = 0.0
        self.refusal = ""
        self.to_discard = _LONGEST_HEAD

    def starts_with(self, beginnings: tuple[bytes, ...]) -> bool:
        """Whether the request begins like one of these, as far as it is there; nothing is taken."""
        start = bytes(self.received[:_AT_ONCE]) or self._held()
        if not start:
            try:
                start = self.sock.recv(max(map(len, beginnings)), socket.MSG_PEEK | socket.MSG_DONTWAIT)
            except OSError:
                return False
        return start.startswith(beginnings)

    def read_head(self) -> bool:
        """Take what has come, without waiting. Whether the head of a request is there, ready to be parsed.

        Raises:
            EOFError, OSError: the client has gone.
        """
        if self.parser is not None:
            self.received += self.parser.unreader.take_buffered()
        searched = 0
        while self.received.find(b"\r\n\r\n", searched) < 0 and len(self.received) < _LONGEST_HEAD:
            searched = max(0, len(self.received) - 3)
            try:
                data = self.sock.recv(_AT_ONCE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
            if not data:
                raise EOFError
            self.received += data
        self.init()
        if not isinstance(self.parser.unreader, _TimedReader):
            self.parser.unreader = _TimedReader(self)
        self.parser.unreader.until = time.monotonic() + self.limits.body_seconds
        self.parser.unreader.unread(bytes(self.received))
        self.received.clear()
        return True

    def discard(self) -> bool:
        """Take what has come and forget it. Whether that was the end: the client has closed, or sends without end."""
        try:
            while data := self.sock.recv(_AT_ONCE, socket.MSG_DONTWAIT):
                self.to_discard -= len(data)
                if self.to_discard < 0:
                    return True
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def _held(self) -> bytes:
        return bytes(self.parser.unreader.buf.getvalue()) if self.parser is not None else b""


class Body:
    """``wsgi.input``: what gunicorn reads of a body; what is no HTTP in it is refused as a head that is none.

    Reading raises CallError when the pieces of the body do not follow HTTP.
    """

    def __init__(self, body: InputStream) -> None:
        self._body = body

    def read(self, size: int = -1) -> bytes:
        """So many bytes, or all that there are."""
        return _refusing(self._body.read, size)

    def readline(self, size: int = -1) -> bytes:
        """The next line."""
        return _refusing(self._body.readline, size)

    def readlines(self, hint: int = -1) -> list[bytes]:
        """The lines."""
        return _refusing(self._body.readlines, hint)

    def __iter__(self) -> Iterator[bytes]:
        """The lines, one by one."""
        return iter(self.readline, b"")


def _refusing(read: Callable[[int], Read], size: int) -> Read:
    try:
        return read(size)
    except ParseException as fault:
        raise refusal_of(fault) from None


class _TimedReader(SocketUnreader):
    """Reads the body of a request until a moment, and no longer."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.sock)
        self._connection = connection
        self.until = 0.0

    def chunk(self, size_hint: int | None = None) -> Any:  # noqa: ANN401 - bytes of gunicorn
        """The next piece.

        Raises:
            TooSlowError: there was none for too long, or the whole has taken too long.
        """
        if time.monotonic() > self.until:
            self._give_up()
        try:
            return super().chunk(size_hint)
        except BlockingIOError:  # the time limit of the socket
            self._give_up()

    def _give_up(self) -> None:
        if self._connection.parser.mesg:
            self._connection.parser.mesg.force_close()
        raise TooSlowError


def _timeval(seconds: float) -> bytes:
    whole = int(seconds)
    return struct.pack("ll", whole, int((seconds - whole) * 1_000_000))
