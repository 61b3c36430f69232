"""What the pages show is true: the example of a clients file loads, the changelog and the notices are complete."""

from __future__ import annotations

import json
import re
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import flask
import pytest
import requests
from click.testing import CliRunner
from werkzeug.serving import WSGIRequestHandler, make_server

from app import clients, clients_file, create_app
from app.cli import main
from app.demo import anchor
from app.settings import Settings
from tests.house import rules

SYSTEMS_WITH_NOTICE = {"rxnorm": "RxNorm", "loinc": "LOINC", "snomed": "SNOMED CT", "atc": "ATC", "cpt": "CPT"}


class Silent(WSGIRequestHandler):
    """Logs nothing."""

    def log(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def demo(project_root: Path) -> Iterator[str]:
    """The address of the service in demo mode, as `make run` starts it, on a day of its patients."""
    fixtures = project_root / "fixtures" / "ehr"
    day = anchor(fixtures)
    server = make_server("127.0.0.1", 0, flask.Flask("to come"), threaded=True, request_handler=Silent)
    address = f"http://127.0.0.1:{server.server_port}"
    settings = Settings(demo=True, fixtures=fixtures, public_url=address, budget_ms=10_000)
    server.app = create_app(settings, today=lambda _zone: day, write=lambda *_: None)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield address
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_curl_of_the_readme_prints_what_the_readme_says(demo: str, project_root: Path) -> None:
    readme = (project_root / "README.md").read_text(encoding="utf-8").replace("http://127.0.0.1:8000", demo)
    shown = re.search(r"^\$ curl -s (\S+) .*? -d '(.*?)' \| grep [^\n]*\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert shown, "the README shows no curl"
    address, body, printed = shown.groups()

    answer = requests.post(address, json=json.loads(body), timeout=20)

    assert re.findall(r'"summary":"[^"]*"', answer.text) == printed.splitlines()


@pytest.fixture(scope="module")
def example(project_root: Path) -> str:
    """The clients file that docs/connecting.md shows."""
    page = (project_root / "docs" / "connecting.md").read_text(encoding="utf-8")
    block = re.search(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert block, "docs/connecting.md shows no clients file"
    return block[1]


def test_the_clients_file_in_the_docs_can_be_used_as_it_is(example: str, tmp_path: Path) -> None:
    (tmp_path / "test-system.jwks.json").write_text('{"keys": []}', encoding="utf-8")
    (tmp_path / "clients.toml").write_text(example, encoding="utf-8")

    assert [client.name for client in clients_file.load(tmp_path / "clients.toml")] == ["city-hospital", "test-system"]


def test_the_clients_file_in_the_docs_is_the_one_that_the_command_prints(example: str) -> None:
    assert example.startswith(clients_file.example())


def test_the_clients_file_in_the_docs_shows_every_key(example: str) -> None:
    shown = {key for client in tomllib.loads(example)["client"] for key in client}

    assert shown == set(clients.Client.model_fields)


def test_the_changelog_keeps_to_its_format(project_root: Path) -> None:
    text = (project_root / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(.+?)\](.*)$", text, re.MULTILINE)

    assert versions[0] == ("Unreleased", "")
    assert [v for v in versions[1:] if not re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d", f"{v[0]}{v[1]}")] == []
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= kinds


def test_each_code_system_that_asks_for_a_notice_has_one(project_root: Path) -> None:
    readme = (project_root / "README.md").read_text(encoding="utf-8")
    notices = readme.partition("## Licence and notices")[2]
    files = [path.stem for path in (project_root / "hooks" / "data" / "codes").glob("*.csv")]
    shipped = {system for system in SYSTEMS_WITH_NOTICE if any(system in re.split(r"[-_]", name) for name in files)}

    assert shipped, "no file of codes names its system"
    assert [system for system in shipped if f"- **{SYSTEMS_WITH_NOTICE[system]}.**" not in notices] == []


def test_the_readme_says_that_it_is_no_medical_device_and_that_nobody_has_reviewed_it(project_root: Path) -> None:
    readme = (project_root / "README.md").read_text(encoding="utf-8")
    profiles = [
        tomllib.loads(path.read_text(encoding="utf-8")) for path in project_root.glob("hooks/data/guidelines/*.toml")
    ]
    reviewers = {profile["reviewer"] for profile in profiles if "reviewer" in profile}

    assert "Not a medical device" in readme
    assert ("No clinician has reviewed" in readme) == (reviewers <= {"not yet reviewed"})


def test_every_subcommand_that_the_pages_and_the_makefile_use_is_there(project_root: Path) -> None:
    pages = [*rules.pages(project_root), project_root / "Makefile"]
    used = {
        tuple(words.split())
        for page in pages
        for words in re.findall(r"/cat-cds (codes [a-z]+|[a-z]+)\b", page.read_text(encoding="utf-8"))
    }

    assert {("serve",), ("try",), ("codes", "check")} <= used
    for words in sorted(used):
        answer = CliRunner().invoke(main, [*words, "--help"])
        assert answer.exit_code == 0, f"cat-cds {' '.join(words)}: {answer.output or answer.exception}"
