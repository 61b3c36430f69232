"""gunicorn's worker with threads, made to wait for nobody without an end and to say nothing of what came.

One loop holds all connections. A thread is given to a request whose head is there, and its body must follow within
limits. When all threads are busy a bounded number of requests waits; the rest is refused at once by threads of their
own, which also answer what never waits, such as the probes.
"""

import errno
import math
import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from selectors import EVENT_READ
from typing import Any
from wsgiref.types import WSGIEnvironment

import structlog
from gunicorn.workers.gthread import ThreadWorker

from app import audit
from app.cli import refusals
from app.cli.connections import Body, Connection, Limits
from app.errors import TooSlowError

PORTERS = 4
"""Threads for what never waits."""

REFUSERS = 2
"""Threads for refusals: however many there are, a probe does not wait behind them."""

DRAIN_SECONDS = 0.05
"""How long a refusal waits for the rest of a body, so that the connection may stay."""

LONGEST_DRAIN = 1_000_000
"""Bytes of such a rest; what is longer ends the connection."""

LONGEST_UNREAD = 10_000_000
"""Bytes of a body that the application did not read, which are taken so that the connection stays as promised."""

_NOT_YET = object()
_NOBODY_THERE = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED, errno.EMFILE, errno.ENFILE)


class QuietWorker(ThreadWorker):
    """Serves connections; ``limits`` of the gunicorn application, if it has any, are followed."""

    wsgi: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as gunicorn has it
        super().__init__(*args, **kwargs)
        self.limits: Limits = getattr(self.app, "limits", Limits())
        self.max_keepalived = max(1, self.worker_connections - self.cfg.threads - self.limits.waiting)
        self.in_hand = 0  # requests that have a thread or wait for one; only the loop counts
        self.lingering: list[Connection] = []
        self.porters = ThreadPoolExecutor(PORTERS, thread_name_prefix="porter")
        self.refusers = ThreadPoolExecutor(REFUSERS, thread_name_prefix="refuser")

    def load_wsgi(self) -> None:
        """Have the application at hand. What it answers while the worker stops is the last on its connection."""
        super().load_wsgi()
        application: Callable[..., Iterable[bytes]] = self.wsgi

        def answered(environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:  # noqa: ANN401 - of gunicorn
            def start(*args: Any) -> object:  # noqa: ANN401 - as WSGI has it
                if not self.alive:
                    start_response.__self__.force_close()
                return start_response(*args)

            environ["wsgi.input"] = Body(environ["wsgi.input"])
            return application(environ, start)

        self.wsgi = answered

    def run(self) -> None:
        """Serve until told to stop."""
        try:
            super().run()
        finally:
            self.porters.shutdown(wait=False)
            self.refusers.shutdown(wait=False)

    # New connections

    def set_accept_enabled(self, enabled: bool) -> None:
        """Begin or pause to accept. When the worker stops, whoever has already connected is let in, then the door shut.

        Otherwise the system would go on connecting clients that nobody will answer.
        """
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                listener.setblocking(False)
                while self.accept(listener):
                    pass
                listener.close()

    def accept(self, listener: Any) -> bool:  # noqa: ANN401 - a socket of gunicorn
        """Take a new connection into the loop. Whether there was one."""
        try:
            sock, address = listener.accept()
        except OSError as error:
            if error.errno not in _NOBODY_THERE:
                raise
            return False
        try:
            connection = Connection(self.cfg, sock, address, listener.getsockname(), limits=self.limits)
        except OSError:  # gone already
            sock.close()
            return True
        self.nr_conns += 1
        self._watch(connection)
        return True

    def _watch(self, connection: Connection) -> None:
        """Wait for the (rest of the) head of a request."""
        connection.sock.setblocking(False)
        self.pending_conns.append(connection)
        self.poller.register(connection.sock, EVENT_READ, partial(self.on_pending_socket_readable, connection))

    def on_client_socket_readable(self, conn: Connection, client: object) -> None:
        """The next request begins on a connection that was kept."""
        conn.until = time.monotonic() + self.limits.head_seconds
        super().on_client_socket_readable(conn, client)

    # Requests

    def enqueue_req(self, conn: Connection) -> None:
        """Give a connection with data to the threads, or to the porters when all are busy and it may not wait."""
        conn.queued_at, conn.refusal = time.monotonic(), ""
        pool = self.tpool
        if self.in_hand >= self.cfg.threads:
            if conn.starts_with(self.limits.quick):
                pool, conn.queued_at = self.porters, math.inf  # never late
            elif self.in_hand >= self.cfg.threads + self.limits.waiting:
                pool, conn.refusal = self.refusers, "full"
        apart = pool is not self.tpool
        self.in_hand += not apart
        future = pool.submit(self.handle, conn)
        future.add_done_callback(lambda done: self.method_queue.defer(self._handled, conn, done, apart))

    def handle(self, conn: Connection) -> object:
        """Answer the request of a connection, in a thread, if it is there."""
        try:
            if not conn.read_head():
                return _NOT_YET
        except (EOFError, OSError):
            return False
        if time.monotonic() - conn.queued_at > self.limits.patience_seconds:
            conn.refusal = conn.refusal or "late"
        return super().handle(conn)

    def handle_request(self, req: Any, conn: Connection) -> bool:  # noqa: ANN401 - a request of gunicorn
        """Answer a request by the application, or refuse it."""
        if not conn.refusal:
            return bool(super().handle_request(req, conn))
        keep = self.alive and not req.should_close() and not getattr(req, "_expected_100_continue", False)
        if keep:
            by = time.monotonic() + DRAIN_SECONDS
            keep = bool(conn.parser.finish_body(deadline=by, max_bytes=LONGEST_DRAIN))
            conn.sock.setblocking(True)
        refusal = refusals.busy()
        self._count(conn.refusal)
        structlog.get_logger("cat_cds").warning("turned away", status=refusal.status, why=conn.refusal)
        conn.sock.sendall(refusals.answer(refusal, close=not keep, body=req.method != "HEAD"))
        return keep

    def handle_error(self, req: object, client: Any, addr: object, exc: BaseException) -> None:  # noqa: ANN401 - a socket
        """Answer a request that could not be read; the log gets the kind of fault only."""
        refusal = refusals.refusal_of(exc)
        structlog.get_logger("cat_cds").warning("bad request", status=refusal.status, error=audit.unforeseen(exc))
        if isinstance(exc, TooSlowError):
            self._count("slow")
        try:
            client.sendall(refusals.answer(refusal))
        except OSError:
            self.log.debug("The caller was gone.")

    def _count(self, why: str) -> None:
        """Count a request that was turned away, where the application counts."""
        metrics = getattr(self.app.wsgi(), "extensions", {}).get("cat-cds-metrics")
        if metrics is not None:
            metrics.turn_away(why)

    # Afterwards

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        """Whether the connection stays. A call that was refused unread, for its token, leaves its body on the way.

        Gunicorn takes 64 kB of that and else closes, although the answer said keep-alive: the next call would be lost.
        """
        by = time.monotonic() + self.limits.stall_seconds
        return keepalive and bool(conn.parser.finish_body(deadline=by, max_bytes=LONGEST_UNREAD))

    def _handled(self, conn: Connection, done: "Future[object]", apart: bool) -> None:
        self.in_hand -= not apart
        result = False if done.cancelled() or done.exception() else done.result()
        if result is _NOT_YET:
            self._watch(conn)
        elif result:
            self.finish_request(conn, done)
        else:
            self._part(conn)

    def _part(self, conn: Connection) -> None:
        """End a connection without cutting off the answer: the client may still be sending, or reading."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(conn)
            return
        if conn.discard():
            self._close(conn)
            return
        conn.until = time.monotonic() + self.limits.linger_seconds
        self.lingering.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self._take_leave, conn))

    def _take_leave(self, conn: Connection, _client: object) -> None:
        if conn.discard():
            self._forget(conn, self.lingering)
            self._close(conn)

    def murder_pending(self) -> None:
        """End the waits that are over: for a head that does not come, and for a client that does not close."""
        now = time.monotonic()
        for conn in _over(self.pending_conns, now):
            self._forget(conn, self.pending_conns)
            if conn.received:
                self.handle_error(None, conn.sock, conn.client, TooSlowError())
                self._part(conn)
            else:
                self._close(conn)
        for conn in _over(self.lingering, now):
            self._forget(conn, self.lingering)
            self._close(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """A worker that stops waits no longer than this for connections on which nothing comes."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            if not conn.received:
                conn.until = min(conn.until, deadline)

    def _forget(self, conn: Connection, among: Any) -> None:  # noqa: ANN401 - a list or deque
        among.remove(conn)
        self.poller.unregister(conn.sock)

    def _close(self, conn: Connection) -> None:
        self.nr_conns -= 1
        conn.close()


def _over(connections: Iterable[Connection], now: float) -> list[Connection]:
    return [conn for conn in connections if conn.until <= now]
