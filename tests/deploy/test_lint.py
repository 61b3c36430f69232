"""The files of a deployment pass linters that know their formats; and each linter notices a file that was spoilt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.app.store.databases import environment
from tests.deploy.files import COMPOSE, DOCKERFILE, KUBERNETES

STYLE = "{extends: default, rules: {line-length: {max: 130}, document-start: disable}}"
CHECKS = {
    "yamllint": ("yamllint", "--strict", "-d", STYLE),
    "compose": ("check-jsonschema", "--builtin-schema", "vendor.compose-spec"),
    "kubernetes 1.30": ("kubernetes-validate", "--strict", "-k", "1.30"),
    "kubernetes 1.34": ("kubernetes-validate", "--strict", "-k", "1.34"),
    "hadolint": ("hadolint", "--no-color"),
}
FILES = [
    ("yamllint", COMPOSE, "restart: unless-stopped", "restart:  unless-stopped"),
    ("yamllint", KUBERNETES, "  name: cat-cds\n", "  name: cat-cds\n  name: cat-cds\n"),
    ("compose", COMPOSE, "stop_grace_period: 60s", "stop_grace_priod: 60s"),
    ("compose", COMPOSE, "read_only: true", "read_only: [true]"),
    ("kubernetes 1.30", KUBERNETES, "minReplicas: 3", "minReplicas: three"),
    ("kubernetes 1.34", KUBERNETES, "readinessProbe:", "readynessProbe:"),
    ("hadolint", DOCKERFILE, "WORKDIR /src", "WORKDIR src"),
    ("hadolint", DOCKERFILE, "USER 10001", "USER root"),
]


def lint(check: str, path: Path) -> subprocess.CompletedProcess[str]:
    """One linter over one file, with nothing to reach but this machine."""
    program, *arguments = CHECKS[check]
    nowhere = "http://127.0.0.1:1"
    command = [Path(sys.executable).parent / program, *arguments, path]
    alone = environment(http_proxy=nowhere, https_proxy=nowhere, HTTP_PROXY=nowhere, HTTPS_PROXY=nowhere)
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=alone)


@pytest.mark.parametrize(("check", "path"), sorted({(check, path) for check, path, *_ in FILES}))
def test_a_file_passes(check: str, path: Path) -> None:
    result = lint(check, path)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("check", "path", "right", "wrong"), FILES)
def test_a_spoilt_file_does_not_pass(check: str, path: Path, right: str, wrong: str, tmp_path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    spoilt = tmp_path / path.name
    spoilt.write_text(text.replace(right, wrong), encoding="utf-8")

    assert right in text
    assert lint(check, spoilt).returncode == 1


def test_every_check_is_applied() -> None:
    assert {check for check, *_ in FILES} == set(CHECKS)
