"""What every test shares: the root of the project, no network beyond this machine, patient hypothesis settings."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import prometheus_client  # noqa: F401 - now: at import it decides where to count, and some tests set where
import pytest
from hypothesis import settings

# Two cores are shared by all test processes: a slow example says nothing about the code.
settings.register_profile("house", deadline=None, print_blob=True)
settings.register_profile("thorough", deadline=None, print_blob=True, max_examples=1000)
# CI draws the same examples each time, so that it judges the change; whoever runs the tests by hand draws new ones.
settings.register_profile("same", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("same" if os.environ.get("CI") else "house")


LONGEST_NAME = 100

PROGRAMS = {"browser": "chromium", "nginx": "nginx"}
"""By marker: the program of a Debian package that tests of this mark start."""
ABSENT = [
    mark
    for mark, program in PROGRAMS.items()
    if shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin") is None
]


def _left_out() -> list[str]:
    return [
        f"left out: the {mark} tests, since there is no {PROGRAMS[mark]} (make system-deps installs it)"
        for mark in ABSENT
    ]


def pytest_configure(config: pytest.Config) -> None:
    for mark, program in PROGRAMS.items():
        config.addinivalue_line("markers", f"{mark}: needs Debian's {program}")
    if ABSENT and os.environ.get("CI"):
        raise pytest.UsageError(f"with CI set nothing may be {'; '.join(_left_out())}")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Keys and tokens that a test process made for itself are no names: the processes must have the same tests."""
    return argname if isinstance(val, str | bytes) and len(val) > LONGEST_NAME else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    grouped = next((item for item in items if item.get_closest_marker("xdist_group")), None)
    if grouped is not None and getattr(config.option, "loadgroup", False) and "@" not in grouped.nodeid:
        raise pytest.UsageError("pytest-xdist does not keep groups of tests together under this pytest")
    without = [item for item in items if any(item.get_closest_marker(mark) for mark in ABSENT)]
    if without:
        items[:] = [item for item in items if item not in without]
        config.hook.pytest_deselected(items=without)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    fuzzed: Counter[int] = Counter()
    for report in (one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, ())):
        for counts in (value for name, value in getattr(report, "user_properties", ()) if name == "fuzz"):
            fuzzed.update({int(status): number for status, number in dict(counts).items()})
    if fuzzed:
        told = ", ".join(f"{number} x {status}" for status, number in sorted(fuzzed.items()))
        terminalreporter.write_line(f"fuzz: {fuzzed.total()} inputs answered: {told}")
    for line in _left_out():
        terminalreporter.write_line(line, yellow=True)


@pytest.fixture(autouse=True, scope="session")
def _state_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Services that tests start keep their store in a folder of this run, and wait for it as long as a busy machine
    makes them.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.store.database.CALL_WAITS_SECONDS", 5.0)
        patch.setenv("CAT_CDS_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The directory that holds pyproject.toml."""
    return Path(__file__).resolve().parent.parent


def _is_this_machine(host: object) -> bool:
    if host in (None, "", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host)).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True, scope="session")
def _stay_on_this_machine() -> Iterator[None]:
    """A test that connects to another machine, or asks for its address, fails and says which one."""
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not _is_this_machine(address[0]):
            pytest.fail(f"a test tried to connect to {address[0]}")
        connect(self, address)

    def guarded_resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        if not _is_this_machine(host):
            raise socket.gaierror(socket.EAI_NONAME, f"tests may not look up {host}")
        return resolve(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket, "getaddrinfo", guarded_resolve)
        yield
