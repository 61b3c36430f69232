"""The pages that cards link to: every rule has one, both profiles side by side, nothing but knowledge on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import flask
import pytest
from flask.testing import FlaskClient

from app import pages
from hooks import knowledge as all_knowledge
from hooks.card import OverrideReason
from hooks.knowledge import Knowledge
from tests.app.card_samples import CARD, answer
from tests.app.service import TODAY, Service, call, running
from tests.cds_hooks_validator import operation_outcome_faults

_ALL = all_knowledge.load()
KNOWLEDGE = replace(_ALL, profiles={name: _ALL.profiles[name] for name in ("lmwh-first-2014", "contemporary-2023")})
CODES = [rule.code for rule in KNOWLEDGE.rules]
ADDRESSES = ["/rules", "/override-reasons", *(f"/rules/{code}" for code in CODES)]
LMWH_FIRST, CONTEMPORARY = KNOWLEDGE.profiles["lmwh-first-2014"], KNOWLEDGE.profiles["contemporary-2023"]
WITHOUT_END = {"meta", "link", "br"}


class Page(HTMLParser):
    """What a reader finds on a page: its words, its links, and the cells of each table row by the row's heading."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.links: list[str] = []
        self.rows: list[list[str]] = []
        self.words = ""
        self.feed(html)
        self.close()
        assert self.open == [], "elements that are not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in WITHOUT_END:
            self.open.append(tag)
        if tag == "a":
            self.links.append(dict(attrs)["href"] or "")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in ("a", "code"):
            self.words += "\n"

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        words = " ".join(data.split())
        self.words += words
        if words and self.rows and ("td" in self.open or "th" in self.open):
            self.rows[-1][-1] = f"{self.rows[-1][-1]}\n{words}".strip()

    def row(self, heading: str) -> list[str]:
        """The cells of the first row whose heading begins so."""
        return next(row[1:] for row in self.rows if row and row[0].split("\n")[0] == heading)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running() as one:
        yield one


def visitor(
    knowledge: Knowledge = KNOWLEDGE, day: date = TODAY, public_url: str = "https://cds.example.org"
) -> FlaskClient:
    app = flask.Flask("pages")
    app.register_blueprint(pages.blueprint(knowledge, public_url, lambda: day))
    return app.test_client()


def page(address: str, **parts: object) -> Page:
    found = visitor(**parts).get(address)  # type: ignore[arg-type]
    assert found.status_code == 200
    return Page(found.text)


# Reached from a card


def test_the_links_of_a_real_card_lead_to_the_page_of_its_rule(service: Service) -> None:
    card, *_ = service.post(call("order-select")).json()["cards"]
    links = {card["source"]["url"], *(link["url"] for link in card["links"])}
    assert links
    for link in links:
        found = service.get(urlsplit(link).path)
        assert (found.status_code, found.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert card["source"]["topic"]["display"] in Page(found.text).words
        assert card["summary"].split(":")[0] in found.text


@pytest.mark.parametrize("code", CODES)
def test_every_rule_has_the_page_that_its_cards_link_to(service: Service, code: str) -> None:
    rule = KNOWLEDGE.rule(code)
    card = replace(CARD, rule=code, rule_number=rule.number, rule_display=rule.display, rules=(code,))
    (sent,) = answer(card)["cards"]
    path = urlsplit(sent["links"][0]["url"]).path.removeprefix("/cat")

    found = Page(service.get(path).text)

    assert f"permanent number {rule.number}, {rule.rule} in the rule list" in found.words
    for profile in (LMWH_FIRST, CONTEMPORARY):
        for text in profile.rules[code].texts.values() if code in profile.rules else ():
            assert text.summary.replace("{", "[").replace("}", "]").replace("_", " ") in found.words
            assert set(text.today) <= set(found.words.split("\n"))


def test_the_systems_that_cards_name_are_addresses_with_a_page(service: Service) -> None:
    card, *_ = service.post(call("order-select")).json()["cards"]
    reasons = card["overrideReasons"]
    systems = {card["source"]["topic"]["system"]} | {reason["system"] for reason in reasons}
    assert {urlsplit(system).path for system in systems} == {"/rules", "/override-reasons"}
    listed = Page(service.get("/override-reasons").text)
    for reason in reasons:
        assert listed.row(reason["display"])[0] == reason["code"]
        assert card["source"]["topic"]["display"] in listed.row(reason["display"])[1]


def test_all_links_between_the_pages_lead_to_a_page() -> None:
    client, known = visitor(), {*ADDRESSES, "/"}  # the first page has tests of its own
    for address in ADDRESSES:
        found = Page(client.get(address).text)
        assert {urlsplit(urljoin(address, link)).path for link in found.links} <= known
    listed = page("/rules").links
    assert [f"/rules/{code}" for code in CODES] == [link for link in listed if link.startswith("/rules/")]


def test_behind_a_path_the_links_and_the_style_sheet_keep_it() -> None:
    found = page("/rules", public_url="https://cds.example.org/cat/")
    assert all(link.startswith("/cat/") for link in found.links)
    assert ("link", {"rel": "stylesheet", "href": "/cat/static/page.css"}) in found.tags


# What it says


def test_both_profiles_stand_side_by_side_and_differences_are_marked() -> None:
    found = page("/rules/low-platelets")
    assert found.row("Hold when platelets are below") == ["20 × 10⁹ per litre", "25 × 10⁹ per litre"]
    assert ["", LMWH_FIRST.title, CONTEMPORARY.title] in found.rows
    headings = {row[0] for row in found.rows}
    assert "Hold when platelets are below\ndiffers" in headings
    assert "The clot is at most this old" in headings


def test_bands_are_sentences_with_their_unit() -> None:
    first, _ = page("/rules/low-platelets").row("Platelets")
    assert "any anticoagulant, when ordered: 20 to below 25 × 10⁹ per litre: says “hold warning”" in first.split("\n")
    assert "fondaparinux: 30 to 50 mL per minute: says “caution”" in page("/rules/renal-function").words


def test_each_text_is_shown_with_its_indicator() -> None:
    hold, other = page("/rules/low-platelets").row("Variant “hold”")
    assert hold.split("\n")[:2] == [
        "critical",
        LMWH_FIRST.rules["low-platelets"].texts["hold"].summary.replace("{platelets}", "[platelets]"),
    ]
    assert other.startswith("critical")


def test_doses_and_interactions_stand_below_the_rules() -> None:
    found = page("/rules")
    assert ["month 1", "US", "57", "68", "12500", "US label weight table", "two copies"] in found.rows
    assert "rifampicin" in found.row("strong inducers")[0]
    assert "/rules#doses" in page("/rules/lmwh-dose-check").links


def test_a_rule_that_a_profile_does_not_use_is_said_to_be_unused() -> None:
    found = page("/rules/doac-in-cancer")
    assert found.row("Condition")[1] == "This profile does not use the rule."
    assert found.row("Main text")[1] == "none"
    assert page("/rules").row("4")[-2:] == ["warning", "not used"]


def test_evidence_tells_year_strength_and_what_is_not_verified() -> None:
    found = page("/rules/doac-in-cancer")
    assert found.row("Year")[0] == "2014"
    assert found.row("Strength")[0] == "superseded for many patients"
    assert found.row("Verified")[0] == "CHEST 2021, ITAC 2022, ASCO 2023, ESMO 2023 verified"
    assert "ASH 2021 in part" in found.row("Not yet verified")[0]


def test_the_hooks_are_told_in_words_and_by_name() -> None:
    words = page("/rules/renal-function").words
    assert "when a chart is opened, when an order is chosen, when an order is signed" in words
    assert "(order-select, order-sign, patient-view)" in words


@pytest.mark.parametrize("address", ["/rules", "/rules/low-platelets"])
def test_nobody_is_made_up_as_reviewer(address: str) -> None:
    assert page(address).words.count("not yet reviewed") >= len(KNOWLEDGE.profiles)


@pytest.mark.parametrize(("late", "marks"), [(0, 0), (1, 2)])
@pytest.mark.parametrize("address", ["/rules", "/rules/low-platelets"])
def test_a_review_is_overdue_from_the_day_after_it_was_due(address: str, late: int, marks: int) -> None:
    assert LMWH_FIRST.next_review == CONTEMPORARY.next_review
    found = page(address, day=LMWH_FIRST.next_review + timedelta(days=late))
    assert [tag for tag, _ in found.tags].count("strong") == marks
    assert found.words.split("\n").count("overdue") == marks


def test_one_overdue_rule_marks_itself_and_its_profile_alone() -> None:
    early = replace(LMWH_FIRST.rules["pregnancy"], next_review=TODAY - timedelta(days=1))
    knowledge = with_evidence(LMWH_FIRST.name, "pregnancy", early)
    assert page("/rules/pregnancy", knowledge=knowledge).row("Next review due") == [
        f"{early.next_review}\noverdue",
        CONTEMPORARY.next_review.isoformat(),
    ]
    assert page("/rules", knowledge=knowledge).words.split("\n").count("overdue") == 1
    assert page("/rules/low-platelets", knowledge=knowledge).words.split("\n").count("overdue") == 0


# Safe to open


def with_evidence(profile: str, code: str, evidence: object) -> Knowledge:
    old = KNOWLEDGE.profiles[profile]
    changed = replace(old, rules={**old.rules, code: evidence})  # type: ignore[dict-item]
    return replace(KNOWLEDGE, profiles={**KNOWLEDGE.profiles, profile: changed})


def test_text_of_the_knowledge_is_never_markup() -> None:
    hostile = '"><script>alert(1)</script>&amp;'
    old = LMWH_FIRST.rules["pregnancy"]
    texts = {hostile: replace(old.texts["main"], summary=hostile, advice=(hostile,), today=(hostile,))}
    evidence = replace(
        old, when=hostile, texts=texts, source_label=hostile, grade=hostile, checked=hostile, reviewer=hostile,
        lists={hostile: (hostile,)}, year=hostile,
    )  # fmt: skip
    knowledge = with_evidence(LMWH_FIRST.name, "pregnancy", evidence)
    knowledge = replace(knowledge, override_reasons={
        **knowledge.override_reasons, hostile: OverrideReason(code=hostile, display=hostile)
    })  # fmt: skip
    for address in ("/rules/pregnancy", "/override-reasons", "/rules"):
        found = Page(visitor(knowledge).get(address).text)
        assert "script" not in {tag for tag, _ in found.tags}
    assert page("/rules/pregnancy", knowledge=knowledge).row("Condition")[0] == hostile


@pytest.mark.parametrize("address", [*ADDRESSES, "/static/page.css", "/rules/unknown"])
def test_nothing_but_our_style_sheet_may_be_loaded(service: Service, address: str) -> None:
    headers = service.get(address).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["style-src"] == "'self'"
    assert set(policy) <= {"default-src", "style-src", "base-uri", "form-action", "frame-ancestors"}
    assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize("address", ["/rules", "/override-reasons", "/rules/low-platelets"])
def test_the_pages_need_no_script_and_no_inline_style(address: str) -> None:
    found = page(address)
    names = {tag for tag, _ in found.tags}
    assert {"script", "style", "iframe", "img", "form"} & names == set()
    assert {"html", "title", "main", "header", "footer", "nav", "h1", "caption"} <= names
    assert [tag for tag, _ in found.tags].count("h1") == 1
    assert found.tags[0] == ("html", {"lang": "en"})
    attributes = {name for _, attributes in found.tags for name in attributes}
    assert not {name for name in attributes if name.startswith("on") or name == "style"}


def test_a_page_is_sent_again_only_when_it_changed() -> None:
    first = visitor().get("/rules/pregnancy")
    assert visitor().get("/rules/pregnancy", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    late = visitor(day=LMWH_FIRST.next_review + timedelta(days=1))
    assert late.get("/rules/pregnancy", headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


# No such rule


@pytest.mark.parametrize("accept", ["text/html,application/xhtml+xml,*/*;q=0.8", "*/*"])
def test_an_unknown_rule_is_a_page_for_people(service: Service, accept: str) -> None:
    found = service.get("/rules/warfarin%3Cb%3E?patient=Jane", headers={"Accept": accept})
    assert (found.status_code, found.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "/rules" in Page(found.text).links
    assert "warfarin" not in found.text
    assert "Jane" not in found.text


@pytest.mark.parametrize(
    "accept", ["application/json", "application/fhir+json", "application/fhir+json, text/html;q=0.5"]
)
def test_an_unknown_rule_is_an_operation_outcome_for_machines(service: Service, accept: str) -> None:
    found = service.get("/rules/warfarin", headers={"Accept": accept})
    assert (found.status_code, found.headers["Content-Type"]) == (404, "application/fhir+json")
    assert operation_outcome_faults(found.json()) == []
    assert found.json()["issue"][0]["code"] == "not-found"
