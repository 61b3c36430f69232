"""Orders by name become drafts as an EHR would write them."""

import csv
from datetime import date
from typing import Any

import pytest
from fhir.resources.R4B.medicationrequest import MedicationRequest

from app.demo.drafts import USUAL_ORDERS, OrderError, draft, wish

with USUAL_ORDERS.open(encoding="utf-8", newline="") as table:
    DRUGS = [row["drug"] for row in csv.DictReader(table)]


def written(text: str) -> dict[str, Any]:
    return draft(wish(text), draft_id="d1", patient_id="p1", user_id="Practitioner/1", day=date(2026, 3, 2))


@pytest.mark.parametrize(
    ("text", "shown", "product"),
    [
        ("apixaban", "apixaban 5 mg, 2 x a day", "1364445"),
        ("Apixaban:2.5", "apixaban 2.5 mg, 2 x a day", "1364435"),
        ("dalteparin", "dalteparin 15000 IU, 1 x a day", "978744"),
        ("dalteparin:12500", "dalteparin 12500 IU, 1 x a day", "978740"),
        ("dalteparin:14000", "dalteparin 14000 IU, 1 x a day", "67109"),
        ("enoxaparin:60x2", "enoxaparin 60 mg, 2 x a day", "854238"),
        ("enoxaparin:80x1", "enoxaparin 80 mg, 1 x a day", "854241"),
        ("warfarin", "warfarin 5 mg, 1 x a day", "855332"),
    ],
)
def test_name_dose_and_times(text: str, shown: str, product: str) -> None:
    assert str(wish(text)) == shown
    assert written(text)["medicationCodeableConcept"]["coding"][0]["code"] == product


@pytest.mark.parametrize("drug", DRUGS)
def test_every_usual_order_is_a_valid_draft_with_a_dose(drug: str) -> None:
    resource = written(drug)
    MedicationRequest.model_validate(resource)
    assert resource["status"] == "draft"
    assert resource["subject"] == {"reference": "Patient/p1"}
    assert drug in resource["medicationCodeableConcept"]["text"]
    assert resource["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] > 0


@pytest.mark.parametrize("text", ["", "aspirin", "apixaban:", "apixaban:five", "apixaban:5x0", "apixaban 5 mg"])
def test_what_cannot_be_written_is_answered_with_what_can(text: str) -> None:
    with pytest.raises(OrderError, match="apixaban, rivaroxaban"):
        wish(text)
