"""Cards on the demo page: all is text, Markdown is made harmless, and no failure looks like silence."""

from __future__ import annotations

from typing import Any

import pytest

from app.demo.ehr.card_view import answer_view, markdown


def answer(*cards: dict[str, Any], status: int = 200, **body: Any) -> dict[str, Any]:
    return {"profile": "p", "status": status, "body": {"cards": list(cards), **body}}


def card(**more: Any) -> dict[str, Any]:
    return {"uuid": "u", "summary": "s", "indicator": "warning", "source": {"label": "l"}, **more}


def test_markdown_of_a_card_becomes_html() -> None:
    html = markdown("**Advice:** stop.\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |")
    assert "<strong>Advice:</strong>" in html
    assert html.count("<li>") == 2
    assert "<td>1</td>" in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![x](https://elsewhere.example/pixel.png)",
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>)",
        '<a href="javascript:alert(1)">x</a>',
        "<style>p{color:red}</style>",
        '<p style="color:red" onclick="x()">a</p>',
    ],
)
def test_nothing_in_markdown_runs_loads_or_paints(text: str) -> None:
    html = markdown(text)
    for tag in ("<script", "<img", "<style", '<a href="javascript', '<a href="data', "<p style", "<p onclick"):
        assert tag not in html


def test_large_headings_shrink_to_text() -> None:
    assert "<h1" not in markdown("# Big")
    assert "Big" in markdown("# Big")


def test_the_gravest_card_comes_first() -> None:
    shown = answer_view(0, answer(card(indicator="info"), card(indicator="critical"), card(indicator="warning")))
    assert [one.word for one in shown.cards] == ["Critical", "Warning", "Information"]


def test_an_indicator_that_nobody_knows_counts_as_information() -> None:
    assert answer_view(0, answer(card(indicator="<b>"))).cards[0].word == "Information"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "", 7, None, "//elsewhere.example"])
def test_only_web_addresses_are_links(url: object) -> None:
    shown = answer_view(0, answer(card(source={"label": "l", "url": url}, links=[{"label": "x", "url": url}])))
    assert shown.cards[0].source.url == ""
    assert shown.cards[0].links == ()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"status": 0, "body": None}, "cannot be reached"),
        ({"status": 500, "body": None}, "failed (500)"),
        ({"status": 200, "body": None}, "failed (200)"),
        ({"status": 200, "body": []}, "failed (200)"),
        ({"status": 412, "body": {"issue": [{"details": {"text": "No conditions."}}]}}, "No conditions."),
        ({"status": 412, "body": {"issue": "?"}}, "failed (412)"),
        ({}, "failed"),
    ],
)
def test_an_answer_that_failed_says_so(given: dict[str, Any], words: str) -> None:
    shown = answer_view(0, given)
    assert words in shown.failure
    assert shown.cards == ()


def test_no_cards_are_no_failure() -> None:
    assert answer_view(0, answer()).failure == ""


@pytest.mark.parametrize("odd", [None, 1, "x", [], [1], {"a": 1}])
def test_odd_members_of_a_card_break_nothing(odd: object) -> None:
    members = ("uuid", "summary", "detail", "indicator", "source", "suggestions", "overrideReasons", "links")
    shown = answer_view(0, answer(dict.fromkeys(members, odd)))
    assert len(shown.cards) == 1


def test_a_dose_stands_in_one_line() -> None:
    said = "Replace it with dalteparin 15 000 IU SC once daily for 70 kg, not 5 MG, in 30 days"
    suggestion = {"uuid": "s", "label": said, "actions": [{"type": "delete", "description": said}]}
    (shown,) = answer_view(0, answer(card(summary=said, detail=f"- {said}", suggestions=[suggestion]))).cards
    together = "Replace it with dalteparin 15~000~IU SC once daily for 70~kg, not 5~MG, in 30 days".replace("~", "\xa0")
    assert shown.summary == together
    assert (shown.offers[0].label, shown.offers[0].actions) == (together, (together,))
    assert together in shown.detail.replace("&nbsp;", "\xa0")
