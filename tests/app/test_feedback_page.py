"""The page of numbers at /feedback: for staff only, except in a demo; the same numbers as the report."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.settings import Settings
from app.store.notes import Notes, Shown
from hooks import knowledge
from tests.app.hospital import listed
from tests.app.service import call, running

TOKEN = "s" * 40


class Rows(HTMLParser):
    """The text of the cells of all table rows."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.in_cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self.in_cell = self.in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.in_cell:
            self.rows[-1][-1] = " ".join(f"{self.rows[-1][-1]} {data}".split())


def test_a_demo_shows_what_was_shown_and_what_became_of_it(tmp_path: Path) -> None:
    with running(Settings(demo=True, state_dir=tmp_path)) as service:
        assert "Nothing was shown" in service.get("/feedback").text
        card = service.post(call("order-sign")).json()["cards"][0]
        why = {"reason": {"code": "specialist-advice", "system": "http://127.0.0.1:8000/override-reasons"}}
        entry = {"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": "2026-03-10T12:30:00Z"}
        body = {"feedback": [{**entry, "overrideReason": why}]}
        told = service.http.post(f"{service.url}/cds-services/cat-order-sign/feedback", json=body, timeout=10)
        assert told.status_code == 200, told.text
        assert service.ledger.notes.flush()
        answer = service.get("/feedback")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    rule = f"{card['source']['topic']['display']} doac-luminal-gi"
    assert [rule, "demo", "1", "0", "0", "0", "1", "On specialist advice 1"] in Rows(answer.text).rows
    weeks = [row for row in Rows(answer.text).rows if re.fullmatch(r"\d{4}-\d\d-\d\d", row[0])]
    assert ["2026-03-09", rule, "demo", "0", "0", "0", "0", "1", "On specialist advice 1"] in weeks


def drawn(page: str) -> dict[str, str]:
    """What the pictures say of themselves, by their names."""
    return dict(re.findall(r"<title id=[^>]*>(.*?)</title>\s*<desc [^>]*>(.*?)</desc>", page))


def test_every_rule_is_drawn_week_by_week_with_its_silent_cards(tmp_path: Path) -> None:
    moment = datetime(2026, 3, 10, 12, tzinfo=UTC)
    with running(Settings(demo=True, state_dir=tmp_path), now=moment.timestamp) as service:
        database = service.ledger.database
        write = Notes(database, now=moment.timestamp, keep_days=730)

        def shown(rule: int, fate: str, client: str, weeks_ago: int) -> Shown:
            day = moment.date() - timedelta(weeks=weeks_ago)
            return Shown(client=client, rule=rule, profile=1, indicator="warning", fate=fate, day=day)

        write([shown(5, "silent", "north", 2)] * 3 + [shown(5, "shown", "north", 0), shown(1, "shown", "south", 0)])
        page = service.get("/feedback").text
        of_one = service.get("/feedback?client=north").text
    names = [f"{rule.display}, week by week" for rule in knowledge.load().rules if rule.number in (1, 5)]
    assert sorted(drawn(page)) == sorted(names)
    assert "3 weeks, from that of 2026-02-23" in drawn(page)[names[1]]
    assert "Silent: 3, most in the week of 2026-02-23 (3)." in drawn(page)[names[1]]
    assert list(drawn(of_one)) == names[1:]
    for one in (page, of_one):
        assert one.count('role="img"') == len(drawn(one))
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=", one)


def test_a_part_may_be_asked_for_and_text_that_came_is_harmless(tmp_path: Path) -> None:
    with running(Settings(demo=True, state_dir=tmp_path)) as service:
        service.post(call("order-sign"))
        assert service.ledger.notes.flush()
        assert "doac-luminal-gi" in service.get("/feedback?client=demo&since=2020-01-01").text
        nobody = service.get("/feedback", params={"client": "<script>x</script>"}).text
        assert "doac-luminal-gi" not in nobody
        assert "<script>" not in nobody
        wrong = service.get("/feedback?since=yesterday")
        assert (wrong.status_code, wrong.json()["issue"][0]["expression"]) == (400, ["since"])


def test_without_a_staff_token_nothing_is_there(tmp_path: Path) -> None:
    with running(listed(tmp_path)) as service:
        assert service.get("/feedback").status_code == 404
        assert service.get("/feedback", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 404


def test_with_one_it_opens_for_staff_only(tmp_path: Path) -> None:
    with running(listed(tmp_path, staff_token=TOKEN)) as service:

        def status(header: str) -> int:
            return service.get("/feedback", headers={"Authorization": header}).status_code

        assert service.get("/feedback").status_code == 401
        for wrong in (f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer", "Bearer é", f"Digest {TOKEN}"):
            assert status(wrong) == 401
        assert status(f"Bearer {TOKEN}") == 200


@pytest.mark.parametrize("address", ["/feedback"])
def test_a_store_that_is_down_is_told(tmp_path: Path, address: str) -> None:
    with running(Settings(demo=True, state_dir=tmp_path)) as service:
        service.ledger.database.surely(lambda c: c.execute(sa.text("DROP TABLE shown")))
        answer = service.get(address)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
