"""The demo page in a real browser: what a clinician sees, does and is told."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.app.service import Service, running
from tests.browser.ehr import answered, calls, has_drafts, open_patient, pick, unhurried

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

EHR = Path(__file__).resolve().parents[2] / "fixtures" / "ehr"
PHONE = {"width": 390, "height": 844}
MARKUP = "<img src=x onerror='window.broken=1'><b>Warfarin</b> <script>window.broken=1</script>"


def test_the_patient_of_the_brief_from_opening_the_chart_to_the_replaced_order(page: Page, service: Service) -> None:
    page.goto(service.url)
    page.get_by_role("navigation", name="Patients").get_by_role("link", name="Elena Marchetti").click()
    answered(page, "Chart opened: ")
    expect(page.get_by_role("article")).to_have_count(2)

    pick(page, "apixaban")
    card = page.get_by_role("article", name="DOAC ordered in cancer-associated VTE")
    expect(card).to_contain_text("Warning")
    has_drafts(page, "apixaban 5 MG Oral Tablet")

    card.get_by_role("button", name="Replace apixaban with dalteparin").click()
    expect(page.get_by_role("status")).to_contain_text("Accepted: Replace apixaban with dalteparin")
    has_drafts(page, re.compile("^dalteparin"), re.compile("^dalteparin"))
    expect(page.get_by_text("Checked: nothing to say")).to_be_visible()
    expect(calls(page, re.compile(r"^feedback \(accepted\).*: 200,"))).to_have_count(1)

    page.get_by_role("button", name="Sign orders").click()
    expect(page.get_by_role("list", name="Signed orders")).to_contain_text("dalteparin")
    expect(page.get_by_text("No draft orders")).to_be_visible()

    page.get_by_role("link", name="The numbers").click()
    expect(page.get_by_role("heading", name="What became of the cards")).to_be_visible()
    row = page.get_by_role("table").first.get_by_role("row").filter(has_text="DOAC in cancer-associated VTE")
    expect(row.locator("td[data-head=Accepted]")).to_have_text(re.compile(r"[1-9]"))
    expect(page.get_by_role("img", name="DOAC in cancer-associated VTE, week by week")).to_be_visible()


def test_overriding_asks_for_a_reason_and_sends_it(page: Page, service: Service) -> None:
    open_patient(page, service.url, "brief")
    pick(page, "apixaban")
    card = page.get_by_role("article", name="DOAC ordered")
    card.get_by_text("Override this card").click()
    override = card.get_by_role("button", name="Override")

    override.click()  # no reason yet: the browser asks for one
    expect(card.get_by_label("Why?")).to_be_focused()
    expect(calls(page, "feedback")).to_have_count(0)

    card.get_by_label("Why?").select_option(label="Patient prefers an oral medicine")
    card.get_by_label("Comment").fill("talked it over")
    override.click()
    expect(card).to_contain_text("Overridden: Patient prefers an oral medicine")
    expect(card.get_by_role("button", name="Replace")).to_have_count(0)
    has_drafts(page, "apixaban 5 MG Oral Tablet")
    expect(calls(page, "feedback (overridden)")).to_have_count(1)
    sent = page.locator("#calls > li").filter(has_text="feedback (overridden)").locator("pre").first
    entry = json.loads(sent.text_content() or "")["feedback"][0]
    assert entry["outcome"] == "overridden"
    assert entry["overrideReason"]["reason"]["code"] == "patient-preference-oral"
    assert entry["overrideReason"]["userComment"] == "talked it over"


def test_a_button_pressed_twice_does_its_work_once(page: Page, service: Service) -> None:
    open_patient(page, service.url, "brief")
    page.get_by_label("Add an order").select_option("apixaban")
    page.get_by_role("button", name="Add", exact=True).dblclick()
    answered(page, "Order picked: ")
    has_drafts(page, "apixaban 5 MG Oral Tablet")
    page.get_by_role("button", name="Replace apixaban").dblclick()
    expect(page.get_by_role("status")).to_contain_text("Accepted")
    expect(calls(page, "feedback")).to_have_count(1)


def test_signing_in_spite_of_a_card_takes_a_second_press(page: Page, service: Service) -> None:
    open_patient(page, service.url, "brief")
    pick(page, "apixaban")
    page.get_by_role("button", name="Sign orders").click()
    answered(page, "Signing: ")
    expect(page.get_by_role("list", name="Signed orders")).to_be_hidden()

    page.get_by_role("button", name="Sign anyway").click()
    expect(page.get_by_role("list", name="Signed orders")).to_contain_text("apixaban")


def test_a_patient_about_whom_there_is_nothing_to_say(page: Page, service: Service) -> None:
    open_patient(page, service.url, "plain-healthy")
    expect(page.get_by_text("Checked: nothing to say")).to_be_visible()
    pick(page, "warfarin")
    expect(page.get_by_role("article")).to_have_count(0)
    page.get_by_role("button", name="Remove warfarin").click()
    answered(page, "Chart opened: ")
    has_drafts(page)


def test_an_unrelated_order_brings_no_card(page: Page, service: Service) -> None:
    open_patient(page, service.url, "brief")
    pick(page, "paracetamol")
    expect(page.get_by_role("article")).to_have_count(0)


def test_a_record_server_that_is_down_is_told_and_no_all_clear(page: Page, service: Service) -> None:
    open_patient(page, service.url, "brief")
    page.get_by_text("Behind the scenes").click()
    page.get_by_label("Let the record server").check()
    page.get_by_text("Behind the scenes").click()
    cards = page.locator("#cards")
    expect(cards).to_contain_text("This is not an all-clear")
    expect(page.get_by_role("status")).to_contain_text("Chart opened: not checked")

    pick(page, "apixaban")
    expect(page.get_by_role("article")).to_contain_text("could not be read")
    expect(cards).not_to_contain_text("nothing to say")


def test_a_service_that_is_gone_is_told(page: Page) -> None:
    with running(unhurried()) as page_server, running(unhurried()) as other:
        gone = other.url
        open_patient(page, page_server.url, "brief", f"?service={gone}")
        page.route(f"{gone}/**", lambda route: route.abort())
        pick(page, "apixaban")
        expect(page.locator("#cards")).to_contain_text("cannot be reached")
        expect(page.locator("#cards")).to_contain_text("not an all-clear")


def test_the_page_on_one_origin_and_the_service_on_another(page: Page) -> None:
    with running(unhurried()) as page_server, running(unhurried()) as other:
        open_patient(page, page_server.url, "brief", f"?service={other.url}")
        pick(page, "apixaban")
        page.get_by_role("button", name="Replace apixaban").click()
        expect(page.get_by_role("status")).to_contain_text("Accepted")
        assert [line.hook for line in other.log][:2] == ["patient-view", "order-select"]
        assert [line.hook for line in page_server.log] == []


def test_both_profiles_side_by_side(page: Page, service: Service) -> None:
    open_patient(page, service.url, "brief")
    pick(page, "apixaban")
    page.get_by_label("Guideline").select_option("both")
    old, new = page.get_by_role("region", name="LMWH first"), page.get_by_role("region", name="Contemporary")
    expect(old.get_by_role("article")).to_contain_text("Warning")
    expect(new.get_by_role("article")).not_to_contain_text("Warning")
    expect(new.get_by_role("article")).to_be_visible()


@pytest.fixture
def marked_up(tmp_path: Path) -> Iterator[Service]:
    """A service whose patient of the brief has markup for the name of a medicine and of a thrombosis."""
    folder = tmp_path / "ehr"
    shutil.copytree(EHR, folder)
    chart = json.loads((folder / "brief.json").read_text("utf-8"))
    for entry in chart["entry"]:
        resource = entry["resource"]
        if resource["resourceType"] == "MedicationRequest":
            resource["medicationCodeableConcept"]["text"] = MARKUP
        if resource["id"] == "brief-dvt":
            resource["code"]["text"] = f"DVT {MARKUP}"
    (folder / "brief.json").write_text(json.dumps(chart), "utf-8")
    with running(unhurried(fixtures=folder)) as started:
        yield started


def test_markup_in_a_name_stays_text(page: Page, marked_up: Service) -> None:
    open_patient(page, marked_up.url, "brief")
    pick(page, "apixaban")
    expect(page.get_by_role("region", name="Medicines")).to_contain_text("<b>Warfarin</b>")
    expect(page.locator("#cards .detail").first).to_contain_text("onerror")
    expect(page.locator("#cards img, #cards script, #cards b, main .lines b")).to_have_count(0)
    assert page.evaluate("window.broken") is None


def test_everything_works_from_the_keyboard(page: Page, service: Service) -> None:
    open_patient(page, service.url, "brief")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the chart")).to_be_focused()
    page.get_by_label("Add an order").focus()
    page.keyboard.type("apixaban")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    answered(page, "Order picked: ")
    page.get_by_role("button", name="Replace apixaban").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Accepted")
    expect(page.get_by_role("button", name="Sign orders")).to_be_focused()


HIDDEN = """() => {
  const box = document.activeElement.getBoundingClientRect();
  const drawer = document.querySelector(".drawer");
  return !drawer.contains(document.activeElement) && box.bottom > drawer.getBoundingClientRect().top;
}"""


@pytest.mark.parametrize("width", [PHONE["width"], 1440])
def test_what_has_the_focus_is_never_behind_the_drawer(page: Page, service: Service, width: int) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": PHONE["height"]})
    open_patient(page, service.url, "brief")
    page.get_by_role("link", name="Skip to the chart").press("Enter")
    last = page.get_by_text("Behind the scenes")
    for _ in range(40):
        page.keyboard.press("Tab")
        if last.evaluate("(one) => one.contains(document.activeElement) || document.activeElement.contains(one)"):
            break
        assert not page.evaluate(HIDDEN), page.evaluate("document.activeElement.outerHTML")
    else:
        pytest.fail("the drawer was never reached")


@pytest.mark.parametrize("width", [PHONE["width"], 768, 1024])
def test_no_width_needs_sideways_scrolling(page: Page, service: Service, width: int) -> None:
    page.set_viewport_size({"width": width, "height": PHONE["height"]})
    page.goto(service.url)
    expect(page.get_by_role("navigation", name="Patients").get_by_role("listitem").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    open_patient(page, service.url, "sarcoma-day-170")
    expect(page.get_by_role("article").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_list_of_patients_is_searched_by_story(page: Page, service: Service) -> None:
    page.goto(service.url)
    page.get_by_label("Find by name or story").fill("melena")
    shown = page.get_by_role("navigation", name="Patients").get_by_role("listitem")
    expect(shown).to_have_count(2)
    page.get_by_label("Find by name or story").fill("zebra")
    expect(page.get_by_text("Nobody by that name or story")).to_be_visible()
