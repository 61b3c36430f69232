"""What a clinician does on the demo page, as short functions, and what the page then holds.

A test reads the page only by what waits: ``expect`` of Playwright, or ``has_drafts`` and ``has_calls`` here.
"""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

from app.settings import Settings


def unhurried(**more: Any) -> Settings:
    """A demo whose calls may take as long as a test waits: a busy machine would answer that it could not read."""
    return Settings(demo=True, budget_ms=30_000, **more)


def open_patient(page: Page, url: str, patient: str, more: str = "") -> None:
    page.goto(f"{url}/ehr/patients/{patient}{more}")
    answered(page, "Chart opened: ")


def answered(page: Page, event: str) -> None:
    """Wait until the event has been answered and the cards are shown."""
    status = page.get_by_role("status")
    expect(status).to_contain_text(event)
    expect(status).not_to_contain_text("asking")


def pick(page: Page, order: str) -> None:
    page.get_by_label("Add an order").select_option(order)
    with page.expect_response("**/ehr/cards"):  # the words of an earlier order may still stand there
        page.get_by_role("button", name="Add", exact=True).click()
    answered(page, "Order picked: ")


def has_drafts(page: Page, *names: str | re.Pattern[str]) -> None:
    """Wait until the draft orders are these and no others, in this order."""
    expect(page.get_by_role("list", name="Draft orders", include_hidden=True).locator("li strong")).to_have_text(names)


def calls(page: Page, words: str | re.Pattern[str]) -> Locator:
    """The lines of the drawer that hold these words, the newest first."""
    return page.locator("#calls > li > details > summary").filter(has_text=words)
