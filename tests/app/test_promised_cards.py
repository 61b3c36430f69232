"""fixtures/patients.toml promises the cards of every patient; the service keeps it from the FHIR server alone."""

import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings
from tests.app.service import Service, running

Json = dict[str, Any]
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
INDEX = tomllib.loads((FIXTURES / "patients.toml").read_text(encoding="utf-8"))
PROMISES = [
    pytest.param(patient, hook, frozenset(codes), id=f"{patient['id']}, {hook}")
    for patient in INDEX["patients"]
    for hook, codes in patient["expect"].items()
]
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
UCUM = "http://unitsofmeasure.org"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(Settings(demo=True, fixtures=FIXTURES / "ehr")) as one:
        yield one


def draft(order: Json, patient_id: str) -> Json:
    unit = "[iU]" if order["unit"] == "IU" else order["unit"]
    amount = {"value": order["dose"], "unit": order["unit"], "system": UCUM, "code": unit}
    repeat = {"frequency": order["times_per_day"], "period": 1, "periodUnit": "d"}
    resource: Json = {
        "resourceType": "MedicationRequest",
        "id": "draft-1",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": f"Patient/{patient_id}"},
        "medicationCodeableConcept": {
            "coding": [{"system": RXNORM, "code": order["rxnorm"], "display": order["display"]}],
            "text": order["display"],
        },
        "dosageInstruction": [{"timing": {"repeat": repeat}, "doseAndRate": [{"doseQuantity": amount}]}],
    }
    if "reason_icd10" in order:
        resource["reasonCode"] = [{"coding": [{"system": ICD, "code": order["reason_icd10"]}]}]
    return resource


def call(patient: Json, hook: str, fhir: str) -> Json:
    context: Json = {"userId": "Practitioner/dr-1", "patientId": patient["id"]}
    if hook != "patient-view":
        order = draft(patient["order"], patient["id"])
        context["draftOrders"] = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": order}]}
        if hook == "order-select":
            context["selections"] = ["MedicationRequest/draft-1"]
    return {
        "hook": hook,
        "hookInstance": "6f2b8d0e-3c1a-4e55-9d6b-2a7f0c9e41b7",
        "context": context,
        "fhirServer": fhir,
    }


def test_the_anchor_is_a_day() -> None:
    assert isinstance(INDEX["anchor"], date)
    assert len(PROMISES) > 50


@pytest.mark.parametrize(("patient", "hook", "codes"), PROMISES)
def test_the_patient_gets_the_promised_rules(service: Service, patient: Json, hook: str, codes: frozenset[str]) -> None:
    answer = service.post(call(patient, hook, f"{service.url}/fhir"))
    assert answer.status_code == 200, answer.text
    cards = answer.json()["cards"]
    assert {code for card in cards for code in card["extension"]["cat-cds"]["rules"]} == codes, [
        (card["summary"], card["detail"]) for card in cards
    ]
