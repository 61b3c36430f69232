"""The service as it is run, one worker, for the time of a block; and calls to it over a connection kept open."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import requests

START_SECONDS = 30
HEADERS = {"Content-Type": "application/json"}


@contextmanager
def service() -> Iterator[str]:
    """The address of a demo service in a process of its own; SystemExit with the reason if it does not start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [str(Path(sys.executable).with_name("cat-cds")), "serve", "--demo", "--port", str(port), "--workers", "1"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CAT_CDS_")}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            _wait_until_ready(url, process)
            yield url
        finally:
            process.terminate()


def poster(address: str, content: bytes) -> Callable[[], bytes]:
    """A function that makes the call once, over one open connection, and gives the body of the answer."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=START_SECONDS)

    def post() -> bytes:
        connection.request("POST", parts.path, content, HEADERS)
        return connection.getresponse().read()

    return post


def _wait_until_ready(url: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            _, why = process.communicate()
            raise SystemExit(f"The service did not start. {why.strip().splitlines()[-1:]}")
        try:
            if requests.get(f"{url}/health/ready", timeout=1).ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.05)
    raise SystemExit(f"The service was not ready within {START_SECONDS} seconds.")
