"""What the pages show is true: the example of a clients file loads, the changelog and the notices are complete."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from app import clients

SYSTEMS_WITH_NOTICE = {"rxnorm": "RxNorm", "loinc": "LOINC", "snomed": "SNOMED CT", "atc": "ATC", "cpt": "CPT"}


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

    assert [client.name for client in clients.load(tmp_path / "clients.toml")] == ["city-hospital", "test-system"]


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
