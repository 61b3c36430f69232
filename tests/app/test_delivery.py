"""Which cards are sent: silent mode, and no nagging about what was overridden with a reason and did not change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app import create_app
from app.clients import ClientsError
from app.store.report import Line, lines, totals
from app.store.tables import REPEATS
from tests.app.hospital import bearer, listed
from tests.app.service import APIXABAN, Service, call, observation, record, running, searchset
from tests.app.store.databases import rows

DAY = 86_400
REASON = {"reason": {"code": "specialist-advice", "system": "https://cds.example/override-reasons"}}
DOSED = {
    **APIXABAN,
    "dosageInstruction": [
        {
            "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
            "route": {"coding": [{"system": "http://snomed.info/sct", "code": "26643006"}]},
            "doseAndRate": [
                {"doseQuantity": {"value": 5, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}}
            ],
        }
    ],
}
EDOXABAN = {
    **APIXABAN,
    "medicationCodeableConcept": {
        "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "1599538"}],
        "text": "edoxaban 60 MG Oral Tablet",
    },
}
CHOICE, LEAD_IN = "doac-luminal-gi", "doac-needs-lead-in"


class Clock:
    """Seconds since 1970 that a test moves on; tokens are checked against them too."""

    def __init__(self) -> None:
        import time

        self.ahead = 0.0
        self.real = time.time

    def __call__(self) -> float:
        return self.real() + self.ahead


class Hospital:
    """The service as the client "north" uses it."""

    def __init__(self, service: Service, clock: Clock) -> None:
        self.service = service
        self.clock = clock

    def header(self, path: str) -> dict[str, str]:
        now = int(self.clock())
        return bearer(path, iat=now, exp=now + 60)

    def cards(self, hook: str, order: dict[str, Any] = DOSED, **changes: Any) -> dict[str, dict[str, Any]]:
        """The cards of a call by the code of their rule; what is queued behind the answer is written first."""
        answer = self.service.post(call(hook, order, **changes), headers=self.header(f"/cds-services/cat-{hook}"))
        assert answer.status_code == 200, answer.text
        assert self.service.ledger.notes.flush()
        return {card["source"]["topic"]["code"]: card for card in answer.json()["cards"]}

    def override(self, given: dict[str, Any], hook: str = "order-select", why: Any = REASON, **changes: Any) -> None:
        path = f"/cds-services/cat-{hook}/feedback"
        entry = {"card": given["uuid"], "outcome": "overridden", "outcomeTimestamp": "2026-03-10T12:30:00Z"}
        body = {"feedback": [{**entry, **({"overrideReason": why} if why else {}), **changes}]}
        answer = self.service.http.post(self.service.url + path, json=body, headers=self.header(path), timeout=10)
        assert answer.status_code == 200, answer.text

    def numbers(self) -> dict[str, Line]:
        from hooks import knowledge

        codes = {row.number: row.code for row in knowledge.load().rules}
        return {codes[line.rule]: line for line in totals(lines(self.service.ledger.database))}


@contextmanager
def hospital(folder: Path, entry: str, **settings: Any) -> Iterator[Hospital]:
    clock = Clock()
    with running(listed(folder, entry=entry, **settings), now=clock) as service:
        yield Hospital(service, clock)


@pytest.fixture
def north(tmp_path: Path) -> Iterator[Hospital]:
    """A hospital with repeat-alert control for 30 days."""
    with hospital(tmp_path, "repeat_alerts_days = 30") as one:
        yield one


def changed(**changes: Any) -> dict[str, Any]:
    """The order with another dose, route or timing."""
    dosage = {**DOSED["dosageInstruction"][0], **changes}
    return {**DOSED, "dosageInstruction": [dosage]}


# Repeat-alert control


@pytest.mark.spec("S-19")
def test_signing_does_not_nag_about_what_was_overridden_with_a_reason_on_selecting(north: Hospital) -> None:
    north.override(north.cards("order-select")[CHOICE])
    assert CHOICE not in north.cards("order-sign")
    assert CHOICE not in north.cards("order-select")
    found = north.numbers()[CHOICE]
    assert (found.shown, found.held, found.overridden) == (1, 2, 1)
    assert CHOICE in {told.partition(":")[0] for told in north.service.log[-1].held_rules}
    assert CHOICE not in {told.partition(":")[0] for told in north.service.log[-1].rules}


def test_a_comment_is_a_reason(north: Hospital) -> None:
    north.override(north.cards("order-select")[CHOICE], why={"userComment": "discussed"})
    assert CHOICE not in north.cards("order-sign")


def test_the_same_order_drafted_anew_under_another_id_is_the_same_order(north: Hospital) -> None:
    north.override(north.cards("order-select")[CHOICE])
    assert CHOICE not in north.cards(
        "order-sign", {**DOSED, "id": "d9"}, hookInstance="1" * 8 + "-1111-4111-8111-" + "1" * 12
    )


@pytest.mark.spec("R-7", "S-19")
@pytest.mark.parametrize(
    "order",
    [
        changed(doseAndRate=[{"doseQuantity": {"value": 2.5, "unit": "mg", "code": "mg"}}]),
        changed(timing={"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}),
        changed(
            timing={
                "repeat": {"frequency": 2, "period": 1, "periodUnit": "d", "boundsDuration": {"value": 90, "code": "d"}}
            }
        ),
        changed(route={"coding": [{"system": "http://snomed.info/sct", "code": "34206005"}]}),
        EDOXABAN,
    ],
    ids=["dose", "timing", "length", "route", "drug"],
)
def test_an_order_that_changed_gets_fresh_advice(north: Hospital, order: dict[str, Any]) -> None:
    north.override(north.cards("order-select")[CHOICE])
    assert CHOICE in north.cards("order-sign", order)
    assert CHOICE not in north.cards("order-sign")


@pytest.mark.parametrize(
    "answer",
    [
        {"why": None},
        {"why": None, "outcome": "accepted", "acceptedSuggestions": [{"id": "s"}]},
        {"card": "4e0a3a1e-0000-4000-8000-000000000001"},
    ],
    ids=["no reason", "accepted", "another card"],
)
def test_without_a_reason_the_card_comes_again(north: Hospital, answer: dict[str, Any]) -> None:
    north.override(north.cards("order-select")[CHOICE], **answer)
    assert CHOICE in north.cards("order-sign")


def test_another_patient_gets_the_card(north: Hospital) -> None:
    north.override(north.cards("order-select")[CHOICE])
    body = _about_another(call("order-sign", DOSED))
    answer = north.service.post(body, headers=north.header("/cds-services/cat-order-sign"))
    assert CHOICE in [card["source"]["topic"]["code"] for card in answer.json()["cards"]]


def test_what_was_overridden_comes_again_when_its_time_is_over_and_its_row_is_gone(north: Hospital) -> None:
    north.override(north.cards("order-select")[CHOICE])
    north.clock.ahead = 29 * DAY
    assert CHOICE not in north.cards("order-sign")
    before = _repeats(north)
    north.clock.ahead = 30 * DAY + 60
    assert CHOICE in north.cards("order-sign")
    north.clock.ahead = 60 * DAY + 200
    north.cards("patient-view")
    north.clock.ahead += 100
    north.cards("patient-view")
    assert before > 0
    assert _repeats(north) == 0


def test_a_card_to_which_a_rule_was_added_comes_again(north: Hospital) -> None:
    """Given parenteral treatment the card says one thing; without, it says two, and only one was answered."""
    treated = {**record(), "medications": searchset(_lead_in())}
    before = north.cards("order-select", EDOXABAN, prefetch=treated)[CHOICE]
    assert before["extension"]["cat-cds"]["rules"] == [CHOICE]
    north.override(before)
    assert CHOICE not in north.cards("order-sign", EDOXABAN, prefetch=treated)
    assert north.cards("order-sign", EDOXABAN)[CHOICE]["extension"]["cat-cds"]["rules"] == [CHOICE, LEAD_IN]


@pytest.mark.spec("S-19")
def test_critical_cards_always_return(north: Hospital) -> None:
    bleeding = {**record(), "platelets": searchset(observation("o2", "777-3", 15, "10*3/uL"))}
    cards = north.cards("order-select", prefetch=bleeding)
    critical = {code for code, card in cards.items() if card["indicator"] == "critical"}
    assert critical
    for card in cards.values():
        north.override(card)
    assert set(north.cards("order-sign", prefetch=bleeding)) >= critical


def test_a_card_about_data_always_returns(north: Hospital) -> None:
    lacking = {**record(), "creatinine": searchset()}
    cards = north.cards("order-select", prefetch=lacking)
    assert "data-not-usable" in cards
    for card in cards.values():
        north.override(card)
    assert set(north.cards("order-sign", prefetch=lacking)) == {"data-not-usable"}


def test_opening_a_chart_is_not_under_repeat_alert_control(north: Hospital) -> None:
    for card in north.cards("patient-view").values():
        north.override(card, "patient-view")
    assert north.cards("patient-view")


def test_it_is_off_unless_the_client_wants_it(tmp_path: Path) -> None:
    with hospital(tmp_path, "") as plain:
        plain.override(plain.cards("order-select")[CHOICE])
        assert CHOICE in plain.cards("order-sign")
        assert _repeats(plain) == 0


def test_while_the_store_is_down_the_card_is_shown(north: Hospital) -> None:
    north.override(north.cards("order-select")[CHOICE])
    database = north.service.ledger.database
    database.surely(lambda c: c.execute(sa.text("ALTER TABLE feedback RENAME TO away")))
    assert CHOICE in north.cards("order-sign")
    assert "store-did-not-answer" in north.service.log[-1].warnings


def test_of_the_patient_and_the_order_only_a_keyed_hash_is_kept(north: Hospital) -> None:
    north.cards("order-select")
    kept = rows(north.service.ledger.database)
    assert _repeats(north) > 0
    assert "pt-1" not in kept
    assert "apixaban" not in kept


def test_replicas_share_what_was_overridden(tmp_path: Path) -> None:
    with hospital(tmp_path, "repeat_alerts_days = 30") as one:
        one.override(one.cards("order-select")[CHOICE])
        with running(listed(tmp_path, entry="repeat_alerts_days = 30")) as other:
            assert CHOICE not in Hospital(other, Clock()).cards("order-sign")


def _repeats(north: Hospital) -> int:
    query = sa.select(sa.func.count()).select_from(REPEATS)
    number = north.service.ledger.database.surely(lambda c: c.scalar(query))
    assert number is not None
    return number


def _lead_in() -> dict[str, Any]:
    """Six days of dalteparin, now over."""
    return {
        **APIXABAN,
        "id": "m1",
        "status": "completed",
        "authoredOn": "2026-03-02",
        "medicationCodeableConcept": {"text": "dalteparin 15000 UNT in 0.6 ML Prefilled Syringe"},
        "dosageInstruction": [
            {
                "timing": {
                    "repeat": {
                        "frequency": 1,
                        "period": 1,
                        "periodUnit": "d",
                        "boundsPeriod": {"start": "2026-03-02", "end": "2026-03-09"},
                    }
                },
                "doseAndRate": [
                    {"doseQuantity": {"value": 15000, "system": "http://unitsofmeasure.org", "code": "[iU]"}}
                ],
            }
        ],
    }


def _about_another(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _about_another(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_about_another(one) for one in content]
    return content.replace("pt-1", "pt-2") if isinstance(content, str) else content


# Silent mode


def test_a_silent_client_gets_no_card_and_all_are_counted(tmp_path: Path) -> None:
    with hospital(tmp_path, "silent = true") as quiet:
        assert quiet.cards("order-sign") == {}
        found = quiet.numbers()[CHOICE]
        assert (found.shown, found.silent) == (0, 1)
        log = quiet.service.log[-1]
        assert log.rules == []
        assert CHOICE in {told.partition(":")[0] for told in log.silent_rules}


def test_silent_rules_are_counted_and_what_was_merged_with_them_speaks(tmp_path: Path) -> None:
    with hospital(tmp_path / "loud", "") as loud:
        usual = loud.cards("order-sign", EDOXABAN)[CHOICE]
    assert usual["extension"]["cat-cds"]["rules"] == [CHOICE, LEAD_IN]
    with hospital(tmp_path / "quiet", f'silent_rules = ["{CHOICE}"]') as quiet:
        cards = quiet.cards("order-sign", EDOXABAN)
        assert [code for card in cards.values() for code in card["extension"]["cat-cds"]["rules"]] == [LEAD_IN]
        assert usual["summary"] not in {card["summary"] for card in cards.values()}
        found = quiet.numbers()
    assert (found[CHOICE].silent, found[CHOICE].shown) == (1, 0)
    assert (found[LEAD_IN].silent, found[LEAD_IN].shown) == (0, 1)


def test_silence_about_data_hides_that_card_alone(tmp_path: Path) -> None:
    lacking = {**record(), "creatinine": searchset()}
    with hospital(tmp_path, 'silent_rules = ["data-not-usable"]') as quiet:
        cards = quiet.cards("order-sign", prefetch=lacking)
    assert "data-not-usable" not in cards
    assert CHOICE in cards


def test_a_silent_client_with_silent_rules_is_silent(tmp_path: Path) -> None:
    with hospital(tmp_path, f'silent = true\nsilent_rules = ["{CHOICE}"]') as quiet:
        assert quiet.cards("order-sign") == {}
        assert quiet.numbers()[CHOICE].silent == 1


def test_a_silent_rule_that_does_not_exist_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ClientsError, match="silent_rules: there is no no-such-rule"):
        create_app(listed(tmp_path, entry='silent_rules = ["no-such-rule"]'))
