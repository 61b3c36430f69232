"""Cards: what is merged, in which order, how it is worded, and that nothing of the record can do harm in Markdown."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from hooks.card import Card
from hooks.cards import LONGEST_LINE, MOST_CARDS, cards, escape
from hooks.clinic.wording import shorten
from hooks.decide import Outcome
from hooks.facts import Gap, Patient
from hooks.finding import Answer, CannotTell, Finding, Urgency
from hooks.guidelines import DATA_RULE, SUMMARY_UNITS, units
from hooks.proposal import Proposal
from tests.hooks.strategies import knowledge

LMWH_FIRST, CONTEMPORARY = "lmwh-first-2014", "contemporary-2023"
PATIENT = Patient(as_of=date(2026, 1, 15))
CODES = {row.rule: row.code for row in knowledge().rules}
SLOTS = {
    "drug": "Edoxaban",
    "other": "itraconazole",
    "crcl": "20 mL/min",
    "item": "weight: none on record",
    "platelets": "20",
    "drugs": "edoxaban and warfarin",
    "reduction": "2 500",
    "indication": "Atrial fibrillation",
    "dose": "15 mg",
    "days": "21",
    "then": "20 mg",
    "due": "15 000 IU",
    "percent": "30",
    "reason": "a valve",
    "contraindication": "active bleeding",
}


def outcome(
    rule: str,
    answer: Answer | str = "main",
    *,
    profile: str = LMWH_FIRST,
    order: str = "MedicationRequest/d1",
    **more: object,
) -> Outcome:
    """What a rule said: a text by name with all slots filled, or any answer."""
    evidence = knowledge().profiles[profile].rules[CODES[rule]]
    said = evidence.finding(answer, slots=SLOTS) if isinstance(answer, str) else answer
    assert said is not None or not isinstance(answer, str), answer
    row = knowledge().rule(CODES[rule])
    return Outcome(rule=row, evidence=evidence, order=order, answer=said, on_view=not order, **more)  # type: ignore[arg-type]


def made(*outcomes: Outcome, profile: str = LMWH_FIRST, patient: Patient = PATIENT) -> tuple[Card, ...]:
    return cards(outcomes, patient, knowledge().profiles[profile], knowledge())


def rules(card: Card) -> list[str]:
    names = {code: rule for rule, code in CODES.items()}
    return [names[code] for code in card.rules]


class TestDrugChoice:
    def test_one_card_for_an_order_led_by_the_first_rule_that_applies(self) -> None:
        all_six = [outcome(r) for r in ("R4a", "R4f", "R4c", "R4b", "R4d")] + [outcome("R30", "inhibitor-combined")]
        (card,) = made(*[replace(o, answer=raised(o)) for o in all_six])
        assert rules(card) == ["R30", "R4d", "R4b", "R4c", "R4a", "R4f"]
        assert card.summary.startswith("Edoxaban interacts with itraconazole")

    def test_a_lesser_interaction_never_leads(self) -> None:
        (card,) = made(outcome("R30", "inhibitor-moderate-or-pgp"), outcome("R4c"))
        assert rules(card) == ["R4c", "R30"]
        (card,) = made(
            outcome("R30", "inhibitor-moderate-or-pgp", profile=CONTEMPORARY),
            outcome("R4b", "apixaban", profile=CONTEMPORARY),
            profile=CONTEMPORARY,
        )
        assert (rules(card), card.urgency) == (["R4b", "R30"], Urgency.INFO)
        assert "Edoxaban interacts" not in card.summary
        assert "itraconazole can raise its level" in card.detail

    def test_a_lesser_interaction_alone_is_a_card(self) -> None:
        (card,) = made(outcome("R30", "inhibitor-moderate-or-pgp"))
        assert rules(card) == ["R30"]

    def test_each_order_has_its_own_card(self) -> None:
        one, two = made(outcome("R4a"), outcome("R3", order="MedicationRequest/d2"))
        assert {one.order, two.order} == {"MedicationRequest/d1", "MedicationRequest/d2"}

    def test_the_guidance_of_every_merged_rule_is_said_once(self) -> None:
        (card,) = made(outcome("R4a"), outcome("R4b"))
        assert card.detail.count("This site follows an LMWH-first profile") == 1
        assert "upper GI" in card.detail

    def test_the_buttons_are_those_of_the_leading_rule(self) -> None:
        replaced, removed = Proposal(label="Replace", replaces="d1"), Proposal(label="Remove", replaces="d1")
        (card,) = made(with_proposals(outcome("R4b"), replaced), with_proposals(outcome("R4c"), removed))
        assert card.proposals == (replaced,)


def raised(o: Outcome) -> Finding:
    assert isinstance(o.answer, Finding)
    return replace(o.answer, urgency=Urgency.WARNING)


def with_proposals(o: Outcome, *proposals: Proposal) -> Outcome:
    assert isinstance(o.answer, Finding)
    return replace(o, answer=replace(o.answer, proposals=proposals))


class TestOneRuleAboutTwoOrders:
    def test_is_one_card_with_a_button_for_each(self) -> None:
        one, two = Proposal(label="Remove a", replaces="a"), Proposal(label="Remove b", replaces="b")
        (card,) = made(with_proposals(outcome("R29", order="a"), one), with_proposals(outcome("R29", order="b"), two))
        assert card.proposals == (one, two)

    def test_is_the_same_whichever_order_came_first(self) -> None:
        first, second = outcome("R29", order="a"), outcome("R29", order="b")
        assert made(first, second) == made(second, first)


class TestOpeningTheChart:
    def test_all_information_is_one_card(self) -> None:
        found = [outcome("R17", "prompt", order=""), outcome("R10", order=""), outcome("R23", order="")]
        (card,) = made(*[replace(o, treatment_day="160") for o in found])
        assert rules(card) == ["R10", "R23", "R17"]
        assert card.summary.startswith("Anticoagulation in cancer, day 160: Cancer still active: continue")
        assert units(card.summary) <= SUMMARY_UNITS
        assert card.override_reasons == ()

    def test_a_single_information_keeps_its_words(self) -> None:
        (card,) = made(outcome("R10", order=""))
        assert card.summary == "Cancer still active: continue anticoagulation beyond 6 months and review regularly"

    def test_warnings_stay_apart(self) -> None:
        warning, information = made(outcome("R10", order=""), outcome("R20", "major-view", order=""))
        assert (rules(warning), rules(information)) == (["R20"], ["R10"])

    def test_r11_takes_r1_in_and_leaves_its_code(self) -> None:
        (card,) = made(outcome("R1", order=""), outcome("R11", order=""))
        assert rules(card) == ["R11", "R1"]
        assert "without a treatment-dose anticoagulant" not in card.summary + card.detail


class TestAtMostFour:
    def test_what_is_over_joins_the_last(self) -> None:
        many = [
            outcome("R32"),
            outcome("R20", "major"),
            outcome("R26"),
            outcome("R3"),
            outcome("R9"),
            outcome("R28"),
        ]
        shown = made(*many)
        assert len(shown) == MOST_CARDS
        assert [card.urgency for card in shown] == [3, 3, 2, 2]
        assert rules(shown[-1]) == ["R9", "R28", "R32"]
        assert "CNS" not in shown[-1].summary
        assert {code for card in shown for code in card.rules} == {o.rule.code for o in many}


class TestWhatCouldNotBeTold:
    def test_is_one_card_that_counts_the_items(self) -> None:
        (card,) = made(
            outcome("R21", CannotTell(missing=("creatinine: none on record",))),
            outcome("R22", CannotTell(missing=("platelets: none on record",))),
            outcome("R7", CannotTell(missing=("weight: last 2023-01-01, too old to use",))),
        )
        assert card.rule == DATA_RULE
        assert card.summary == "Cannot check creatinine: none on record and 2 more"
        assert card.detail.startswith(
            "- creatinine: none on record\n- platelets: none on record\n- weight: last 2023-01-01, too old to use"
        )

    def test_joins_what_the_data_rule_found_and_an_item_is_said_once(self) -> None:
        found = Finding(urgency=Urgency.WARNING, slots={"item": "x"}, because=("creatinine: unit not clear",))
        (card,) = made(
            outcome("R25", found),
            outcome("R21", CannotTell(missing=("creatinine: none on record", "weight: none on record"))),
        )
        assert (card.urgency, card.summary) == (Urgency.WARNING, "Cannot check creatinine: unit not clear and 1 more")
        assert card.detail.startswith("- creatinine: unit not clear\n- weight: none on record\n\n")

    def test_a_broken_rule_is_named(self) -> None:
        broken = outcome("R22", None, error="KeyError")
        (card,) = made(broken)
        assert card.summary == "Cannot check rule low-platelets failed and was not checked"
        assert "KeyError" not in card.detail

    def test_checked_and_fine_is_no_card(self) -> None:
        assert made(outcome("R21", None), outcome("R22", None)) == ()


class TestSummary:
    def test_a_long_name_is_cut_before_the_advice_is(self) -> None:
        slots = SLOTS | {"indication": "Chronic " * 30}
        evidence = knowledge().profiles[LMWH_FIRST].rules[CODES["R4x"]]
        (card,) = made(outcome("R4x", evidence.finding(slots=slots)))
        assert card.summary.endswith("…; patient also has cancer-associated VTE: check it covers both")
        assert SUMMARY_UNITS - len("Chronic ") <= units(card.summary) <= SUMMARY_UNITS

    def test_doubt_is_marked_even_when_there_is_no_room_for_all_of_it(self) -> None:
        finding = outcome("R4x").answer
        assert isinstance(finding, Finding)
        for doubts, ending in (
            (("possible VTE",), " (possible VTE)"),
            (("possible VTE", "unconfirmed VTE", "cancer activity unconfirmed"), " (unconfirmed)"),
        ):
            (card,) = made(outcome("R4x", replace(finding, doubts=doubts)))
            assert card.summary.endswith(ending)
            assert units(card.summary) <= SUMMARY_UNITS

    @given(
        st.dictionaries(st.sampled_from(sorted(SLOTS)), st.text(max_size=400)),
        st.sampled_from(["R4x", "R30", "R7", "R29"]),
    )
    def test_never_too_long_and_always_one_line(self, slots: dict[str, str], rule: str) -> None:
        text = {"R30": "inducer-strong", "R7": "above"}.get(rule, "main")
        evidence = knowledge().profiles[LMWH_FIRST].rules[CODES[rule]]
        (card,) = made(outcome(rule, evidence.finding(text, slots=SLOTS | slots)))
        assert units(card.summary) <= SUMMARY_UNITS
        assert card.summary.isprintable()


class TestDetail:
    def test_allergies_that_nobody_could_read_are_said_beside_a_button(self) -> None:
        unread = replace(PATIENT, gaps=(Gap(key="allergies", reason="not sent", failed=False),))
        button = with_proposals(outcome("R3"), Proposal(label="x", replaces="d1"))
        (card,) = made(button, patient=unread)
        assert "Not read before this suggestion: allergies." in card.detail
        (card,) = made(outcome("R3"), patient=unread)
        assert "Not read" not in card.detail

    def test_every_card_names_profile_and_knowledge(self) -> None:
        (card,) = made(outcome("R3"))
        assert f"*Profile {LMWH_FIRST}" in card.detail.splitlines()[-1]
        assert knowledge().version in card.detail.splitlines()[-1]

    def test_a_line_without_end_is_cut(self) -> None:
        finding = replace(raised(outcome("R3")), because=("x" * 1_000_000,))
        (card,) = made(outcome("R3", finding))
        assert len(card.detail) < 3 * LONGEST_LINE


MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})
NASTY_PARTS = (
    "<script>", "</p>", "<!--", "[a](javascript:alert(1))", "![x](http://x.y/z)", "https://x.y", "HTTPS://X",
    "www.x.y", "mailto:a@b.c", "a@b.example", "---", "===", "```", "~~~", "`c`", "**b**", "_i_", "~~s~~", "&lt;",
    "&#60;", "[^1]", "{}", "data:text/html,x", "vbscript:x", "ftp://x", "# h", "- a", "+ a", "* a", "1. a", "2) b",
    "- - -", "+", "-", "7.", "> q", "\\", "\\<", "    ", "a  b", "xhttps://x.y", "_www.x.y", "| a | b |", "|-|-|",
    "\n", "\n\n", "\t", "\r", "\u2028", "\u202e", "\x00",
)  # fmt: skip
NASTY = st.one_of(
    st.sampled_from(NASTY_PARTS),
    st.lists(st.one_of(st.sampled_from(NASTY_PARTS), st.text(max_size=4)), max_size=8).map("".join),
)


def check_plain(text: str) -> None:
    """Markdown of the escaped text is one list item of plain text that reads as the text did."""
    escaped = escape(text)
    assert "<" not in escaped
    assert "\n" not in escaped
    tokens = MARKDOWN.parse(f"- {escaped}")
    inline = [t for t in tokens if t.type == "inline"]
    assert {t.type.rsplit("_", 1)[0] for t in tokens if t.type != "inline"} <= {
        "bullet_list",
        "list_item",
        "paragraph",
    }
    assert sum(t.type == "list_item_open" for t in tokens) == 1
    parts = [child for t in inline for child in t.children or ()]
    assert {child.type for child in parts} <= {"text", "text_special"}
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    assert "".join(child.content for child in parts).replace(" @ ", "@") == shown.replace(" @ ", "@")


class TestEscape:
    @pytest.mark.parametrize("text", NASTY_PARTS)
    def test_each_nasty_part(self, text: str) -> None:
        check_plain(text)
        check_plain(f"Diagnosis {text} more")

    @given(NASTY)
    def test_a_viewer_makes_plain_text_of_it(self, text: str) -> None:
        check_plain(text)

    @given(NASTY)
    def test_no_address_is_left_that_a_viewer_turns_into_a_link(self, text: str) -> None:
        lower = escape(text).lower()
        for start in ("http:", "https:", "ftp:", "www.", "mailto:", "javascript:", "data:", "vbscript:"):
            assert start not in lower
        assert not any(a and b for a, b in zip(*address_sides(lower), strict=True))

    @pytest.mark.parametrize("text", ["Platelets 45 × 10⁹/L (2026-01-14)", "I82.412", "a < b", "12.5 mg/dL, 50 %"])
    def test_ordinary_text_reads_as_before(self, text: str) -> None:
        (inline,) = [t for t in MARKDOWN.parse(escape(text)) if t.type == "inline"]
        assert "".join(child.content for child in inline.children or ()) == text


def address_sides(text: str) -> tuple[list[bool], list[bool]]:
    """For each @: whether something but a space stands before it, and after it."""
    at = [i for i, c in enumerate(text) if c == "@"]
    return [i > 0 and not text[i - 1].isspace() for i in at], [
        not text[i + 1 : i + 2].isspace() and i + 1 < len(text) for i in at
    ]


class TestShorten:
    @given(st.text(max_size=300), st.integers(5, 150))
    def test_never_longer_than_asked_in_utf_16_units(self, text: str, most: int) -> None:
        short = shorten(text, most)
        assert units(short) <= most
        assert short.isprintable()

    def test_cuts_at_a_word(self) -> None:
        assert shorten("one two three four", 12) == "one two…"
        assert shorten("one two", 7) == "one two"
        assert shorten("one, two", 6) == "one…"

    def test_counts_as_browsers_do(self) -> None:
        assert units("\U0001f600") == 2
        assert shorten("\U0001f600" * 10, 11) == "\U0001f600" * 5 + "…"

    def test_a_lone_surrogate_and_a_word_without_end_are_no_trouble(self) -> None:
        assert shorten("a\ud800b") == "a b"
        assert units(shorten("x" * 5_000_000)) == SUMMARY_UNITS
