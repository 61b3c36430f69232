"""`make run` says in one line what to do when its port cannot be used."""

from __future__ import annotations

import socket

import pytest

from tests.packaging.free_port import problem


def test_a_free_port_is_no_problem() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]

    assert problem("127.0.0.1", str(free)) is None


def test_a_port_that_is_taken_is_named_with_the_remedy() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]

        words = problem("127.0.0.1", str(taken))

    assert words is not None
    assert f"Port {taken}" in words
    assert "PORT=9000 make run" in words
    assert "\n" not in words


@pytest.mark.parametrize("port", ["", "http", "0", "65536", "-1"])
def test_what_is_no_port_number_is_said(port: str) -> None:
    assert "is not a port number" in str(problem("127.0.0.1", port))
