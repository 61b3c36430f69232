"""A copy of the knowledge in which a test spoils one file, with the lock brought up to date afterwards."""

import shutil
from collections.abc import Callable
from pathlib import Path

from hooks.tables import DATA, LOCK, relock


def spoil(tmp_path: Path, file: str, edit: Callable[[str], str]) -> Path:
    """The folder of a copy of ``hooks/data`` whose ``file`` went through ``edit``."""
    data = tmp_path / "data"
    shutil.copytree(DATA, data)
    path = data / file
    before = path.read_text(encoding="utf-8")
    after = edit(before)
    assert after != before, "the test spoils nothing"
    path.write_text(after, encoding="utf-8")
    (data / LOCK).write_text(relock(data), encoding="utf-8")
    return data


def add(line: str) -> Callable[[str], str]:
    """An edit that adds a line at the end."""
    return lambda text: f"{text}{line}\n"
