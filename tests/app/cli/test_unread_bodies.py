"""A call that is refused before its body was read costs the next call on its connection nothing."""

from __future__ import annotations

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from app.cli.http_worker import LONGEST_UNREAD
from tests.app.cli.worker import answer, is_closed, request, serving


def refusing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """401 to everybody, whatever they send."""
    start_response("401 Unauthorized", [("Content-Length", "0")])
    return [b""]


@pytest.mark.parametrize("size", [100, 65_536, 300_000, 3_000_000])
def test_the_connection_stays_when_the_answer_said_so(size: int) -> None:
    with serving(refusing) as running:
        client = running.connect()
        for _ in range(3):
            client.sendall(request("/calls", b"x" * size))
            status, headers, _ = answer(client)
            assert (status, headers["connection"]) == (401, "keep-alive")


def test_a_body_without_end_ends_the_connection() -> None:
    with serving(refusing) as running:
        client = running.connect(request("/calls", Content_Length=str(10 * LONGEST_UNREAD)))
        assert answer(client)[0] == 401
        try:
            for _ in range(20):
                client.sendall(b"x" * (LONGEST_UNREAD // 10))
            assert is_closed(client)
        except ConnectionError:
            pass  # closed while it was sending
