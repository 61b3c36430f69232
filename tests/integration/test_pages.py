"""The page on other FHIR servers, followed to the letter with a server that nobody of this project wrote."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from app import today_in
from app.cli.try_patient import try_patient
from app.settings import Settings
from tests.app.service import running as service_running
from tests.integration.sekmet import running

pytestmark = pytest.mark.xdist_group("sekmet")


def test_a_patient_of_the_demo_moves_to_another_server_as_the_page_says(project_root: Path, tmp_path: Path) -> None:
    page = (project_root / "docs" / "fhir-servers.md").read_text(encoding="utf-8")
    script = re.search(r"^\.venv/bin/python - (\S+) \S+ <<'EOF'\n(.*?)^EOF\n", page, re.MULTILINE | re.DOTALL)
    assert script
    patient, program = script.groups()

    with running(tmp_path / "server", tmp_path / "server.db", token_check=False) as server:
        command = [sys.executable, "-", patient, server.base]
        told = subprocess.run(command, input=program, cwd=project_root, capture_output=True, text=True, check=True)
        assert re.fullmatch(rf"200 \d+ resources of {patient}\n", told.stdout), told.stdout
        with service_running(Settings(demo=True, budget_ms=30_000), today=today_in) as service:
            arguments = [patient, "--fhir", server.base, "--order", "apixaban", "--url", service.url]
            shown = CliRunner().invoke(try_patient, arguments)
    assert shown.exit_code == 0, shown.output
    assert "doac-in-cancer" in shown.output
