"""``cat-cds codes``: the report in the terminal with its exit code, and the lock file after a reviewed edit."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli import codes, main
from hooks.tables import LOCK, sources
from tests.hooks.spoilt_data import add, spoil

ICD = "codes/conditions-icd10cm.csv"
MILD = "Mild intermittent asthma, uncomplicated"
ASTHMA = "http://hl7.org/fhir/sid/icd-10-cm,J45.909,Asthma,exact,include,vte,acute,,,1,own list"


def cat_cds(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_our_lists_pass() -> None:
    answer = cat_cds("codes", "check")
    assert answer.exit_code == 0, answer.output
    assert "rows in 15 files; compared: RxNorm strengths, LOINC names, ICD-10-CM labels, drug names." in answer.stdout


def test_a_fault_is_a_line_with_its_place_and_the_exit_code_is_1(tmp_path: Path) -> None:
    data = spoil(tmp_path, ICD, add(ASTHMA))
    line = len((data / ICD).read_text(encoding="utf-8").splitlines())
    answer = cat_cds("codes", "check", "--data", data)
    assert answer.exit_code == 1
    told = f"{ICD}:{line}: J45.909 is 'Unspecified asthma, uncomplicated' in ICD-10-CM, not 'Asthma'"
    assert answer.stdout.splitlines()[0] == told
    assert answer.stderr == "Error: 1 faults in the code lists.\n"


def test_the_counts_are_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    shown = cat_cds("codes", "check", "--counts").stdout
    (row,) = [line for line in shown.splitlines() if "procedures-hcpcs.csv" in line]
    assert "procedure ivc-filter" in row


def test_without_the_development_packages_it_says_what_it_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "icd_10_cm", lambda: None)
    answer = cat_cds("codes", "check")
    assert answer.exit_code == 0, answer.output
    assert "ICD-10-CM labels were not compared" in answer.stdout


def test_a_package_that_is_not_there_is_no_second_source(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(codes, "import_module", absent)
    assert codes.icd_10_cm() is None


def test_an_edit_is_a_fault_until_it_is_locked(tmp_path: Path) -> None:
    data = spoil(tmp_path, ICD, add(ASTHMA.replace("J45.909,Asthma", f'J45.20,"{MILD}"')))
    titles = {name: one.title for name, one in sources(data).items()}
    old = (data / LOCK).read_text(encoding="utf-8")
    with (data / ICD).open("a", encoding="utf-8") as file:
        file.write(ASTHMA.replace("J45.909,Asthma", 'J45.901,"Unspecified asthma with (acute) exacerbation"') + "\n")

    edited = cat_cds("codes", "check", "--data", data)
    locked = cat_cds("codes", "lock", "--data", data)

    assert edited.exit_code == 1
    assert f"{ICD}: was edited: review the edit, then run cat-cds codes lock" in edited.stdout
    assert (locked.exit_code, locked.stdout) == (0, "1 files have a new hash in sources.toml.\n")
    checked = cat_cds("codes", "check", "--data", data)
    assert checked.exit_code == 0, checked.output
    assert (data / LOCK).read_text(encoding="utf-8") != old
    assert {name: one.title for name, one in sources(data).items()} == titles


def test_a_directory_without_a_lock_file_is_one_line(tmp_path: Path) -> None:
    answer = cat_cds("codes", "lock", "--data", tmp_path)
    assert answer.exit_code == 1
    assert answer.stderr.startswith("Error: ")
    assert "Traceback" not in answer.output
