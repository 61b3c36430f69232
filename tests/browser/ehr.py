"""What a clinician does on the demo page, as short functions."""

from __future__ import annotations

from playwright.sync_api import Page, expect


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
    page.get_by_role("button", name="Add", exact=True).click()
    answered(page, "Order picked: ")


def drafts(page: Page) -> list[str]:
    return page.get_by_role("list", name="Draft orders").locator("li strong").all_inner_texts()


def calls(page: Page) -> list[str]:
    """What the drawer lists, the first call first."""
    return page.locator("#calls > li > details > summary").all_text_contents()[::-1]
