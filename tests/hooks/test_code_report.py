"""The report on the code lists: nothing to say about ours, and every kind of fault is seen in spoilt ones."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from app.cli.codes import icd_10_cm
from hooks import code_report
from hooks.code_report import FILES, report
from hooks.tables import DATA, LOCK, relock, sources
from tests.hooks.spoilt_data import add, spoil

ICD = "codes/conditions-icd10cm.csv"
SNOMED = "codes/conditions-snomed.csv"
RXNORM = "codes/drugs-rxnorm.csv"
RXNORM_SYSTEM = "http://www.nlm.nih.gov/research/umls/rxnorm"
LABS = "codes/labs-loinc.csv"
CONDITION = "{system},{code},{display},{match},{effect},{topic},{kind},{tags},{note},1,own list"
DRUG = RXNORM_SYSTEM + ",{code},{display},exact,include,{drug},,SCD,systemic,{strength},,1,own list"
LAB = "http://loinc.org,{code},{display},include,{analyte},,,1,own list"


def condition(**cells: str) -> Callable[[str], str]:
    row = {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "J45.909", "display": "Asthma", "match": "exact"}
    row |= {"effect": "include", "topic": "vte", "kind": "acute", "tags": "", "note": ""}
    return add(CONDITION.format(**(row | cells)))


def drug(**cells: str) -> Callable[[str], str]:
    row = {"code": "99", "display": "apixaban 5 MG Oral Tablet", "drug": "apixaban", "strength": "5,mg"}
    return add(DRUG.format(**(row | cells)))


def lab(**cells: str) -> Callable[[str], str]:
    row = {"code": "14647-2", "display": "Creatinine", "analyte": "creatinine_mg_dl"}
    return add(LAB.format(**(row | cells)))


def test_our_lists_have_no_fault() -> None:
    found = report(DATA, icd_10_cm())
    assert [f"{fault.file}:{fault.line}: {fault.words}" for fault in found.faults] == []
    assert set(found.compared) == {"RxNorm strengths", "LOINC names", "ICD-10-CM labels", "drug names"}


def test_rows_are_counted_per_file_and_kind() -> None:
    counts = report().counts
    assert {file for file, _ in counts} == set(FILES)
    assert counts[SNOMED, "vte acute"] == (DATA / SNOMED).read_text(encoding="utf-8").count(",vte,acute,")
    lines = sum(len((DATA / file).read_text(encoding="utf-8").splitlines()) - 1 for file in FILES)
    assert sum(counts.values()) == lines


def test_rows_that_no_source_bears_out_are_counted() -> None:
    rows = [row for file in FILES for row in csv.DictReader((DATA / file).read_text(encoding="utf-8").splitlines())]
    marked = sum(row["source"].startswith(("unverified", "weak")) for row in rows)
    assert report().unverified == marked > 0


FAULTS = [
    # duplicates
    (ICD, condition(code="I26.99", kind="acute"), "I26.99 stands in line"),
    (LABS, lab(code="2160-0"), "2160-0 stands in line 2 already"),
    (RXNORM, drug(code="1364445"), "1364445 stands in line"),
    # two groups that contradict each other
    (ICD, condition(code="I26.92", kind="chronic"), "I26.92 means something else in codes/conditions-icd10cm.csv:"),
    (ICD, condition(code="I26.02", topic="bleeding", kind="major"), "I26.02 is bleeding here and vte in codes/"),
    (RXNORM, drug(code="1364435", drug="warfarin"), "1364435 means something else in"),
    (LABS, lab(code="777-3"), "777-3 means something else in codes/labs-loinc.csv:"),
    (ICD, condition(code="I26.09", match="prefix", kind="chronic"), "I26.09 means something else in"),
    # codes that cannot be
    (ICD, condition(code="J45909"), "'J45909' has not the form of a code"),
    (ICD, condition(code="j45.909"), "'j45.909' has not the form of a code"),
    (SNOMED, condition(system="http://snomed.info/sct", code="128053004"), "fails the check digit of SNOMED CT"),
    (LABS, lab(code="14647-3"), "'14647-3' fails the check digit of LOINC"),
    (ICD, condition(system="urn:ours"), "code system 'urn:ours' is not in systems.csv"),
    (ICD, lambda text: text.replace(",1,ICD26\n", ",1,\n", 1), "says no source"),
    # labels
    (ICD, condition(code="J45.909", display="Asthma"), "J45.909 is 'Unspecified asthma, uncomplicated' in"),
    (ICD, condition(code="J45.907"), "J45.907 does not exist in ICD-10-CM"),
    (RXNORM, drug(code="91", strength="2.5,mg"), "91 'apixaban 5 MG Oral Tablet': its display does not give 2.5 mg"),
    (RXNORM, drug(code="92", strength="5,IU"), "92 'apixaban 5 MG Oral Tablet': its display does not give 5 IU"),
    (RXNORM, drug(code="93", display="0.3 ML apixaban 20 MG/ML Injection", strength="20,mg"), "does not give 20 mg"),
    (LABS, lab(display="Platelets"), "14647-2 'Platelets' does not read like creatinine_mg_dl"),
    # prefixes
    (ICD, condition(code="C54.8", topic="malignancy", effect="exclude", kind=""), "C54.8 is exclude below C54,"),
]


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> code_report.Report:
    """The report on lists that have all these faults at the same time: none hides another."""
    data = spoil(tmp_path_factory.mktemp("all"), *FAULTS[0][:2])
    for file, edit, _ in FAULTS[1:]:
        path = data / file
        path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")
    (data / LOCK).write_text(relock(data), encoding="utf-8")
    return report(data, icd_10_cm())


@pytest.mark.parametrize(("file", "edit", "words"), FAULTS, ids=[words for _, _, words in FAULTS])
def test_a_fault_is_seen_with_its_file_and_line(
    spoilt: code_report.Report, file: str, edit: Callable[[str], str], words: str
) -> None:
    told = [fault for fault in spoilt.faults if words in fault.words]
    assert told, [fault.words for fault in spoilt.faults]
    before = len((DATA / file).read_text(encoding="utf-8").splitlines())
    expected = range(2, before) if "source" in words else range(before + 1, before + len(FAULTS))
    assert {fault.file for fault in told} == {file}
    assert [fault.line for fault in told if fault.line not in expected] == []


@pytest.mark.parametrize(
    ("file", "edit", "words"),
    [
        ("codes/drugs.csv", add("tecarfarin,substance,VKA,,,,,,,own list"), "tecarfarin has no code in"),
        ("codes/drugs.csv", add("tecarfarin,substance,VKA,,,,,,,own list"), "tecarfarin has no name in"),
        ("lab-units.csv", add("weight_kg,stone,6.35,1,3,50,,,,,own list"), "stone of weight_kg has no spelling in"),
        (RXNORM, drug(drug="warfarin"), "'apixaban 5 MG Oral Tablet' does not name warfarin"),
        (ICD, condition(topic="vtee"), "unknown topic 'vtee'"),
        (RXNORM, drug(drug="apixabam"), "drug 'apixabam' or '' is not in drugs.csv"),
        ("lab-units.csv", lambda text: text.replace("mg/dL,1,1,", "mg/dL,0,1,", 1), "factor or plausible range"),
    ],
)
def test_what_the_loaders_refuse_or_could_never_find_is_seen(
    tmp_path: Path, file: str, edit: Callable[[str], str], words: str
) -> None:
    (fault,) = [fault for fault in report(spoil(tmp_path, file, edit)).faults if words in fault.words]
    assert fault.file == file
    assert fault.line > 1


def test_a_strength_may_be_a_concentration_times_a_volume(tmp_path: Path) -> None:
    good = drug(display="0.25 ML apixaban 20 MG/ML Injection", strength="5,mg")
    assert report(spoil(tmp_path, RXNORM, good)).faults == ()


def test_a_note_may_say_why_a_row_turns_its_prefix_round(tmp_path: Path) -> None:
    why = condition(code="C54.8", topic="malignancy", effect="exclude", kind="", note="because")
    assert report(spoil(tmp_path, ICD, why)).faults == ()


def test_two_packs_may_hold_the_same_row_for_either_may_be_left_out(tmp_path: Path) -> None:
    row = next(line for line in (DATA / SNOMED).read_text(encoding="utf-8").splitlines() if ",vte," in line)
    assert report(spoil(tmp_path, "codes/conditions-snomed-extended.csv", add(row))).faults == ()


def test_a_file_that_the_lock_file_does_not_know_is_named(tmp_path: Path) -> None:
    data = spoil(tmp_path, ICD, condition())
    (data / "codes" / "conditions-own.csv").write_text("code\n", encoding="utf-8")
    (fault,) = report(data).faults
    assert (fault.file, fault.line) == ("codes/conditions-own.csv", 0)
    assert "is not in sources.toml" in fault.words


def test_a_listed_file_that_is_gone_is_named_once_with_the_remedy(tmp_path: Path) -> None:
    data = spoil(tmp_path, ICD, condition())
    (data / SNOMED).unlink()
    told = [fault.words for fault in report(data).faults if fault.file == SNOMED]
    assert told == ["is in sources.toml and not there"]


def test_an_edit_without_a_new_lock_is_named(tmp_path: Path) -> None:
    data = spoil(tmp_path, ICD, condition())
    with (data / ICD).open("a", encoding="utf-8") as file:
        file.write("\n")
    assert "was edited: review the edit, then run cat-cds codes lock" in {fault.words for fault in report(data).faults}


def test_every_list_that_the_service_reads_is_looked_at() -> None:
    lists = {file for file in sources() if file.startswith("codes/") and "-names" not in file}
    assert lists - set(FILES) == {"codes/systems.csv", "codes/drugs.csv", "codes/drug-words.csv"}


def test_without_a_second_source_labels_are_not_compared(tmp_path: Path) -> None:
    data = spoil(tmp_path, ICD, condition(code="J45.909", display="Asthma"))
    assert report(data).faults == ()
    assert "ICD-10-CM labels" not in report(data).compared


@pytest.mark.parametrize("code", ["2160-0", "777-3", "29463-7", "82810-3"])
def test_the_check_digit_of_loinc(code: str) -> None:
    assert code_report.loinc_digit_fits(code)
    number, _, digit = code.partition("-")
    assert not any(code_report.loinc_digit_fits(f"{number}-{other}") for other in range(10) if other != int(digit))
