"""Every demo patient through every hook: answers that obey the specification, say the same twice and both ways."""

import csv
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from app.demo.drafts import draft, wish
from app.identity import rule_of
from app.settings import DEMO_CARD_KEY, Settings
from hooks.tables import DATA
from tests.app.service import TODAY, Service, running
from tests.cds_hooks_validator import service_response_faults

Json = dict[str, Any]

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "ehr"
PATIENTS = sorted(path.stem for path in FIXTURES.glob("*.json"))
HAS_A_MEDICATION_REFERENCE = "sarcoma-day-170"
INSTANCE = "6f2b8d0e-3c1a-4e55-9d6b-2a7f0c9e41b7"
CALLS = (
    ("patient-view", ()),
    ("order-select", ("apixaban",)),
    ("order-sign", ("dalteparin:5000", "warfarin")),
)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(Settings(demo=True, fixtures=FIXTURES, budget_ms=10_000)) as one:
        yield one


@pytest.fixture(scope="module")
def templates(service: Service) -> dict[str, dict[str, str]]:
    return {row["hook"]: row["prefetch"] for row in service.get("/cds-services").json()["services"]}


@cache
def numbers() -> dict[str, int]:
    with (DATA / "rules.csv").open(encoding="utf-8", newline="") as table:
        return {row["code"]: int(row["number"]) for row in csv.DictReader(table)}


def body(hook: str, orders: tuple[str, ...], patient: str) -> Json:
    user = "Practitioner/dr-1"
    context: Json = {"userId": user, "patientId": patient}
    drafts = [
        draft(wish(order), draft_id=f"draft-{at}", patient_id=patient, user_id=user, day=TODAY)
        for at, order in enumerate(orders)
    ]
    if drafts:
        entries = [{"resource": resource} for resource in drafts]
        context["draftOrders"] = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    if hook == "order-select":
        context["selections"] = [f"MedicationRequest/{resource['id']}" for resource in drafts]
    return {"hook": hook, "hookInstance": INSTANCE, "context": context}


def prefetched(service: Service, templates: dict[str, str], patient: str) -> Json:
    reader = service.app.test_client()
    return {
        key: reader.get(f"/fhir/{text.replace('{{context.patientId}}', patient)}").get_json(force=True)
        for key, text in templates.items()
    }


def asked(service: Service, call: Json) -> Json:
    answer = service.app.test_client().post(f"/cds-services/cat-{call['hook']}", json=call)
    assert answer.status_code == 200, answer.text
    return dict(answer.get_json())


def test_there_are_patients() -> None:
    assert len(PATIENTS) > 20


@pytest.mark.spec("J-3", "J-5", "J-6", "J-7", "X-4", "C-12")
@pytest.mark.parametrize("patient", PATIENTS)
def test_answers_obey_the_specification_and_repeat(
    patient: str, service: Service, templates: dict[str, dict[str, str]]
) -> None:
    record = prefetched(service, templates["order-select"], patient)
    for hook, orders in CALLS:
        call = body(hook, orders, patient) | {"prefetch": record}
        answer = asked(service, call)
        drafts = [f"MedicationRequest/draft-{at}" for at in range(len(orders))]
        assert service_response_faults(answer, draft_orders=drafts, patient_id=patient) == []
        assert asked(service, call) == answer
        for card in answer["cards"]:
            for uuid in (card["uuid"], *(one["uuid"] for one in card.get("suggestions", ()))):
                identity = rule_of(uuid, key=DEMO_CARD_KEY.encode())
                assert identity is not None
                assert identity.rule_number == numbers()[card["source"]["topic"]["code"]]


@pytest.mark.spec("PF-11")
@pytest.mark.parametrize("patient", sorted({*PATIENTS[::6], HAS_A_MEDICATION_REFERENCE}))
def test_prefetch_and_the_fhir_server_give_equal_cards(
    patient: str, service: Service, templates: dict[str, dict[str, str]]
) -> None:
    call = body("order-select", ("apixaban",), patient) | {"fhirServer": f"{service.url}/fhir"}
    sent = call | {"prefetch": prefetched(service, templates["order-select"], patient)}
    assert asked(service, sent) == asked(service, call)
