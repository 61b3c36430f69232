"""axe-core finds nothing serious on the pages that people see."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.app.service import Service
from tests.browser.ehr import answered, open_patient, pick

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

GRAVE = ("serious", "critical")


def grave_findings(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:120]}"
        for one in found
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("path", ["/", "/rules", "/rules/doac-in-cancer", "/override-reasons"])
def test_a_page_as_it_opens(page: Page, service: Service, path: str) -> None:
    page.goto(service.url + path)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert grave_findings(page) == []


@pytest.mark.parametrize("width", [390, 1440])
def test_a_chart_with_cards_side_by_side_and_all_folds_open(page: Page, service: Service, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    open_patient(page, service.url, "brief")
    pick(page, "apixaban")
    page.get_by_label("Guideline").select_option("both")
    answered(page, "Order picked: ")
    page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
    assert grave_findings(page) == []


def test_a_card_that_is_critical_and_one_that_is_done(page: Page, service: Service) -> None:
    open_patient(page, service.url, "stomach-bleeding")
    pick(page, "of-the-story")
    page.get_by_label("Guideline").select_option("both")
    answered(page, "Order picked: 2 cards (2 critical)")
    to_do, still_open = page.get_by_role("article").first, page.get_by_role("article").last
    to_do.get_by_text("Override this card").click()
    to_do.get_by_label("Why?").select_option(index=1)
    to_do.get_by_role("button", name="Override").click()

    expect(to_do).to_contain_class("done")
    expect(to_do).to_contain_text("Overridden: ")
    expect(still_open).to_contain_class("critical")
    expect(still_open).not_to_contain_class("done")
    assert grave_findings(page) == []


def test_an_answer_that_failed(page: Page, service: Service) -> None:
    open_patient(page, service.url, "brief")
    page.route("**/cds-services/*", lambda route: route.abort())
    pick(page, "apixaban")
    expect(page.locator("#cards .failure")).to_be_visible()
    assert grave_findings(page) == []
