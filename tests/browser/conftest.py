"""A real Chromium, one for all browser tests, and pages in it that tell when something goes wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.app.service import Service, running
from tests.browser.chromium import ARGUMENTS, chromium
from tests.browser.ehr import unhurried

PATIENCE_MS = 60_000
"""How long a page may take for what a test waits for, by ``expect`` or otherwise: a busy machine is no fault."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in which no script fails and no rule of the Content-Security-Policy is broken."""
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            complaints.append(message.text)

    with browser.new_context(viewport={"width": 1440, "height": 1000}) as context:
        opened = context.new_page()
        opened.set_default_timeout(PATIENCE_MS)
        opened.on("console", listen)
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        yield opened
    assert complaints == []


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(unhurried()) as started:
        yield started
