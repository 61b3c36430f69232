"""Makes the pictures in docs/screenshots: ``python -m tests.browser.screenshots`` (``make screenshots``)."""

from __future__ import annotations

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page, sync_playwright

from app.settings import Settings
from tests.app.service import running
from tests.browser.chromium import ARGUMENTS, chromium
from tests.browser.ehr import open_patient, pick
from tests.browser.half_a_year import NOW, keep

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
DESK, PHONE = (1440, 1000), (390, 844)


def main() -> None:
    """Takes all pictures of a service of its own, on the day of the tests."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    logging.getLogger("werkzeug").disabled = True  # not every request is news
    with TemporaryDirectory() as state, running(_demo(state)) as service, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        _take(_warning(browser, service.url), "demo-order")
        _take(_replaced(browser, service.url), "demo-accepted")
        _take(_compared(browser, service.url), "demo-profiles")
        _take(_course(browser, service.url), "demo-course")
        _take(_on_a_phone(browser, service.url), "demo-phone")
        _take(_rule(browser, service.url), "rule")
        with TemporaryDirectory() as numbers, running(_demo(numbers), now=NOW.timestamp) as hospital:
            keep(hospital.ledger.database)
            _take(_numbers(browser, hospital.url), "feedback")
        browser.close()


def _demo(state: str) -> Settings:
    return Settings(demo=True, state_dir=Path(state))


def _page(browser: Browser, size: tuple[int, int]) -> Page:
    return browser.new_page(viewport={"width": size[0], "height": size[1]})


def _warning(browser: Browser, url: str) -> Page:
    page = _page(browser, DESK)
    open_patient(page, url, "brief")
    pick(page, "apixaban")
    return page


def _replaced(browser: Browser, url: str) -> Page:
    page = _warning(browser, url)
    page.get_by_role("button", name="Replace apixaban").click()
    page.get_by_role("status").get_by_text("Accepted").wait_for()
    page.get_by_text("Behind the scenes").click()
    page.locator("#calls summary").filter(has_text="feedback").click()
    return page


def _compared(browser: Browser, url: str) -> Page:
    page = _warning(browser, url)
    page.get_by_label("Guideline").select_option("both")
    page.locator("#cards.both").wait_for()
    return page


def _course(browser: Browser, url: str) -> Page:
    page = _page(browser, DESK)
    open_patient(page, url, "sarcoma-day-170")
    return page


def _on_a_phone(browser: Browser, url: str) -> Page:
    page = _page(browser, PHONE)
    open_patient(page, url, "brief")
    pick(page, "apixaban")
    page.get_by_role("link", name="To orders").click()
    return page


def _rule(browser: Browser, url: str) -> Page:
    page = _page(browser, DESK)
    page.goto(f"{url}/rules/doac-in-cancer")
    return page


def _numbers(browser: Browser, url: str) -> Page:
    page = _page(browser, DESK)
    page.goto(f"{url}/feedback")
    return page


def _take(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    page.screenshot(path=FOLDER / f"{name}.png", animations="disabled")
    page.close()


if __name__ == "__main__":
    main()
