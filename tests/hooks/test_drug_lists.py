"""The drug lists as files: packs, a site's own codes, every check shown to fail, nothing lost, names beside codes."""

import csv
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from hooks.drugs import FILES, DrugBook, load_drugs
from hooks.facts import Coding
from hooks.tables import ATC, DATA, LOCAL_COLUMNS, RXNORM, KnowledgeError
from tests.hooks.codings import atc, rx, snomed
from tests.hooks.spoilt_data import add, spoil


def test_licensed_lists_can_be_left_out() -> None:
    free = load_drugs(packs=frozenset())
    assert free.match([atc("B01AF02")], "") is None
    assert free.match([snomed("698090000")], "") is None
    assert free.match([rx("1364430")], "")
    assert free.match([Coding(system=ATC, code="B01AF02", display="apixaban")], "")


class TestLocalCodes:
    MINE: dict[str, str] = {  # noqa: RUF012
        "table": "drug", "system": "urn:site", "code": "d-1", "display": "Fragmin 10000", "drug": "dalteparin",
        "use": "systemic", "strength": "10000", "strength_unit": "IU",
    }  # fmt: skip

    def load(self, tmp_path: Path, cells: dict[str, str]) -> DrugBook:
        path = tmp_path / "site.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, LOCAL_COLUMNS, restval="")
            writer.writeheader()
            writer.writerow(cells)
        return load_drugs(local_rows=path)

    def test_a_site_adds_its_own(self, tmp_path: Path) -> None:
        drug = self.load(tmp_path, self.MINE).match([Coding(system="urn:site", code="D-1")], "")
        assert drug
        assert (drug.name, drug.strength, drug.matched_by) == ("dalteparin", Decimal(10000), "local code")

    @pytest.mark.parametrize(
        "wrong", [{"drug": "daltparin"}, {"use": "oral"}, {"strength": "many"}, {"strength_unit": "g"}, {"code": ""}]
    )
    def test_it_is_checked_like_the_rest(self, tmp_path: Path, wrong: dict[str, str]) -> None:
        with pytest.raises(KnowledgeError, match=r"site\.csv:2"):
            self.load(tmp_path, self.MINE | wrong)


RX_ROW = "http://www.nlm.nih.gov/research/umls/rxnorm,{},x,exact,include,{},,{},{},{},{},,1,own list"


@pytest.mark.parametrize(
    ("file", "edit", "problem"),
    [
        ("codes/drugs-rxnorm.csv", add(RX_ROW.format("1364430", "apixaban", "IN", "", "", "")), "there twice"),
        ("codes/drugs-rxnorm.csv", add(RX_ROW.format("99", "apixabam", "IN", "", "", "")), "not in drugs.csv"),
        ("codes/drugs-rxnorm.csv", add(RX_ROW.format("99", "", "IN", "", "", "")), "effect and drug do not agree"),
        ("codes/drugs-rxnorm.csv", add(RX_ROW.format("9x", "apixaban", "IN", "", "", "")), "has not the form"),
        ("codes/drugs-rxnorm.csv", add(RX_ROW.format("99", "apixaban", "XX", "", "", "")), "unknown term_type"),
        ("codes/drugs-rxnorm.csv", add(RX_ROW.format("99", "apixaban", "SCD", "oral", "", "")), "unknown use"),
        ("codes/drugs-rxnorm.csv", add(RX_ROW.format("99", "apixaban", "SCD", "", "5", "")), "strength '5' with unit"),
        ("codes/drugs-rxnorm.csv", add(RX_ROW.format("99", "apixaban", "SCD", "", "5 5", "mg")), "is not a number"),
        ("codes/drugs.csv", add("apixaban,substance,DOAC-Xa,,,,,,,own list"), "there twice"),
        ("codes/drugs.csv", add("x,substance,DOAC,,,,,,,own list"), "unknown anticoagulant 'DOAC'"),
        ("codes/drugs.csv", add("x,substance,,,,,inducer,,,own list"), "unknown interaction 'inducer'"),
        ("codes/drugs.csv", add("x,substance,,,chemo,,,,,own list"), "unknown antineoplastic 'chemo'"),
        ("codes/drugs.csv", add("Xyz,substance,,,,,,,,own list"), "not in lower case"),
        ("codes/drugs.csv", add("x,group,,,,,,,,own list"), "unknown scope 'group'"),
        ("codes/drug-names.csv", add("ELIQUIS,warfarin,,brand,own list"), "twice"),
        ("codes/drug-names.csv", add("Eliquid,apixabam,,brand,own list"), "not in drugs.csv"),
        ("codes/drug-names.csv", add("Eliquid,,,brand,own list"), "not in drugs.csv"),
        ("codes/drug-words.csv", add("rinse,flash,heparin,own list"), "unknown use 'flash'"),
        ("codes/drug-words.csv", add("rinse,flush,heparine,own list"), "unknown applies_to"),
    ],
)
def test_a_wrong_row_stops_the_start(tmp_path: Path, file: str, edit: Callable[[str], str], problem: str) -> None:
    data = spoil(tmp_path, file, edit)
    with pytest.raises(KnowledgeError, match=problem) as caught:
        load_drugs(data=data)
    assert caught.value.file.endswith(file.removeprefix("codes/"))
    assert caught.value.remedy


# Rows of the inputs: RxNorm anticoagulants 225, antineoplastic ingredients 273 and products 1356, interactions 711,
# thrombolytics 18: 2583 rows for 2413 codes (170 stand in two lists); ATC 556; SNOMED CT 24.
ROWS_BY_FILE = {"codes/drugs-rxnorm.csv": 2413, "codes/drugs-atc.csv": 556, "codes/drugs-snomed.csv": 24}


def test_no_row_of_the_inputs_was_lost() -> None:
    rows = Counter[str]()
    for name in FILES:
        with (DATA / name).open(encoding="utf-8", newline="") as file:
            rows[name] = len(list(csv.DictReader(file)))
    assert rows == ROWS_BY_FILE


def test_every_product_name_names_the_drug_that_its_row_says() -> None:
    """A wrong label beside a right code misleads every reader: anticoagulant rows are read by name as well."""
    book = load_drugs()
    for (system, _), code in book.codes.items():
        if system == RXNORM and code.drug and book.drugs[code.drug].anticoagulant:
            drug = book.match([], code.display)
            assert drug and drug.name == code.drug, code.display
