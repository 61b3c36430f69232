"""The steps of the Dockerfile without Docker: build the wheel, install it by the lock files into an empty environment,
start it as another user on a tree that nobody may write to.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

pytestmark = pytest.mark.xdist_group("wheel")  # built and installed once, by one of the test processes

NOBODY = 65534
STEADY = requests.Session()  # asks again while the service starts
STEADY.mount("http://", HTTPAdapter(max_retries=Retry(connect=60, backoff_factor=0.1, backoff_max=0.25)))


@pytest.fixture(scope="module")
def shelf() -> Iterator[Path]:
    """An empty directory that every user may read."""
    directory = Path(tempfile.mkdtemp(prefix="cat-cds-"))
    directory.chmod(0o755)
    yield directory
    for path in [directory, *directory.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(directory)


@pytest.fixture
def state() -> Iterator[Path]:
    """An empty directory for the store of the service, which another user can be let into."""
    with tempfile.TemporaryDirectory(prefix="cat-cds-state-") as directory:
        yield Path(directory)


@pytest.fixture(scope="module")
def wheel(shelf: Path, project_root: Path) -> Path:
    """The project's wheel, built by the locked build backend."""
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", shelf, "."]
    subprocess.run([*command, "--quiet"], cwd=project_root, check=True)
    [built] = shelf.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(shelf: Path, wheel: Path, project_root: Path) -> Path:
    """The bin directory of an environment that holds the locked packages and the wheel, and that is read-only."""
    environment = shelf / "environment"
    subprocess.run([interpreter(), "-m", "venv", environment], check=True)
    python = environment / "bin" / "python"
    install = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    lock = project_root / "requirements" / "run.txt"
    subprocess.run([*install, "--require-hashes", "--only-binary", ":all:", "-r", lock], cwd=shelf, check=True)
    subprocess.run([*install, "--no-deps", "--no-index", wheel], cwd=shelf, check=True)
    subprocess.run([python, "-m", "pip", "uninstall", "-qq", "--yes", "pip", "setuptools"], cwd=shelf, check=True)
    for path in environment.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    return environment / "bin"


def another_user(python: str) -> dict[str, int]:
    """Arguments that start a process as nobody, where we may do so and nobody can use this interpreter."""
    if os.geteuid() != 0:
        return {}
    as_nobody = {"user": NOBODY, "group": NOBODY}
    asked = "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))"
    try:
        subprocess.run([python, "-c", asked], check=True, capture_output=True, cwd="/", **as_nobody)
    except (OSError, subprocess.CalledProcessError):
        return {}
    return as_nobody


def interpreter() -> str:
    """The Python of this run, or the system's where only that one can be used by another user."""
    candidates = [getattr(sys, "_base_executable", sys.executable), "/usr/bin/python3"]
    return next((python for python in candidates if another_user(python)), sys.executable)


def test_the_wheel_holds_the_code_the_knowledge_and_the_demo_patients_and_nothing_else(
    wheel: Path, project_root: Path
) -> None:
    def files(directory: str) -> set[str]:
        found = (path for path in (project_root / directory).rglob("*") if path.is_file())
        return {path.relative_to(project_root).as_posix() for path in found if "__pycache__" not in path.parts}

    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    patients = {name.replace("fixtures/ehr/", "app/demo/fixtures/") for name in files("fixtures/ehr")}
    patients.add("app/demo/patients.toml")  # their stories

    assert any(name.startswith("hooks/data/codes/") for name in names)
    assert patients
    assert names == files("app") | files("hooks") | patients


def test_the_installed_service_starts_as_another_user_on_a_tree_that_nobody_may_write_to(
    installed: Path, shelf: Path, state: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    before = sorted(shelf.rglob("*"))
    state.chmod(0o777)  # the other user keeps its store there
    service = subprocess.Popen(
        [installed / "cat-cds", "serve", "--demo", "--port", str(port)],
        cwd=shelf,
        env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1", "CAT_CDS_STATE_DIR": str(state)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **another_user(str(installed / "python")),
    )
    try:
        services = STEADY.get(f"http://127.0.0.1:{port}/cds-services", timeout=10).json()["services"]
        patients = STEADY.get(f"http://127.0.0.1:{port}/fhir/Patient", timeout=10).json()
    finally:
        service.send_signal(signal.SIGTERM)
        words, _ = service.communicate(timeout=20)

    assert {"cat-patient-view", "cat-order-select"} <= {entry["id"] for entry in services}
    assert patients["total"] >= 14
    assert service.returncode == 0, words.decode()
    assert sorted(shelf.rglob("*")) == before


def test_without_clients_the_installed_service_refuses_to_start_and_says_what_to_do(
    installed: Path, shelf: Path
) -> None:
    refused = subprocess.run(
        [installed / "cat-cds", "serve"],
        cwd=shelf,
        env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert refused.returncode != 0
    assert "CAT_CDS_CLIENTS_FILE" in refused.stderr
    assert "Traceback" not in refused.stderr
