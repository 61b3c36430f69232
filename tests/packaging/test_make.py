"""The commands of the Makefile: quick when nothing changed, and one clear line when something is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

NO_PYTHON = "Python 3.11 or newer is needed"
NO_VENV = "apt-get install python3-venv"


@pytest.fixture
def checkout(tmp_path: Path, project_root: Path) -> Path:
    """A directory with what `make install` looks at."""
    shutil.copy(project_root / "Makefile", tmp_path)
    shutil.copy(project_root / "pyproject.toml", tmp_path)
    (tmp_path / "requirements").mkdir()
    for name in ("build.txt", "dev.txt", "run.txt"):
        (tmp_path / "requirements" / name).write_text("", encoding="utf-8")
    return tmp_path


def make(directory: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")} | variables
    return subprocess.run(
        ["make", *arguments], cwd=directory, env=environment, capture_output=True, text=True, timeout=30, check=False
    )


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def own_words(result: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines on standard error that do not come from make itself."""
    return [line for line in result.stderr.splitlines() if not line.startswith("make: ***")]


def test_no_python_that_is_new_enough_is_said_in_one_line(checkout: Path) -> None:
    old = script(checkout / "python3", "exit 1")

    result = make(checkout, "install", f"PYTHON={old} no-such-python")

    assert result.returncode != 0
    [line] = own_words(result)
    assert NO_PYTHON in line
    assert old in line
    assert not (checkout / ".venv").exists()


def test_a_python_without_the_venv_module_is_said_in_one_line(checkout: Path) -> None:
    bare = script(checkout / "python3", 'case "$2" in *ensurepip*) exit 1;; *) exit 0;; esac')

    result = make(checkout, "install", f"PYTHON=no-such-python {bare}")

    assert result.returncode != 0
    [line] = own_words(result)
    assert NO_VENV in line
    assert not (checkout / ".venv").exists()


def test_a_failing_registry_is_said(checkout: Path) -> None:
    (checkout / ".venv" / "bin").mkdir(parents=True)
    script(checkout / ".venv" / "bin" / "python", 'case "$*" in *install*) exit 1;; *) exit 0;; esac')

    result = make(checkout, "install")

    assert result.returncode != 0
    assert own_words(result) == [
        "The packages could not be installed. Is a package registry reachable (pip config list)?"
    ]
    assert not (checkout / ".venv" / ".project").exists()


@pytest.mark.parametrize(("changed", "work_to_do"), [(None, 0), ("requirements/dev.txt", 1), ("pyproject.toml", 1)])
def test_installing_again_does_nothing_unless_the_lock_or_the_project_changed(
    changed: str | None, work_to_do: int, checkout: Path
) -> None:
    (checkout / ".venv").mkdir()
    for moment, name in enumerate(("requirements/dev.txt", "pyproject.toml", ".venv/.locked", ".venv/.project")):
        (checkout / name).touch()
        os.utime(checkout / name, (moment, moment))
    if changed:
        os.utime(checkout / changed, (10, 10))

    assert make(checkout, "--question", "install").returncode == work_to_do


@pytest.mark.parametrize(
    ("arguments", "variables", "address"),
    [
        ((), {}, '--host "127.0.0.1" --port "8000"'),
        ((), {"PORT": "9000"}, '--host "127.0.0.1" --port "9000"'),
        (("HOST=0.0.0.0", "PORT=9001"), {}, '--host "0.0.0.0" --port "9001"'),
        ((), {"HOST": "x86_64-conda-linux-gnu"}, '--host "127.0.0.1" --port "8000"'),
    ],
)
def test_where_make_run_listens(
    arguments: tuple[str, ...], variables: dict[str, str], address: str, project_root: Path
) -> None:
    plan = make(project_root, "--dry-run", "run", *arguments, **{"PORT": "8000"} | variables)

    assert f"cat-cds serve --demo {address}" in plan.stdout


def test_help_lists_every_command(project_root: Path) -> None:
    text = (project_root / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)

    assert phony
    listed = re.findall(r"^  make ([a-z-]+) ", make(project_root, "help").stdout, re.MULTILINE)
    assert sorted(listed) == sorted(phony[1].split())
