"""The readers of the data files: numbers are Decimal, and every fault is told with file, line and remedy."""

from decimal import Decimal
from pathlib import Path

import pytest

from hooks.tables import (
    DATA,
    ICD_9_CM,
    ICD_10_CM,
    LOCK,
    RXNORM,
    SNOMED_CT,
    KnowledgeError,
    check_packs,
    code_problem,
    in_packs,
    normal_code,
    read_cells,
    read_local,
    read_rows,
    read_systems,
    read_toml,
    relock,
    sources,
)
from tests.hooks.spoilt_data import spoil


def written(tmp_path: Path, text: str, name: str = "table.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_know_their_line_and_give_numbers_as_decimal(tmp_path: Path) -> None:
    first, second = read_rows(written(tmp_path, "name,value\na,0.10\nb,\n"), ["name", "value"])
    assert (first.line, first["name"], first.decimal("value")) == (2, "a", Decimal("0.10"))
    assert (second.line, second.optional_decimal("value")) == (3, None)


def test_toml_numbers_are_decimal(tmp_path: Path) -> None:
    assert read_toml(written(tmp_path, "x = 0.1\n", "x.toml"))["x"] == Decimal("0.1")


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("name,amount\na,1\n", 1, "unexpected columns"),
        ("", 1, "unexpected columns"),
        ("name,value\na,1\nb\n", 3, "1 cells where 2 are expected"),
        ("name,value\na,1\n\nb,2\n", 3, "0 cells where 2 are expected"),
        ("name,value\na, 1\n", 2, "space around a cell"),
        ('name,value\na,"1\n2"\n', None, "more than one line"),
        ('name,value\na,"1"x\n', 2, "not valid CSV"),
    ],
)
def test_a_spoilt_table_is_refused_with_its_line(tmp_path: Path, text: str, line: int | None, problem: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(KnowledgeError, match=problem) as caught:
        read_cells(path, ["name", "value"])
    assert (caught.value.file, caught.value.line) == (str(path), line)
    assert caught.value.remedy


@pytest.mark.parametrize("text", ["1,5", "1.2.3", "NaN", "Infinity", "", "ten"])
def test_what_is_not_a_number_is_refused(tmp_path: Path, text: str) -> None:
    (row,) = read_rows(written(tmp_path, f'value\n"{text}"\n'), ["value"])
    with pytest.raises(KnowledgeError, match=r"table\.csv:2: value .* is not a number"):
        row.decimal("value")


def test_a_fraction_is_no_whole_number(tmp_path: Path) -> None:
    (row,) = read_rows(written(tmp_path, "days\n1.5\n"), ["days"])
    with pytest.raises(KnowledgeError, match="not a whole number"):
        row.integer("days")


def test_an_unknown_word_is_refused_and_the_known_ones_are_named(tmp_path: Path) -> None:
    (row,) = read_rows(written(tmp_path, "kind\nacut\n"), ["kind"])
    with pytest.raises(KnowledgeError, match="unknown kind 'acut'") as caught:
        row.one_of("kind", ["acute", "chronic"])
    assert "acute, chronic" in caught.value.remedy


def test_missing_and_unreadable_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="cannot be read"):
        read_cells(tmp_path / "absent.csv", ["a"])
    (tmp_path / "latin.csv").write_bytes("a\nä\n".encode("latin-1"))
    with pytest.raises(KnowledgeError, match="not UTF-8"):
        read_cells(tmp_path / "latin.csv", ["a"])
    with pytest.raises(KnowledgeError, match="not valid TOML"):
        read_toml(written(tmp_path, "x = \n", "x.toml"))


class TestLock:
    def test_every_file_of_the_code_lists_and_laboratory_tables_is_locked_with_its_licence(self) -> None:
        files = {f"codes/{path.name}" for path in (DATA / "codes").glob("*.csv")}
        files |= {path.name for path in DATA.glob("lab*.csv")}
        assert set(sources()) == files

    def test_the_lock_is_up_to_date(self) -> None:
        assert relock() == (DATA / LOCK).read_text(encoding="utf-8")

    def test_an_edited_file_is_refused_until_it_is_locked_again(self, tmp_path: Path) -> None:
        data = spoil(tmp_path, "labs.csv", lambda text: text.replace("creatinine clearance", "clearance"))
        columns = ["analyte", "title", "canonical_unit", "source"]
        assert read_cells(data / "labs.csv", columns)
        path = data / "labs.csv"
        path.write_text(path.read_text(encoding="utf-8").replace("weight", "mass"), encoding="utf-8")
        with pytest.raises(KnowledgeError, match="was edited") as caught:
            read_cells(path, columns)
        assert "cat-cds codes lock" in caught.value.remedy
        (data / LOCK).write_text(relock(data), encoding="utf-8")
        assert read_cells(path, columns)

    def test_an_entry_without_licence_is_refused(self, tmp_path: Path) -> None:
        data = spoil(tmp_path, LOCK, lambda text: text.replace('licence = "US public domain"\n', "", 1))
        with pytest.raises(KnowledgeError, match="is incomplete"):
            sources(data)

    def test_packs(self) -> None:
        assert in_packs("codes/drugs-atc.csv", None)
        assert not in_packs("codes/drugs-atc.csv", frozenset({"snomed"}))
        assert in_packs("codes/drugs-rxnorm.csv", frozenset())
        with pytest.raises(KnowledgeError, match="unknown pack 'snowmed'"):
            check_packs(frozenset({"snowmed"}))
        with pytest.raises(KnowledgeError, match="not listed"):
            in_packs("codes/other.csv", None)


class TestCodes:
    @pytest.mark.parametrize(
        ("system", "written_as", "normal"),
        [
            (ICD_10_CM, "I82412", "I82.412"),
            (ICD_10_CM, " i82.412 ", "I82.412"),
            (ICD_10_CM, "C61", "C61"),
            (ICD_10_CM, "c7a010", "C7A.010"),
            (ICD_9_CM, "45341", "453.41"),
            (ICD_9_CM, "V1251", "V12.51"),
            (ICD_9_CM, "e9342", "E934.2"),
            (SNOMED_CT, " 128053003 ", "128053003"),
        ],
    )
    def test_are_brought_to_one_form(self, system: str, written_as: str, normal: str) -> None:
        assert normal_code(system, written_as) == normal

    @pytest.mark.parametrize("code", ["429532005", "444216007", "703873003", "108977009", "161511005", "108034002"])
    def test_codes_that_fail_the_check_digit_of_snomed_ct(self, code: str) -> None:
        assert "check digit" in code_problem(SNOMED_CT, code)

    @pytest.mark.parametrize("code", ["698090000", "128053003", "132281000119108", "978421000000101"])
    def test_codes_that_pass_it(self, code: str) -> None:
        assert not code_problem(SNOMED_CT, code)

    @pytest.mark.parametrize(
        ("system", "code"),
        [(ICD_10_CM, "82.4"), (ICD_10_CM, "I82."), (RXNORM, "12a"), (SNOMED_CT, "12"), ("http://loinc.org", "2160")],
    )
    def test_another_form_is_a_problem(self, system: str, code: str) -> None:
        assert code_problem(system, code)

    @pytest.mark.parametrize(
        ("alias", "system"),
        [
            ("urn:oid:2.16.840.1.113883.6.90", ICD_10_CM),
            ("2.16.840.1.113883.6.103", ICD_9_CM),
            ("http://terminology.hl7.org/CodeSystem/icd9cm", ICD_9_CM),
            ("urn:oid:2.16.840.1.113883.6.96", SNOMED_CT),
            ("urn:oid:2.16.840.1.113883.6.88", RXNORM),
            ("urn:oid:2.16.840.1.113883.6.1", "http://loinc.org"),
            ("http://www.whocc.no/atc", "http://www.whocc.no/atc"),
        ],
    )
    def test_systems_have_one_name(self, alias: str, system: str) -> None:
        assert read_systems()[alias] == system

    def test_a_site_file_with_an_unknown_table_is_refused(self, tmp_path: Path) -> None:
        header = "table,system,code,display,match,effect,topic,kind,tags,drug,use,strength,strength_unit,analyte,remark"
        path = written(tmp_path, f"{header}\ndrugs,urn:x,1,,,,,,,,,,,,\n")
        with pytest.raises(KnowledgeError, match="unknown table 'drugs'"):
            read_local(path, "drug")
