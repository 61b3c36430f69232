"""The code lists as files: packs, a site's own codes, every check shown to fail, nothing lost, ICD-10-CM as it is."""

import csv
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hooks.codes import FILES, CodeBook, load_codes
from hooks.facts import Coding
from hooks.tables import DATA, ICD_10_CM, LOCAL_COLUMNS, KnowledgeError
from tests.hooks.codings import icd, said, snomed
from tests.hooks.spoilt_data import add, spoil

with warnings.catch_warnings():  # it reads its file by a call that is going away
    warnings.simplefilter("ignore", DeprecationWarning)
    import simple_icd_10_cm


@pytest.fixture(scope="module")
def book() -> CodeBook:
    return load_codes()


class TestPacks:
    def test_licensed_lists_can_be_left_out(self) -> None:
        free = load_codes(packs=frozenset())
        assert free.meanings([snomed("128053003")]) == ()
        assert free.meanings([icd("I82.412")])

    def test_the_extended_list_can_be_left_out_alone(self, book: CodeBook) -> None:
        core = load_codes(packs=frozenset({"snomed"}))
        extended_only = snomed("404810003")
        assert book.meanings([extended_only])
        assert core.meanings([extended_only]) == ()
        assert core.meanings([snomed("363346000")])

    def test_a_file_of_a_left_out_pack_may_be_missing_but_no_other(self, tmp_path: Path) -> None:
        data = spoil(tmp_path, "codes/conditions-snomed.csv", add("x"))
        (data / "codes/conditions-snomed.csv").unlink()
        assert load_codes(packs=frozenset(), data=data)
        with pytest.raises(KnowledgeError, match=r"conditions-snomed\.csv: cannot be read"):
            load_codes(data=data)


class TestLocalCodes:
    def rows(self, tmp_path: Path, *cells: dict[str, str]) -> Path:
        path = tmp_path / "site.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, LOCAL_COLUMNS, restval="")
            writer.writeheader()
            writer.writerows(cells)
        return path

    DVT: dict[str, str] = {  # noqa: RUF012
        "table": "condition", "system": "urn:site", "code": "DVT1", "match": "exact", "effect": "include",
        "topic": "vte", "kind": "acute", "tags": "leg dvt",
    }  # fmt: skip

    def test_a_site_adds_its_own(self, tmp_path: Path) -> None:
        book = load_codes(local_rows=self.rows(tmp_path, self.DVT))
        assert said(book.meanings([Coding(system="urn:site", code="dvt1")]), "vte") == [("acute", {"leg", "dvt"})]

    def test_and_may_decide_otherwise_about_a_listed_code(self, tmp_path: Path) -> None:
        mine = self.DVT | {"system": ICD_10_CM, "code": "D473", "topic": "malignancy", "kind": "", "tags": ""}
        book = load_codes(local_rows=self.rows(tmp_path, mine | {"effect": "exclude"}))
        assert book.meanings([icd("D47.3")]) == ()

    @pytest.mark.parametrize("wrong", [{"topic": "dvt"}, {"kind": "fresh"}, {"tags": "foot"}, {"code": ""}])
    def test_it_is_checked_like_the_rest(self, tmp_path: Path, wrong: dict[str, str]) -> None:
        with pytest.raises(KnowledgeError, match=r"site\.csv:2"):
            load_codes(local_rows=self.rows(tmp_path, self.DVT | wrong))


ICD_ROW = "http://hl7.org/fhir/sid/icd-10-cm,{code},x,exact,{effect},{topic},{kind},{tags},,1,own list"


def icd_row(**cells: str) -> Callable[[str], str]:
    row = {"code": "J45.909", "effect": "include", "topic": "vte", "kind": "acute", "tags": ""} | cells
    return add(ICD_ROW.format(**row))


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (icd_row(topic="vtee"), "unknown topic 'vtee'"),
        (icd_row(kind="acut"), "unknown kind 'acut'"),
        (icd_row(tags="foot"), "unknown tag 'foot'"),
        (icd_row(effect="maybe"), "unknown effect 'maybe'"),
        (icd_row(effect="exclude"), "effect exclude with kind 'acute'"),
        (icd_row(kind=""), "effect include with kind ''"),
        (icd_row(code="J45909"), "has not the form"),
        (icd_row(code="i82.4"), "has not the form"),
        (icd_row(code=""), "code or system is empty"),
        (icd_row(code="I26.99", kind="chronic"), "I26.99 has another meaning in conditions-icd10cm.csv:"),
        (icd_row(code="I26.99", tags="leg"), "I26.99 has another meaning"),
        (lambda text: text.replace(",exact,", ",exactly,", 1), "unknown match 'exactly'"),
        (add("http://hl7.org/fhir/sid/icd-10-cm,J45.909,x,exact,include,vte,acute,,,1,"), "no source"),
        (add("http://hl7.org/fhir/sid/icd-10-cm,J45.909"), "2 cells where 11 are expected"),
    ],
)
def test_a_wrong_row_stops_the_start(tmp_path: Path, edit: Callable[[str], str], problem: str) -> None:
    data = spoil(tmp_path, "codes/conditions-icd10cm.csv", edit)
    with pytest.raises(KnowledgeError) as caught:
        load_codes(packs=frozenset(), data=data)
    assert problem in caught.value.problem
    assert caught.value.line
    assert caught.value.file.endswith("conditions-icd10cm.csv")


def test_a_snomed_code_with_a_typing_error_stops_the_start(tmp_path: Path) -> None:
    data = spoil(tmp_path, "codes/procedures-snomed.csv", lambda text: text.replace(",397913009,", ",397913008,"))
    with pytest.raises(KnowledgeError, match=r"'397913008' fails the check digit"):
        load_codes(data=data)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("procedure,include,bed-rests,,sofa rest,own list", "unknown kind 'bed-rests'"),
        ("procedure,include,bed-rest,soft,sofa rest,own list", "tags 'soft'"),
        ("procedure,include,bed-rest,,Bed Rest,own list", "'bed rest' is empty or there twice"),
        ("procedures,include,bed-rest,,sofa rest,own list", "unknown topic"),
    ],
)
def test_a_wrong_name_stops_the_start(tmp_path: Path, line: str, problem: str) -> None:
    data = spoil(tmp_path, "codes/procedure-names.csv", add(line))
    with pytest.raises(KnowledgeError, match=problem):
        load_codes(packs=frozenset(), data=data)


# Rows of the inputs: vte 392, malignancy-icd 360, malignancy-snomed core 1057 and extended 6261, bleeding 134, hit 11,
# pregnancy 82 (one, a LOINC code, is in labs-loinc.csv), competing 17, renal-hepatic 37, remission 21 (13 are no codes
# of a condition: statuses, and a LOINC code that is in labs-loinc.csv), procedures 100, chemotherapy 65; own: 87 + 26,
# and the headings of ICD-10-CM whose codes all mean the same: 55.
HEADINGS = 55
ROWS_BY_TOPIC = {
    "palliative": 4,
    "vte": 392 + HEADINGS,
    "malignancy": 360 + 1057 + 6261,
    "bleeding": 134,
    "hit": 8,
    "thrombocytopenia": 2,
    "allergy-status": 1,
    "pregnancy": 82 - 1,
    "competing-indication": 17,
    "renal": 19,
    "hepatic": 18,
    "disease-status": 21 - 13,
    "procedure": 100 + 65 + 87 + 26,
}


def listed() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name in FILES:
        with (DATA / name).open(encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file)
    return rows


def test_no_row_of_the_inputs_was_lost() -> None:
    assert Counter(row["topic"] for row in listed()) == ROWS_BY_TOPIC


def test_every_icd_10_cm_row_is_a_code_of_the_classification_with_that_name() -> None:
    rows = [row for row in listed() if row["system"] == ICD_10_CM]
    unknown = {row["code"] for row in rows if not simple_icd_10_cm.is_valid_item(row["code"])}
    assert unknown == set()
    renamed = [r["code"] for r in rows if simple_icd_10_cm.get_description(r["code"]) != r["display"]]
    assert renamed == []


@pytest.mark.parametrize("category", ["C18", "C44", "C49", "C50", "C67", "C71", "C92", "D47", "I48", "I61", "N17"])
def test_a_prefix_reaches_the_codes_below_it_as_the_classification_has_them(book: CodeBook, category: str) -> None:
    """Independent of ours: the leaves under a category by simple_icd_10_cm, none of them without a decision."""
    rows = {(row["code"], row["topic"]): row for row in listed() if row["system"] == ICD_10_CM}
    leaves = [c for c in simple_icd_10_cm.get_descendants(category) if simple_icd_10_cm.is_leaf(c)]
    assert leaves
    for leaf in leaves:
        line = [leaf, *simple_icd_10_cm.get_ancestors(leaf)]
        for topic in {topic for code, topic in rows if code in line}:
            nearest = next(
                row for code in line if (row := rows.get((code, topic))) and (code == leaf or row["match"] == "prefix")
            )
            kinds = [kind for kind, _ in said(book.meanings([icd(leaf)]), topic)]
            assert kinds == ([nearest["kind"]] if nearest["effect"] == "include" else []), leaf


@pytest.mark.parametrize("category", ["I26", "I80", "I82", "O22.3", "O87.1", "O88.2", "I27.82", "Z86.71"])
def test_every_billable_code_of_venous_thromboembolism_was_decided_on(book: CodeBook, category: str) -> None:
    leaves = [c for c in [category, *simple_icd_10_cm.get_descendants(category)] if simple_icd_10_cm.is_leaf(c)]
    assert [leaf for leaf in leaves if (ICD_10_CM, leaf) not in book.exact] == []


def test_every_billable_code_of_a_neoplasm_from_c00_to_d09_was_decided_on(book: CodeBook) -> None:
    codes = [c for c in simple_icd_10_cm.get_all_codes() if "C00" <= c < "D10" and simple_icd_10_cm.is_leaf(c)]
    undecided = [c for c in codes if not any((ICD_10_CM, c[:n]) in book.prefixes for n in range(3, len(c) + 1))]
    assert len(codes) > 1000
    assert undecided == []


def test_a_heading_means_what_all_codes_below_it_mean(book: CodeBook) -> None:
    with (DATA / "codes/conditions-icd10cm-headings.csv").open(encoding="utf-8", newline="") as file:
        headings = [row["code"] for row in csv.DictReader(file)]
    assert {"I82.4", "I80.2", "I80.0"} <= set(headings)
    assert {"I26", "I26.9", "I82", "I82.2", "I80"} & set(headings) == set()
    for heading in headings:
        below = [said(book.meanings([icd(c)]), "vte") for c in simple_icd_10_cm.get_descendants(heading)]
        own = said(book.meanings([icd(heading)]), "vte")
        kinds = {tuple(kind for kind, _ in meaning) for meaning in below}
        assert kinds == {tuple(kind for kind, _ in own)}, heading
        assert all(own[0][1] <= meaning[0][1] for meaning in below if own), heading


def test_a_long_chart_is_read_quickly_because_codes_are_remembered(book: CodeBook) -> None:
    for number in range(2500):
        book.meanings([icd(f"J{number % 90 + 10}.{number % 9}"), snomed(str(10_000_000 + number % 50))])
    assert 0 < len(book._seen) < 2500
