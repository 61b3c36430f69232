"""The Dockerfile, read step by step: locked, small, not root, and nothing copied that is not there."""

from __future__ import annotations

import json
import re
import shlex
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.house.rules import pinned

Step = tuple[str, str]


def steps(text: str) -> list[Step]:
    """(instruction, argument) of each step, continued lines joined, comments left out."""
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    return [(line.split()[0].upper(), line.split(maxsplit=1)[1]) for line in joined.splitlines() if line.strip()]


def sent_to_the_build(path: str, ignore: str) -> bool:
    """Whether .dockerignore lets a path of the project through: the last line that matches decides."""
    sent = True
    for line in ignore.splitlines():
        pattern = line.strip().lstrip("!")
        if not pattern or pattern.startswith("#"):
            continue
        parents = [path, *[parent.as_posix() for parent in Path(path).parents]][:-1]
        if any(fnmatch(name, pattern) or fnmatch(name, pattern.removeprefix("**/")) for name in parents):
            sent = line.strip().startswith("!")
    return sent


@pytest.fixture(scope="module")
def image(project_root: Path) -> list[Step]:
    """The steps of the Dockerfile."""
    return steps((project_root / "Dockerfile").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def ignore(project_root: Path) -> str:
    """The text of .dockerignore."""
    return (project_root / ".dockerignore").read_text(encoding="utf-8")


def test_what_is_copied_exists_and_is_sent_to_the_build(image: list[Step], ignore: str, project_root: Path) -> None:
    sources = [
        source
        for instruction, argument in image
        if instruction == "COPY" and "--from=" not in argument
        for source in argument.split()[:-1]
    ]

    assert len(sources) > 5
    assert [source for source in sources if not (project_root / source).exists()] == []
    assert [source for source in sources if not sent_to_the_build(source, ignore)] == []


@pytest.mark.parametrize("path", [".git/config", ".venv/bin/python", "tests/conftest.py", "clients.toml", "app/x.pyc"])
def test_what_the_image_does_not_need_is_not_sent_to_the_build(path: str, ignore: str) -> None:
    assert not sent_to_the_build(path, ignore)


def test_every_package_is_checked_by_hash_and_none_is_built_from_source(image: list[Step]) -> None:
    commands = [part for kind, line in image if kind == "RUN" for part in line.split("&&") if " pip install" in part]

    assert len(commands) == 3
    for command in commands:
        words = shlex.split(command)
        by_lock = {"--require-hashes", "--only-binary", "-r"} <= set(words)
        own_wheel = {"--no-deps", "--no-index"} <= set(words)
        assert by_lock or own_wheel, command


def test_the_last_stage_holds_the_result_only_and_is_not_run_by_root(image: list[Step]) -> None:
    last = image[max(number for number, (kind, _) in enumerate(image) if kind == "FROM") :]
    kinds = dict(last)

    assert [line for kind, line in last if kind == "COPY"] == ["--from=build /opt/cat-cds /opt/cat-cds"]
    assert int(kinds["USER"]) >= 1000
    assert "HEALTHCHECK" in kinds
    assert json.loads(kinds["ENTRYPOINT"]) == ["cat-cds"]
    assert "--demo" not in json.loads(kinds["CMD"])


def test_the_base_image_has_a_python_that_the_project_accepts(image: list[Step]) -> None:
    base = dict(argument.split("=") for kind, argument in image if kind == "ARG")["PYTHON_IMAGE"]

    assert re.fullmatch(r"python:3\.1[1-9]-slim-\w+", base)


def test_hospitals_get_the_packages_of_the_service_and_a_demo_those_of_the_page_too(
    image: list[Step], project_root: Path
) -> None:
    chosen = dict(argument.split("=") for kind, argument in image if kind == "ARG")["PACKAGES"]
    [command] = [line for kind, line in image if kind == "RUN" and "${PACKAGES}" in line]
    run, demo = (
        set(pinned((project_root / "requirements" / f"{name}.txt").read_text(encoding="utf-8")).items())
        for name in (chosen, "demo")
    )

    assert chosen == "run"
    assert '-r "requirements/${PACKAGES}.txt"' in command
    assert "requirements/demo.txt" in " ".join(line for kind, line in image if kind == "COPY")
    assert {name for name, _ in demo - run} == {"vl-convert-python"}
    assert run <= demo


def test_the_demo_packages_are_checked_by_hash(project_root: Path) -> None:
    text = (project_root / "requirements" / "demo.txt").read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=[a-z])", re.sub(r"^\s*#.*\n?", "", text, flags=re.MULTILINE).strip())

    assert len(blocks) == len(pinned(text)) > 20
    assert [block for block in blocks if "--hash=sha256:" not in block] == []
