"""Spoilt requests and records over a real socket: a proper answer or a proper refusal, no failure and no silence."""

from __future__ import annotations

import http.client
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.demo.drafts import draft, wish
from app.settings import Settings
from tests.app.service import APIXABAN, CT, TODAY, Service, call, running, searchset
from tests.cds_hooks_validator import operation_outcome_faults, service_response_faults
from tests.fake_ehr import Reply, serving
from tests.fuzz.effort import Tried, seeds
from tests.fuzz.spoiling import spoilt, written

Json = dict[str, Any]
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "ehr"
PATIENTS = [path.stem for path in sorted(FIXTURES.glob("*.json"))][::4]
REFUSED = {400, 412}
KINDS = {
    "patient": "Patient",
    "conditions": "Condition",
    "medications": "MedicationRequest",
    "procedures": "Procedure",
    "allergies": "AllergyIntolerance",
}
PARTS = 4
"""Parts of the work that may run side by side."""
Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(Settings(demo=True, fixtures=FIXTURES)) as one:
        yield one


@pytest.fixture(scope="module")
def bodies(service: Service) -> list[Json]:
    """Requests that are right: a plain one of each hook, and demo patients of many kinds."""
    offered = {row["hook"]: row["prefetch"] for row in service.get("/cds-services").json()["services"]}
    reader = service.app.test_client()
    access = {"access_token": "t", "token_type": "Bearer", "scope": "patient/*.rs", "subject": "us", "expires_in": 60}
    found = [call(hook, APIXABAN, CT, fhirAuthorization=access, fhirServer=f"{service.url}/fhir") for hook in offered]
    for patient in PATIENTS:
        for hook, orders in (("patient-view", ()), ("order-sign", ("dalteparin:5000", "warfarin"))):
            prefetch = {
                key: reader.get(f"/fhir/{text.replace('{{context.patientId}}', patient)}").get_json(force=True)
                for key, text in offered[hook].items()
            }
            user = "Practitioner/dr-1"
            drafts = [
                draft(wish(one), draft_id=f"d{at}", patient_id=patient, user_id=user, day=TODAY)
                for at, one in enumerate(orders)
            ]
            body = call(hook, *drafts, prefetch=prefetch)
            found.append({**body, "context": {**body["context"], "patientId": patient}})
    return found


class Wire:
    """Sends bytes to an address of the service and waits for ten seconds at most."""

    def __init__(self, service: Service) -> None:
        self.port = int(service.url.rpartition(":")[2])

    def post(self, path: str, body: bytes, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def faults(status: int, answer: bytes, body: Json) -> list[str]:
    """What is wrong with an answer to a spoilt request."""
    content = json.loads(answer)
    if status in REFUSED:
        return operation_outcome_faults(content)
    if status != 200:
        return [f"status {status}"]
    context = body.get("context")
    bundle = context.get("draftOrders") if isinstance(context, dict) else None
    entries = bundle.get("entry") if isinstance(bundle, dict) else None
    resources = [
        one["resource"] for one in entries or () if isinstance(one, dict) and isinstance(one.get("resource"), dict)
    ]
    drafts = {f"{one.get('resourceType')}/{one.get('id')}" for one in resources}
    named = context.get("patientId") if isinstance(context, dict) else None
    return service_response_faults(content, draft_orders=drafts, patient_id=str(named).removeprefix("Patient/"))


@pytest.mark.parametrize("part", range(PARTS))
def test_a_spoilt_request_gets_a_proper_answer(
    service: Service, bodies: list[Json], part: int, record_property: Record
) -> None:
    tried, wire = Tried(), Wire(service)
    for seed in seeds(350, 0.2):
        chance = random.Random(f"{part}-{seed}")
        body = spoilt(chance.choice(bodies), chance)
        sent = written(body, chance)
        path = f"/cds-services/{chance.choice(('cat-patient-view', 'cat-order-select', 'cat-order-sign'))}"
        if isinstance(body.get("hook"), str) and body["hook"].isascii() and body["hook"].replace("-", "").isalpha():
            path = f"/cds-services/cat-{body['hook']}"
        status, answer = wire.post(path, sent)
        tried.count(status)
        if status == 404 and body.get("hook") not in ("patient-view", "order-select", "order-sign"):
            continue
        assert faults(status, answer, body) == [], f"part {part}, seed {seed}: {answer[:300]!r}"
    record_property("fuzz", dict(tried.statuses))


def test_spoilt_feedback_gets_a_proper_answer(service: Service, record_property: Record) -> None:
    card = service.post(call("order-sign")).json()["cards"][0]
    at = "2026-03-10T12:30:00Z"
    reason = {"reason": {"code": "x", "system": "http://x.example"}, "userComment": "words"}
    suggestion = {"id": card.get("suggestions", [{"uuid": "s"}])[0]["uuid"]}
    right = {
        "feedback": [
            {"card": card["uuid"], "outcome": "accepted", "acceptedSuggestions": [suggestion], "outcomeTimestamp": at},
            {"card": card["uuid"], "outcome": "overridden", "overrideReason": reason, "outcomeTimestamp": at},
        ]
    }
    tried, wire = Tried(), Wire(service)
    for seed in seeds(400, 0.1):
        chance = random.Random(f"feedback-{seed}")
        sent = written(spoilt(right, chance), chance)
        status, answer = wire.post("/cds-services/cat-order-sign/feedback", sent)
        tried.count(status)
        assert status in (200, 400, 413), f"seed {seed}: {status} {answer[:300]!r}"
        assert (answer == b"") if status == 200 else operation_outcome_faults(json.loads(answer)) == []
    record_property("fuzz", dict(tried.statuses))


def test_a_long_record_is_answered(service: Service, record_property: Record) -> None:
    """Close to the limit of ten megabytes, in every kind of record."""
    tried, wire = Tried(), Wire(service)
    right = call("order-sign")
    for key, value in right["prefetch"].items():
        one = value["entry"][0]["resource"] if isinstance(value, dict) and value.get("entry") else None
        if one is None:
            continue
        size = len(json.dumps(one))
        many = [{**one, "id": f"m{at}"} for at in range(8_000_000 // (size + 60))]
        status, answer = wire.post(
            "/cds-services/cat-order-sign",
            json.dumps(right | {"prefetch": right["prefetch"] | {key: searchset(*many)}}).encode(),
        )
        tried.count(status)
        assert faults(status, answer, right) == [], key
    record_property("fuzz", dict(tried.statuses))
    assert tried.statuses.total() >= 4


def test_a_fhir_server_that_answers_spoilt_gets_a_proper_answer_too(
    service: Service, bodies: list[Json], record_property: Record
) -> None:
    tried, wire = Tried(), Wire(service)
    with serving() as ehr:
        for seed in seeds(60, 0.1):
            chance = random.Random(f"server-{seed}")
            right = chance.choice(bodies)
            held = {KINDS.get(key, "Observation"): value for key, value in right["prefetch"].items() if value}
            for kind, value in held.items():
                reply = Reply(written(spoilt(value, chance), chance))
                ehr.on(kind, lambda _asked, reply=reply: reply)
            body = {**right, "prefetch": {}, "fhirServer": ehr.base}
            body.pop("fhirAuthorization", None)
            status, answer = wire.post(f"/cds-services/cat-{body['hook']}", json.dumps(body).encode())
            tried.count(status)
            assert faults(status, answer, body) == [], f"seed {seed}: {answer[:300]!r}"
        assert ehr.asked
    record_property("fuzz", dict(tried.statuses))
