"""The rows behind page and document: every threshold of the data has words and a unit, nothing is left out."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from hooks import knowledge as all_knowledge
from hooks.guidelines import Evidence
from hooks.knowledge import Knowledge
from hooks.rule_sheet import Line, Sheet, definitions, indicators, is_overdue, rules_of_reasons, sheet
from hooks.shared_tables import FILES, shared_tables
from hooks.tables import DATA, read_rows
from hooks.threshold_words import amount, band_in_words, load_words

KNOWLEDGE = all_knowledge.load()
WORDS = load_words()
EVIDENCE = [(profile.name, evidence) for profile in KNOWLEDGE.profiles.values() for evidence in profile.rules.values()]
UNITS = {
    "_days": "days",
    "_years": "years",
    "_10e9_l": "× 10⁹ per litre",
    "_ml_min": "mL per minute",
    "_kg_m2": "kilograms per square metre",
    "_mg": "milligrams",
}


SEED = "the statement itself, taken from the clinical source of the project"


def of(code: str, knowledge: Knowledge = KNOWLEDGE) -> Sheet:
    return sheet(knowledge, code, WORDS)


def line(shown: Sheet, label: str) -> Line:
    return next(one for section in shown.sections for one in section.lines if one.label == label)


def names_in_the_data() -> set[str]:
    named: set[str] = set()
    for profile in KNOWLEDGE.profiles.values():
        named |= {*profile.definitions, *profile.lists, *profile.switches}
    for _, evidence in EVIDENCE:
        named |= {*evidence.numbers, *evidence.lists}
        if evidence.bands:
            named.add(f"bands/{evidence.rule.code}")
            named |= {f"band/{key}" for band in evidence.bands for key in band} - {
                "band/from", "band/below", "band/through",
            }  # fmt: skip
    return named


def test_every_number_list_and_band_has_words_of_its_own() -> None:
    assert sorted(names_in_the_data() - set(WORDS.rows)) == [], "add them to threshold-words.csv"


def test_no_words_are_left_over() -> None:
    known = {name for name in WORDS.rows if not name.startswith(("name/", "table/", "column/"))}
    assert sorted(known - names_in_the_data()) == []


def test_no_row_of_words_is_there_twice() -> None:
    rows = [row["name"] for row in read_rows(DATA / "threshold-words.csv", ("name", "words", "unit"))]
    assert sorted(rows) == sorted(set(rows))


@pytest.mark.parametrize("name", sorted(name for name in names_in_the_data() if name.endswith(tuple(UNITS))))
def test_the_unit_in_words_is_the_unit_in_the_name(name: str) -> None:
    unit = next(words for ending, words in UNITS.items() if name.endswith(ending))
    assert WORDS.unit(name).startswith(unit)


@pytest.mark.parametrize(("profile", "evidence"), EVIDENCE, ids=[f"{name}-{one.rule.code}" for name, one in EVIDENCE])
def test_all_that_a_profile_says_of_a_rule_is_in_its_column(profile: str, evidence: Evidence) -> None:
    shown = of(evidence.rule.code)
    place = [one.name for one in shown.columns].index(profile)
    cells = [row.cells[place] for section in shown.sections for row in section.lines]
    told = "\n".join(words for cell in cells for words in cell.lines)
    for number in evidence.numbers.values():
        assert re.search(rf"(?m)^{re.escape(amount(number, '')[0])}( |$)", told)
    texts = evidence.texts.values()
    assert sorted(cell.indicator for cell in cells if cell.indicator) == sorted(t.urgency.indicator for t in texts)
    for text in texts:
        for words in (text.summary, *text.advice, *text.today):
            assert all(piece in told for piece in re.split(r"\{[a-z_]+\}", words))
    for words in (evidence.when, evidence.source_label, evidence.year, evidence.reviewer):
        assert words in told
    if evidence.bands:
        bands = line(shown, WORDS.label(f"bands/{evidence.rule.code}"))
        assert len(bands.cells[place].lines) == len(evidence.bands)


def test_columns_stand_in_the_order_of_the_numbers_of_the_profiles() -> None:
    assert [profile.number for profile in of("pregnancy").columns] == sorted(
        profile.number for profile in KNOWLEDGE.profiles.values()
    )


def test_a_line_differs_only_when_the_profiles_do() -> None:
    shown = of("low-platelets")
    assert line(shown, "Hold when platelets are below").differs
    assert not line(shown, "The clot is at most this old").differs


@pytest.mark.parametrize(
    ("band", "words"),
    [
        ({"drug": "a", "from": 0, "below": 30, "text": "avoid"}, "a: below 30 mL: says “avoid”"),
        ({"drug": "a", "from": Decimal("12.50"), "below": 30, "text": "x-y"}, "a: 12.5 to below 30 mL: says “x y”"),
        ({"drug": "a", "from": 30, "through": 50, "text": "t"}, "a: 30 to 50 mL: says “t”"),
        (
            {"when": "order", "from": 0, "below": 20, "classes": ["LMWH", "DOAC-Xa"], "text": "t"},
            "low-molecular-weight heparin or oral factor Xa inhibitor, when ordered: below 20 mL: says “t”",
        ),
        (
            {"drug": "a", "from": 0, "below": 9, "text": "t", "text_if_already": "", "advised_mg": 30},
            "a: below 9 mL: says “t”, and when the dose is right already: no card, advised dose 30 milligrams",
        ),
    ],
)
def test_a_band_reads_as_a_sentence(band: dict[str, object], words: str) -> None:
    assert band_in_words(band, "mL", WORDS) == words


@pytest.mark.parametrize(
    ("checked", "done", "left"),
    [
        ("verified", ("the source",), ("nothing",)),
        ("seed; CHEST 2021 verified", ("CHEST 2021 verified",), (SEED,)),
        ("ASH 2021 verified in part", ("nothing yet",), ("ASH 2021 verified in part",)),
        ("from knowledge", ("nothing yet",), ("from general knowledge",)),
    ],
)  # fmt: skip
def test_what_is_verified_stands_apart_from_what_is_not(
    checked: str, done: tuple[str, ...], left: tuple[str, ...]
) -> None:
    profile = KNOWLEDGE.profiles["lmwh-first-2014"]
    odd = replace(profile.rules["pregnancy"], checked=checked)
    changed = replace(profile, rules={**profile.rules, "pregnancy": odd})
    shown = of("pregnancy", replace(KNOWLEDGE, profiles={changed.name: changed}))
    assert line(shown, "Verified").cells[0].lines == done
    assert line(shown, "Not yet verified").cells[0].lines == left
    assert shown.open_points == (left if left != ("nothing",) else ())


def test_relations_name_the_rules_that_silence_or_take_in_a_rule() -> None:
    told = {relation.words: relation.rules for relation in of("extend-while-cancer-active").relations}
    assert told["Not shown while one of these speaks"] == ("recurrent-vte-on-treatment",)
    assert of("start-anticoagulation").relations[0].rules == ("stop-too-early",)
    group = {relation.words: relation.rules for relation in of("vka-in-cancer").relations}
    assert set(group["One card for an order, together with"]) == {
        row.code for row in KNOWLEDGE.rules if row.group == "drug-choice" and row.code != "vka-in-cancer"
    }


def test_indicators_are_those_of_the_texts_the_most_urgent_first() -> None:
    assert indicators(of("doac-in-cancer"))[:2] == (("warning",), ())
    assert indicators(of("active-bleeding"))[0] == ("critical", "warning", "info")


def test_definitions_show_every_profile_s_numbers_lists_and_switches() -> None:
    shown = {one.label: [cell.lines for cell in one.cells] for one in definitions(KNOWLEDGE, WORDS).lines}
    assert set(shown["A clot is recent for"]) == {("180 days",)}
    assert shown["Platinum compounds"][0] == ("cisplatin, carboplatin, oxaliplatin",)
    assert shown["Speaks of compression stockings unasked"][:2] == [("yes",), ("no",)]


def test_a_profile_is_overdue_when_it_or_one_of_its_rules_is() -> None:
    profile = KNOWLEDGE.profiles["lmwh-first-2014"]
    day = profile.next_review
    assert not is_overdue(profile, day)
    assert is_overdue(profile, day + timedelta(days=1))
    early = replace(profile.rules["pregnancy"], next_review=day - timedelta(days=9))
    assert is_overdue(replace(profile, rules={**profile.rules, "pregnancy": early}), day - timedelta(days=8))


def test_reasons_lead_back_to_the_rules_that_offer_them() -> None:
    offered = rules_of_reasons(KNOWLEDGE)
    assert set(offered) == set(KNOWLEDGE.override_reasons)
    assert "doac-luminal-gi" in {rule.code for rule in offered["tumour-resected"]}
    assert "pregnancy" not in {rule.code for rule in offered["tumour-resected"]}


def test_every_dose_table_is_shown_whole_with_headings_in_words() -> None:
    shown = {table.title: table for table in shared_tables(KNOWLEDGE, WORDS)}
    assert set(FILES) == {path.stem for path in (DATA / "dosing").glob("*.csv")}
    bands = shown["Dalteparin: daily dose by weight band of the label"]
    assert bands.headings[:5] == ("Phase", "Region", "Weight from (kg)", "Weight to (kg)", "Daily dose (IU)")
    assert bands.rows[0][:5] == ("month 1", "US", "0", "56", "10000")
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) - 1 for path in (DATA / "dosing").glob("*.csv"))
    assert sum(len(table.rows) for title, table in shown.items() if "interact" not in title) == lines
    assert not [heading for table in shown.values() for heading in table.headings if "_" in heading]


def test_every_interacting_medicine_stands_in_its_group() -> None:
    table = shared_tables(KNOWLEDGE, WORDS)[-1]
    listed = {name for _, names in table.rows for name in names.split(", ")}
    assert listed == {drug.name for drug in KNOWLEDGE.drugs.drugs.values() if drug.interaction}
    assert "rifampicin" in dict(table.rows)["strong inducers"]
