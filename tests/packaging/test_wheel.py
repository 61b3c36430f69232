"""The steps of the Dockerfile without Docker: build the wheel, install it by the lock files into an empty environment,
start it as the user of the image on a tree that nobody may write to.
"""

from __future__ import annotations

import json
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
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from app.settings import Settings
from tests.app.hospital import bearer, listed
from tests.app.service import call
from tests.deploy.files import image, image_port

pytestmark = pytest.mark.xdist_group("wheel")  # built and installed once, by one of the test processes

STEADY = requests.Session()  # asks again while the service starts
STEADY.mount("http://", HTTPAdapter(max_retries=Retry(240, read=0, backoff_factor=0.1, backoff_max=0.25)))


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
def state(image_user: int) -> Iterator[Path]:
    """An empty directory, the only one that the service may write to."""
    with tempfile.TemporaryDirectory(prefix="cat-cds-state-") as directory:
        if os.geteuid() == 0:
            os.chown(directory, image_user, image_user)
        yield Path(directory)


@pytest.fixture
def site() -> Iterator[Settings]:
    """The settings of a hospital, their files where every user may read them."""
    with tempfile.TemporaryDirectory(prefix="cat-cds-site-") as directory:
        Path(directory).chmod(0o755)
        yield listed(Path(directory))


@pytest.fixture(scope="module")
def image_user() -> int:
    """The user that the image names."""
    return int(image()["USER"])


@pytest.fixture(scope="module")
def wheel(shelf: Path, project_root: Path) -> Path:
    """The project's wheel, built by the locked build backend."""
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", shelf, "."]
    subprocess.run([*command, "--quiet"], cwd=project_root, check=True)
    [built] = shelf.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(shelf: Path, wheel: Path, project_root: Path, image_user: int) -> Path:
    """The bin directory of an environment that holds the locked packages and the wheel, and that is read-only."""
    environment = shelf / "environment"
    subprocess.run([interpreter(image_user), "-m", "venv", environment], check=True)
    python = environment / "bin" / "python"
    install = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    lock = project_root / "requirements" / "run.txt"
    subprocess.run([*install, "--require-hashes", "--only-binary", ":all:", "-r", lock], cwd=shelf, check=True)
    subprocess.run([*install, "--no-deps", "--no-index", wheel], cwd=shelf, check=True)
    subprocess.run([python, "-m", "pip", "uninstall", "-qq", "--yes", "pip", "setuptools"], cwd=shelf, check=True)
    for path in environment.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    for path in (shelf, environment):
        path.chmod(0o555)
    return environment / "bin"


def another_user(user: int) -> dict[str, Any]:
    """Arguments that start a process as this user. Who is not root cannot; then a read-only tree is so for us, too."""
    return {"user": user, "group": user, "extra_groups": []} if os.geteuid() == 0 else {}


def interpreter(user: int) -> str:
    """The Python of this run, or the system's where only that one can be used by another user."""
    asked = "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))"
    for python in (getattr(sys, "_base_executable", sys.executable), "/usr/bin/python3"):
        with suppress(OSError):
            told = subprocess.run(
                [python, "-c", asked], capture_output=True, cwd="/", check=False, **another_user(user)
            )
            if told.returncode == 0:
                return str(python)
    pytest.fail("another user can use no Python here: make system-deps installs one")


def written_by(user: int, *places: Path) -> list[Path]:
    """What belongs to a user in the places where everybody may write, and in these."""
    anywhere = [Path(name) for name in ("/tmp", "/var/tmp", "/dev/shm")]  # noqa: S108 - looked at only
    found = []
    for place in {*anywhere, *places}:
        for folder, names, files in os.walk(place):
            for name in (*names, *files):
                with suppress(OSError):
                    path = Path(folder, name)
                    if path.lstat().st_uid == user:
                        found.append(path)
    return sorted(found)


@contextmanager
def service(
    installed: Path, user: int, state: Path, *arguments: str, **given: str
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The installed service as the image starts it: its address and its process; it must end well."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [installed / "cat-cds", *arguments, "--host", "127.0.0.1", "--port", str(port)],
        cwd=state,
        env={"PATH": f"{installed}:{os.defpath}", "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(state), **given},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **another_user(user),
    )
    try:
        assert STEADY.get(f"http://127.0.0.1:{port}/health/live", timeout=10).status_code == 200
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.send_signal(signal.SIGTERM)
        words, _ = process.communicate(timeout=40)
    assert process.returncode == 0, words.decode()


def is_healthy(installed: Path, user: int, url: str) -> bool:
    """What the HEALTHCHECK of the image says about a service at this address."""
    command = json.loads(image()["HEALTHCHECK"].partition(" CMD ")[2])
    assert any(f"127.0.0.1:{image_port()}/" in word for word in command)
    moved = [word.replace(f"http://127.0.0.1:{image_port()}", url) for word in command]
    moved[0] = str(installed / moved[0])
    asked = subprocess.run(moved, cwd="/", capture_output=True, timeout=30, check=False, **another_user(user))
    return asked.returncode == 0


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


def test_nobody_may_write_to_the_tree(installed: Path, shelf: Path, image_user: int) -> None:
    folders = [shelf, *(path for path in (shelf / "environment").rglob("*") if path.is_dir() and not path.is_symlink())]
    attempt = (
        "import os, sys\n"
        "for folder in sys.stdin.read().splitlines():\n"
        "    try: open(os.path.join(folder, 'written'), 'w')\n"
        "    except PermissionError: continue\n"
        "    print(folder)\n"
    )
    command = [installed / "python", "-I", "-c", attempt]
    names = "\n".join(map(str, folders))
    told = subprocess.run(
        command, input=names, capture_output=True, text=True, check=True, cwd="/", **another_user(image_user)
    )

    assert len(folders) > 100
    assert told.stdout == ""


def answered(url: str, path: str) -> requests.Response:
    """The answer to a signed call; on a busy machine the store may tell too late that a token is new, so again."""
    for _ in range(20):
        answer = requests.post(url + path, json=call("order-select"), headers=bearer(path), timeout=30)
        if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
            break
    return answer


def test_the_service_starts_as_the_image_does_and_writes_to_its_one_folder_only(
    installed: Path, shelf: Path, state: Path, site: Settings, image_user: int
) -> None:
    assert site.card_key is not None
    command = json.loads(image()["CMD"])
    before = sorted(shelf.rglob("*"))
    given = {
        "CAT_CDS_PUBLIC_URL": site.public_url,
        "CAT_CDS_CARD_KEY": site.card_key.get_secret_value(),
        "CAT_CDS_CLIENTS_FILE": str(site.clients_file),
    }
    with service(installed, image_user, state, command[0], **given) as (url, process):
        owner = Path(f"/proc/{process.pid}").stat().st_uid
        healthy = is_healthy(installed, image_user, url)
        path = "/cds-services/cat-order-select"
        answer = answered(url, path)
        kept = sorted(one.name for one in state.iterdir())
        elsewhere = [path for path in written_by(image_user, shelf) if state not in (path, *path.parents)]

    assert owner == (image_user if os.geteuid() == 0 else os.geteuid())
    assert healthy
    assert not is_healthy(installed, image_user, url)
    assert answer.status_code == 200, answer.text
    assert "cat-cds.db" in kept
    assert os.geteuid() != 0 or elsewhere == []
    assert sorted(shelf.rglob("*")) == before


def test_the_demo_runs_in_the_same_image(installed: Path, shelf: Path, state: Path, image_user: int) -> None:
    before = sorted(shelf.rglob("*"))
    with service(installed, image_user, state, "serve", "--demo", "--demo-public") as (url, _):
        services = requests.get(f"{url}/cds-services", timeout=30).json()["services"]
        patients = requests.get(f"{url}/fhir/Patient", timeout=30).json()
        page = requests.get(f"{url}/", timeout=30)

    assert {"cat-patient-view", "cat-order-select"} <= {entry["id"] for entry in services}
    assert patients["total"] >= 14
    assert page.status_code == 200
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
