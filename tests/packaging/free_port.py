"""Says in one line what to do when the port of `make run` is taken; silent when it is free."""

from __future__ import annotations

import socket
import sys


def problem(host: str, port: str) -> str | None:
    """Why nothing could listen on host and port, with the remedy; None when it could."""
    if not port.isdecimal() or not 0 < int(port) < 65536:
        return f"PORT={port} is not a port number (1 to 65535)."
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as why:
        return f"Port {port} on {host} cannot be used ({why.strerror}). Choose another one: PORT=9000 make run"
    return None


if __name__ == "__main__":
    words = problem(*sys.argv[1:3])
    if words:
        sys.exit(words)
