"""Guideline profiles and the list of rules: what is checked at start, each check shown to fail on a spoilt copy."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest

from hooks.guideline_files import load_profiles
from hooks.guidelines import DATA_RULE, Profile
from hooks.rulebook import load_rules
from hooks.rules import RULES
from hooks.tables import DATA, KnowledgeError, read_rows
from tests.hooks.spoilt_data import add, spoil
from tests.hooks.strategies import knowledge

FIRST = "guidelines/lmwh-first-2014.toml"
SECOND = "guidelines/contemporary-2023.toml"
REASONS = frozenset(knowledge().override_reasons)


def swap(old: str, new: str) -> Callable[[str], str]:
    """An edit that replaces the first place where ``old`` stands."""
    return lambda text: text.replace(old, new, 1)


def loaded(data: Path) -> dict[str, Profile]:
    return dict(load_profiles(load_rules(data), REASONS, data))


SPOILT = [
    ("an unknown rule", FIRST, swap("rules.vka-in-cancer", "rules.vka-in-canker"), "rule 'vka-in-ca"),
    ("a missing number", FIRST, swap("hold_below_10e9_l = 20\n", ""), r"hold_below_10e9_l is missing"),
    (
        "a missing list",
        SECOND,
        swap('valves = ["mechanical-valve", "valve-procedure"]\n', ""),
        "pregnancy.lists.valves is missing",
    ),
    ("a missing definition", SECOND, swap("supply_grace_days = 14\n", ""), "definitions.supply_grace_days is missing"),
    ("a missing switch", FIRST, swap("stockings_prompt = true\n", ""), "switches.stockings_prompt is missing"),
    (
        "a missing text",
        FIRST,
        swap("rules.active-bleeding.texts.other-view", "rules.active-bleeding.texts.odd"),
        r"active-bleeding\.texts\.odd is missing",
    ),
    ("a missing text of a band", FIRST, swap('text = "hold-view"', 'text = "hold-vew"'), "'hold-vew'"),
    ("an unsaid text that is there", FIRST, swap('unsaid = ["switch"]', 'unsaid = ["hold"]'), "'hold'.* unsaid"),
    ("a missing summary", FIRST, swap("summary = ", "sumary = "), "'summary' is missing"),
    ("a missing source", FIRST, swap("source_label = ", "source_lable = "), "'source_label' is missing"),
    ("a missing footer", FIRST, swap("footer = ", "foot = "), "'footer' is missing"),
    ("an unknown override reason", FIRST, swap('"already-counselled"', '"already-counseled"'), "already-counseled"),
    (
        "an address that is not https",
        FIRST,
        swap('source_label = "', 'source_url = "http://x.org"\nsource_label = "'),
        "not https",
    ),
    (
        "a summary that is too long",
        FIRST,
        swap('summary = "Avoid', 'summary = "' + "Do " * 30 + "avoid"),
        "summary can have",
    ),
    (
        "a summary too long when filled",
        SECOND,
        swap('summary = "{drug} with luminal GI cancer', 'summary = "{drug} and {reason} with luminal GI cancer'),
        "summary can have",
    ),
    ("an unknown slot", FIRST, swap("Order is for {indication}", "Order is for {indikation}"), "slots .*indikation"),
    ("a brace that is no slot", FIRST, swap("Order is for {indication}", "Order is for {Indication"), "braces"),
    ("an unknown indicator", FIRST, swap('indicator = "critical"', 'indicator = "severe"'), "indicator 'severe'"),
    ("an unknown sentence", FIRST, swap('today = ["S-START"]', 'today = ["S-STRT"]'), "S-STRT"),
    ("a profile's number twice", SECOND, swap("number = 2", "number = 1"), "share a number"),
    ("a profile's name twice", SECOND, swap('name = "contemporary-2023"', 'name = "lmwh-first-2014"'), "share a name"),
    ("a profile's number that fits no uuid", SECOND, swap("number = 2", "number = 256"), "does not fit"),
    ("no rule about data", FIRST, swap("[rules.data-not-usable]\n", "[rules.data-not-usable]\n[x]\n"), "is missing"),
    (
        "a rule that no profile holds",
        "rules.csv",
        add("99,R99,new-rule,New,patient-view,cat,no,x,9,99,,,seed"),
        "new-rule",
    ),
    (
        "a rule's number twice",
        "rules.csv",
        add("1,R99,new-rule,New,patient-view,cat,no,x,9,99,,,seed"),
        "number 1 is used twice",
    ),
    (
        "a rule's code twice",
        "rules.csv",
        add("99,R99,pregnancy,New,patient-view,cat,no,x,9,99,,,seed"),
        "pregnancy is used twice",
    ),
    ("a rule's number that fits no uuid", "rules.csv", swap("\n36,R35,", "\n4096,R35,"), "does not fit"),
    ("an unknown hook", "rules.csv", swap("patient-view,cat,yes", "patient-vue,cat,yes"), "patient-vue"),
    ("an unknown population", "rules.csv", swap("patient-view,cat,yes", "patient-view,dog,yes"), "dog"),
    ("a softened that is no yes or no", "rules.csv", swap("patient-view,cat,yes", "patient-view,cat,maybe"), "maybe"),
    (
        "an unknown rule that suppresses",
        "rules.csv",
        swap(",recurrent-vte-on-treatment,,seed", ",recurrent,,seed"),
        "recurrent",
    ),
    ("a slot without its row", "slots.csv", swap("\nplatelets,", "\nplates,"), "slots .*platelets"),
]


@pytest.mark.parametrize(("file", "edit", "problem"), [row[1:] for row in SPOILT], ids=[row[0] for row in SPOILT])
def test_what_stops_the_start(tmp_path: Path, file: str, edit: Callable[[str], str], problem: str) -> None:
    with pytest.raises(KnowledgeError, match=problem) as caught:
        loaded(spoil(tmp_path, file, edit))
    assert caught.value.remedy


def test_the_rule_about_data_is_not_to_be_left_out(tmp_path: Path) -> None:
    def cut(text: str) -> str:
        start = text.index(f"[rules.{DATA_RULE}]")
        return text[:start] + text[text.index("[rules.hit-history]", start) :]

    with pytest.raises(KnowledgeError, match=f"rule '{DATA_RULE}' is missing"):
        loaded(spoil(tmp_path, FIRST, cut))


def test_no_profile_at_all_stops_the_start(tmp_path: Path) -> None:
    data = spoil(tmp_path, SECOND, add(""))
    for file in (data / "guidelines").iterdir():
        file.unlink()
    with pytest.raises(KnowledgeError, match="holds no profile"):
        loaded(data)


def test_a_review_that_is_overdue_stops_nothing(tmp_path: Path) -> None:
    data = spoil(tmp_path, FIRST, swap("next_review = 2027-05-24", "next_review = 2020-01-01"))
    assert loaded(data)["lmwh-first-2014"].next_review == date(2020, 1, 1)


def test_a_rule_that_a_profile_does_not_name_is_off_as_a_whole() -> None:
    assert "doac-in-cancer" not in knowledge().profiles["contemporary-2023"].rules


def test_every_rule_has_a_row_and_every_row_a_rule() -> None:
    assert set(RULES) == {row.code for row in knowledge().rules}


def test_the_rules_are_in_the_order_in_which_the_numbers_were_given() -> None:
    numbers = [row.number for row in knowledge().rules]
    assert numbers == list(range(1, len(numbers) + 1)), "a number is never re-used, and none is left out"


def test_the_longest_values_of_slots_are_as_long_as_names_get() -> None:
    longest = {row["slot"]: row["longest"] for row in read_rows(DATA / "slots.csv", ["slot", "longest", "meaning"])}
    drugs = knowledge().drugs.drugs.values()
    assert len(longest["drug"]) >= max(
        len(d.name) for d in drugs if d.anticoagulant and d.anticoagulant != "VKA" and " " not in d.name
    )
    levels = ("inducer-strong", "inhibitor-combined", "inhibitor-moderate-or-pgp")
    assert len(longest["other"]) >= max(len(d.name) for d in drugs if d.interaction in levels) + len(
        " and clarithromycin"
    )


def sources_of(module: ModuleType) -> dict[str, ast.FunctionDef]:
    return {n.name: n for n in ast.parse(inspect.getsource(module)).body if isinstance(n, ast.FunctionDef)}


def reached(code: str) -> list[ast.FunctionDef]:
    """The function of a rule, and those of its module that it calls, directly or not."""
    check = RULES[code]
    module = inspect.getmodule(check)
    assert module is not None
    functions = sources_of(module)
    found: dict[str, ast.FunctionDef] = {}
    waiting = [check.__name__]
    while waiting:
        name = waiting.pop()
        if name in functions and name not in found:
            found[name] = functions[name]
            waiting += [n.id for n in ast.walk(functions[name]) if isinstance(n, ast.Name)]
    return list(found.values())


def given_slots(code: str) -> set[str]:
    """Every slot that the code of a rule fills: the keys of the dicts in it."""
    dicts = [n for f in reached(code) for n in ast.walk(f) if isinstance(n, ast.Dict)]
    return {k.value for d in dicts for k in d.keys if isinstance(k, ast.Constant) and isinstance(k.value, str)}


def asked(code: str) -> set[tuple[str, str]]:
    """The numbers and lists that the code of a rule asks its evidence for."""
    found: set[tuple[str, str]] = set()
    for node in (n for f in reached(code) for n in ast.walk(f)):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="evidence"), attr="number" | "days"),
                args=[ast.Constant(value=name)],
            ):
                found.add(("numbers", name))
            case ast.Subscript(
                value=ast.Attribute(value=ast.Name(id="evidence"), attr="numbers" | "lists" as part),
                slice=ast.Constant(value=name),
            ):
                found.add((part, name))
    return found


@pytest.mark.parametrize("code", sorted(RULES))
def test_texts_ask_for_no_slot_that_the_rule_does_not_fill(code: str) -> None:
    for profile in knowledge().profiles.values():
        if code in profile.rules:
            asked_for = {slot for text in profile.rules[code].texts.values() for slot in text.slots}
            assert asked_for <= given_slots(code), profile.name


@pytest.mark.parametrize("code", sorted(RULES))
def test_a_rule_asks_for_no_number_or_list_that_a_profile_lacks(code: str) -> None:
    for profile in knowledge().profiles.values():
        if code in profile.rules:
            evidence = profile.rules[code]
            there = {("numbers", n) for n in evidence.numbers} | {("lists", n) for n in evidence.lists}
            assert asked(code) <= there, profile.name


def test_these_two_checks_see_what_rules_ask_for() -> None:
    assert ("numbers", "lead_in_days") in asked("doac-needs-lead-in")
    assert ("lists", "valves") in asked("pregnancy")
    assert {"drug", "other"} <= given_slots("doac-interaction")


class TestEvidence:
    def test_a_text_that_the_guideline_does_not_have_is_no_finding(self) -> None:
        evidence = knowledge().profiles["contemporary-2023"].rules["compression-stockings"]
        assert evidence.finding("prompt") is None
        assert evidence.finding() is not None

    def test_a_slot_left_empty_is_an_error_of_the_rule(self) -> None:
        evidence = knowledge().profiles["contemporary-2023"].rules["doac-interaction"]
        with pytest.raises(KeyError, match="other"):
            evidence.finding("inducer-strong", slots={"drug": "Apixaban"})
