"""Feedback over a real socket: stored before the answer, matched to our rules on any replica, and never a patient's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
import structlog

from app import audit
from app.routes.feedback import LONGEST_BODY
from app.settings import Settings
from app.store.report import Line, lines, totals
from app.store.tables import COMMENTS, FEEDBACK
from tests.app.hospital import bearer, listed
from tests.app.service import PERSON, Service, call, record, running
from tests.app.store.databases import empty_database, opened, rows
from tests.cds_hooks_validator import operation_outcome_faults

pytestmark = pytest.mark.xdist_group("postgresql")

SIGN = "cat-order-sign"
REASON = {"code": "specialist-advice", "system": "http://127.0.0.1:8000/override-reasons"}
STRANGER = "4e0a3a1e-0000-4000-8000-000000000001"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running(Settings(demo=True, state_dir=tmp_path)) as one:
        yield one


def card_of(service: Service, **more: Any) -> dict[str, Any]:
    """The first card about apixaban being signed."""
    card: dict[str, Any] = service.post(call("order-sign"), **more).json()["cards"][0]
    return card


def accepted(card: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "card": card["uuid"],
        "outcome": "accepted",
        "acceptedSuggestions": [{"id": card["suggestions"][0]["uuid"]}] if card.get("suggestions") else [{"id": "s"}],
        "outcomeTimestamp": "2026-03-10T12:30:00Z",
        **changes,
    }


def overridden(uuid: str, **changes: Any) -> dict[str, Any]:
    return {"card": uuid, "outcome": "overridden", "outcomeTimestamp": "2026-03-10T12:30:00Z", **changes}


def tell(service: Service, *entries: object, at: str = SIGN, **more: Any) -> requests.Response:
    address = f"{service.url}/cds-services/{at}/feedback"
    return service.http.post(address, json={"feedback": list(entries)}, timeout=10, **more)


def numbers(service: Service) -> dict[str, Line]:
    """The numbers of the store by rule code."""
    assert service.ledger.notes.flush()
    codes = {row.number: row.code for row in _knowledge().rules} | {0: "unmatched"}
    return {codes[line.rule]: line for line in totals(lines(service.ledger.database))}


def _knowledge() -> Any:
    from hooks import knowledge

    return knowledge.load()


def stored(service: Service) -> int:
    query = sa.select(sa.func.count()).select_from(FEEDBACK)
    number = service.ledger.database.surely(lambda c: c.scalar(query))
    assert number is not None
    return number


def refusal(answer: requests.Response) -> tuple[int, list[str]]:
    assert answer.headers["Content-Type"] == "application/fhir+json"
    assert operation_outcome_faults(answer.json()) == []
    return answer.status_code, answer.json()["issue"][0].get("expression", [])


# What is taken


@pytest.mark.spec("F-4", "F-10")
def test_an_acceptance_is_answered_with_200_and_nothing_and_counts_for_its_rule(service: Service) -> None:
    card = card_of(service)
    answer = tell(service, accepted(card))
    assert (answer.status_code, answer.content) == (200, b"")
    found = numbers(service)[card["source"]["topic"]["code"]]
    assert (found.client, found.shown, found.accepted, found.overridden) == ("demo", 1, 1, 0)
    assert service.log[-1].feedback == {"accepted": 1}
    assert (service.log[-1].service, service.log[-1].status, service.log[-1].client) == (SIGN, 200, "demo")


@pytest.mark.spec("F-5")
def test_an_override_is_kept_with_its_reason(service: Service) -> None:
    card = card_of(service)
    assert tell(service, overridden(card["uuid"], overrideReason={"reason": REASON})).status_code == 200
    found = numbers(service)[card["source"]["topic"]["code"]]
    assert dict(found.reasons) == {(REASON["system"], REASON["code"]): 1}


@pytest.mark.spec("F-1")
@pytest.mark.parametrize("hook", ["patient-view", "order-select", "order-sign"])
def test_every_service_takes_feedback(service: Service, hook: str) -> None:
    assert tell(service, overridden(STRANGER), at=f"cat-{hook}").status_code == 200


@pytest.mark.spec("F-7")
def test_the_same_feedback_again_is_taken_and_is_one(service: Service) -> None:
    entry = accepted(card_of(service))
    assert {tell(service, entry, entry).status_code for _ in range(3)} == {200}
    assert stored(service) == 1


@pytest.mark.spec("F-7")
def test_a_card_may_be_answered_again_later_and_otherwise(service: Service) -> None:
    card = card_of(service)
    tell(service, overridden(card["uuid"]))
    tell(service, accepted(card, outcomeTimestamp="2026-03-10T13:00:00+00:30"), overridden(card["uuid"]))
    assert stored(service) == 2


@pytest.mark.spec("F-10")
@pytest.mark.parametrize("uuid", [STRANGER, "no uuid at all", "Mrs Canary, born 1958"])
def test_an_unknown_card_is_taken_counted_and_its_name_not_kept(service: Service, uuid: str) -> None:
    assert tell(service, overridden(uuid), overridden(uuid)).status_code == 200
    assert numbers(service)["unmatched"].overridden == 1
    assert uuid not in rows(service.ledger.database)
    assert service.log[-1].feedback == {"unmatched": 2}


def test_the_id_of_a_suggestion_is_no_card(service: Service) -> None:
    card = card_of(service)
    tell(service, overridden(card["suggestions"][0]["uuid"]))
    assert numbers(service)["unmatched"].overridden == 1


def test_ids_in_capitals_are_ours_too(service: Service) -> None:
    card = card_of(service)
    tell(service, overridden(card["uuid"].upper()))
    assert numbers(service)[card["source"]["topic"]["code"]].overridden == 1


@pytest.mark.spec("F-6")
def test_codes_of_the_client_are_taken_and_free_text_in_their_place_is_not_kept(service: Service) -> None:
    uuid = card_of(service)["uuid"]
    own = {"code": "d7ecf885", "system": "https://ehr.example/why"}
    tell(service, overridden(uuid, overrideReason={"reason": own}))
    for number, code in enumerate(("Mrs Canary refuses", "x" * 65, "canary@example.org")):
        when = f"2026-03-10T12:30:0{number}Z"
        entry = overridden(uuid, outcomeTimestamp=when, overrideReason={"reason": {**own, "code": code}})
        assert tell(service, entry).status_code == 200
    [line] = [line for line in numbers(service).values() if line.overridden]
    assert dict(line.reasons) == {("https://ehr.example/why", "d7ecf885"): 1, ("", "other"): 3}
    assert "anary" not in rows(service.ledger.database)


# What is refused


@pytest.mark.spec("F-10")
def test_one_wrong_entry_refuses_all_and_nothing_is_stored(service: Service) -> None:
    card = card_of(service)
    answer = tell(service, accepted(card), accepted(card, outcome="ignored"), accepted(card, acceptedSuggestions=[]))
    assert refusal(answer) == (400, ["feedback[1].outcome", "feedback[2].acceptedSuggestions"])
    assert stored(service) == 0
    assert service.log[-1].status == 400


def test_an_unknown_service_a_wrong_method_a_wrong_type_and_a_long_body_are_refused(service: Service) -> None:
    assert refusal(tell(service, overridden(STRANGER), at="nothing"))[0] == 404
    address = f"{service.url}/cds-services/{SIGN}/feedback"
    assert refusal(service.http.get(address, timeout=10))[0] == 405
    assert refusal(service.http.post(address, data="x", headers={"Content-Type": "text/plain"}, timeout=10))[0] == 415
    assert refusal(service.http.post(address, json=None, timeout=10))[0] == 400
    assert refusal(tell(service, overridden("x" * LONGEST_BODY)))[0] == 413
    assert stored(service) == 0


def test_a_store_that_is_down_is_told_with_when_to_come_back(service: Service) -> None:
    card = card_of(service)
    service.ledger.database.surely(lambda c: c.execute(sa.text("ALTER TABLE feedback RENAME TO away")))
    answer = tell(service, accepted(card))
    assert refusal(answer) == (503, [])
    assert int(answer.headers["Retry-After"]) > 0
    service.ledger.database.surely(lambda c: c.execute(sa.text("ALTER TABLE away RENAME TO feedback")))
    assert tell(service, accepted(card)).status_code == 200
    assert stored(service) == 1


@pytest.mark.spec("S-16")
def test_a_browser_may_ask_and_tell(service: Service) -> None:
    address = f"{service.url}/cds-services/{SIGN}/feedback"
    asked = {"Origin": "https://sandbox.cds-hooks.org", "Access-Control-Request-Method": "POST"}
    answer = service.http.options(address, headers=asked, timeout=10)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "https://sandbox.cds-hooks.org"


# Who may tell


@pytest.mark.spec("F-9", "S-2", "S-5", "S-12", "A-5")
def test_feedback_needs_the_same_proof_of_who_calls(tmp_path: Path) -> None:
    with running(listed(tmp_path, entry='services = ["cat-order-sign"]')) as service:
        path = f"/cds-services/{SIGN}"
        assert tell(service, overridden(STRANGER)).status_code == 401
        assert tell(service, overridden(STRANGER), headers=bearer(f"{path}/feedback")).status_code == 200
        assert tell(service, overridden(STRANGER), headers=bearer(path)).status_code == 200
        for elsewhere in ("/cds-services", "/cds-services/cat-order-select/feedback", f"{path}/feedback/x"):
            assert tell(service, overridden(STRANGER), headers=bearer(elsewhere)).status_code == 401
        used = bearer(f"{path}/feedback")
        assert tell(service, overridden(STRANGER), headers=used).status_code == 200
        assert tell(service, overridden(STRANGER), headers=used).status_code == 401
        other = "cat-order-select"
        headers = bearer(f"/cds-services/{other}/feedback")
        assert tell(service, overridden(STRANGER), at=other, headers=headers).status_code == 403


def test_a_stranger_is_refused_before_the_body_is_looked_at(tmp_path: Path) -> None:
    with running(listed(tmp_path)) as service:
        address = f"{service.url}/cds-services/{SIGN}/feedback"
        assert service.http.post(address, data=b"{", timeout=10).status_code == 401


# Replicas, restarts


def test_a_card_is_known_after_a_restart_and_on_another_replica(tmp_path: Path) -> None:
    settings = Settings(demo=True, state_dir=tmp_path)
    with running(settings) as first:
        card = card_of(first)
        assert tell(first, overridden(card["uuid"])).status_code == 200
    with running(settings) as second, running(settings) as third:
        assert tell(third, overridden(card["uuid"])).status_code == 200  # told already
        assert tell(second, accepted(card)).status_code == 200
        found = numbers(third)[card["source"]["topic"]["code"]]
    assert (found.shown, found.accepted, found.overridden) == (1, 1, 1)


def test_replicas_with_another_key_do_not_know_the_card(tmp_path: Path) -> None:
    with running(Settings(demo=True, state_dir=tmp_path)) as one:
        card = card_of(one)
    with running(Settings(demo=True, state_dir=tmp_path, card_key="x" * 32)) as other:
        tell(other, accepted(card))
        assert numbers(other)["unmatched"].accepted == 1


@pytest.mark.spec("S-12")
def test_on_postgresql_a_restart_in_the_middle_loses_nothing_that_was_answered_with_200(
    tmp_path: Path, postgres_server: Any
) -> None:
    url = empty_database(postgres_server)
    with opened(url) as database:
        database.upgrade()
    settings = listed(tmp_path, database_url=url, entry="repeat_alerts_days = 30")
    path = f"/cds-services/{SIGN}"
    with running(settings) as one, running(settings) as two:
        used = bearer(path)
        card = card_of(one, headers=used)
        assert tell(one, overridden(card["uuid"]), headers=bearer(path)).status_code == 200
        assert two.post(call("order-sign"), headers=used).status_code == 401
        postgres_server.stop()
        assert one.post(call("order-sign"), headers=bearer(path)).status_code == 503
        assert tell(one, accepted(card), headers=bearer(path)).status_code == 503
        assert "store: no answer" in one.get("/health/ready").json()["warnings"]
        postgres_server.start()
        assert two.post(call("order-sign"), headers=used).status_code == 401
        assert tell(two, accepted(card), headers=bearer(path)).status_code == 200
        assert "store: no answer" not in two.get("/health/ready").json().get("warnings", [])
        found = numbers(one)[card["source"]["topic"]["code"]]
    assert (found.client, found.shown, found.accepted, found.overridden) == ("north", 1, 1, 1)


# Nothing of a patient


CANARIES = {
    "name": "Canaria",
    "id": "canary-patient",
    "comment": "canary-comment",
    "user": "canary-user",
    "fhir": "canary-fhir-token",
}


@pytest.mark.spec("F-11", "S-14", "S-18")
@pytest.mark.parametrize("keeps_comments", [False, True])
def test_no_name_id_token_or_comment_is_in_the_store_or_the_log(
    tmp_path: Path, keeps_comments: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    audit.configure("debug")
    settings = listed(tmp_path, entry="repeat_alerts_days = 30", store_comments=keeps_comments)
    path = f"/cds-services/{SIGN}"
    person = {**PERSON, "id": CANARIES["id"], "name": [{"family": CANARIES["name"]}]}
    told = record() | {"patient": person}
    body = call("order-sign", prefetch=_about(told, CANARIES["id"]))
    body = _about(body, CANARIES["id"])
    body["context"] |= {"userId": f"Practitioner/{CANARIES['user']}", "patientId": CANARIES["id"]}
    try:
        with running(settings, write=audit.write) as service:
            headers = bearer(path)
            answer = service.post(body, headers=headers)
            card = answer.json()["cards"][0]
            why = {"reason": REASON, "userComment": f"{CANARIES['comment']} of {CANARIES['name']}"}
            entry = overridden(card["uuid"], overrideReason=why)
            second = bearer(path)
            assert tell(service, entry, headers=second).status_code == 200
            assert tell(service, {**entry, "outcome": CANARIES["comment"]}, headers=bearer(path)).status_code == 400
            assert service.ledger.notes.flush()
            kept = rows(service.ledger.database)
            comments = service.ledger.database.surely(lambda c: list(c.scalars(sa.select(COMMENTS.c.words))))
    finally:
        structlog.reset_defaults()
    assert comments == ([why["userComment"]] if keeps_comments else [])
    kept = kept.replace(why["userComment"], "") if keeps_comments else kept
    shown = capfd.readouterr()
    tokens = [one["Authorization"].split()[1] for one in (headers, second)]
    assert card["uuid"] in kept
    for canary in [*CANARIES.values(), *tokens, *(token.split(".")[2] for token in tokens)]:
        assert canary not in kept
        assert canary not in shown.err + shown.out
    files = b"".join(file.read_bytes() for file in tmp_path.glob("cat-cds.db*"))
    if not keeps_comments:
        assert not re.search(rb"canar", files, re.IGNORECASE)


def _about(content: Any, patient_id: str) -> Any:
    """The same JSON about another patient."""
    if isinstance(content, dict):
        return {name: _about(value, patient_id) for name, value in content.items()}
    if isinstance(content, list):
        return [_about(one, patient_id) for one in content]
    return f"Patient/{patient_id}" if content == "Patient/pt-1" else content
