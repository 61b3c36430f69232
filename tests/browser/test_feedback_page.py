"""The page of numbers in a real browser, half a year of them: drawn, said in words, fit for paper and phone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from playwright.sync_api import FloatRect, Page, expect

from app.settings import Settings
from tests.app.service import Service, running
from tests.browser.half_a_year import HABITS, NOW, keep
from tests.browser.test_accessibility import grave_findings

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PICTURES = len(HABITS) + 1


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    state = tmp_path_factory.mktemp("numbers")
    with running(Settings(demo=True, state_dir=Path(state)), now=NOW.timestamp) as started:
        keep(started.ledger.database)
        yield started


def open_numbers(page: Page, service: Service, width: int = 1440) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{service.url}/feedback")
    expect(page.get_by_role("img")).to_have_count(PICTURES)


@pytest.mark.parametrize("width", [320, 390, 1440])
def test_nothing_grave_and_no_sideways_scrolling(page: Page, numbers: Service, width: int) -> None:
    open_numbers(page, numbers, width)
    assert grave_findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_picture_has_a_name_and_says_its_numbers(page: Page, numbers: Service) -> None:
    open_numbers(page, numbers)
    picture = page.get_by_role("img", name="DOAC with luminal gastrointestinal cancer, week by week")
    expect(picture).to_be_visible()
    expect(picture.locator("desc")).to_contain_text("26 weeks, from that of 2025-09-15 to that of 2026-03-09. Shown: ")


def test_silent_and_loud_bars_differ_by_more_than_colour(page: Page, numbers: Service) -> None:
    open_numbers(page, numbers)
    picture = page.get_by_role("img").nth(1)

    def paint(series: str) -> str:
        bar = picture.locator(f"rect.{series}").first
        expect(bar).to_be_visible()
        return str(bar.evaluate("(bar) => getComputedStyle(bar).fill"))

    assert paint("shown").startswith("rgb(")
    assert paint("accepted").startswith("rgb(")
    assert {paint(name) for name in ("silent", "held", "overridden")} == {
        'url("#silent")',
        'url("#held")',
        'url("#overridden")',
    }
    zero = box(page, "path.zero")
    assert box(page, "rect.shown")["y"] < zero["y"]
    assert box(page, "rect.accepted")["y"] >= zero["y"] - 1


def box(page: Page, part: str) -> FloatRect:
    """Where the first such part of the second picture is on the screen."""
    found = page.get_by_role("img").nth(1).locator(part).first.bounding_box()
    assert found is not None
    return found


@pytest.mark.parametrize("width", [320, 1440])
def test_no_label_of_a_picture_runs_into_another_or_out_of_it(page: Page, numbers: Service, width: int) -> None:
    open_numbers(page, numbers, width)
    for picture in page.get_by_role("img").all():
        frame = picture.bounding_box()
        assert frame is not None
        boxes = [found for label in picture.locator("text").all() if (found := label.bounding_box())]
        assert len(boxes) == 6
        assert all(frame["x"] <= one["x"] and right(one) <= right(frame) for one in boxes)
        assert [pair for pair in combinations(boxes, 2) if overlap(*pair)] == []


def right(one: FloatRect) -> float:
    return one["x"] + one["width"]


def overlap(one: FloatRect, other: FloatRect) -> bool:
    beside = right(one) <= other["x"] or right(other) <= one["x"]
    return not beside and abs(one["y"] - other["y"]) < min(one["height"], other["height"]) * 0.75


def test_a_client_is_chosen_by_its_name_and_all_are_a_click_away(page: Page, numbers: Service) -> None:
    open_numbers(page, numbers)
    page.get_by_role("link", name="city-hospital").first.click()
    expect(page.get_by_text("Only client city-hospital")).to_be_visible()
    expect(page.get_by_role("img")).to_have_count(PICTURES)
    page.get_by_role("link", name="All", exact=True).click()
    expect(page.get_by_text("all clients taken together")).to_be_visible()


def test_on_paper_no_picture_is_torn_apart(page: Page, numbers: Service) -> None:
    open_numbers(page, numbers)
    page.emulate_media(media="print")
    expect(page.get_by_role("navigation")).to_be_hidden()
    for section in page.locator(".course").all():
        expect(section).to_have_css("break-inside", "avoid")
