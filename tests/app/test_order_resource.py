"""Proposed orders as MedicationRequests: complete, valid FHIR, numbers as numbers; and the update of a draft."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from fhir.resources.R4B.medicationrequest import MedicationRequest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app import order_resource
from hooks.proposal import ProposedOrder
from tests.app.card_samples import DRAFT, FIRST_PHASE

AS_OF = date(2026, 3, 2)


def created(order: ProposedOrder = FIRST_PHASE, **changes: Any) -> dict[str, Any]:
    call: dict[str, Any] = {"order_id": "o1", "patient_id": "p1", "as_of": AS_OF}
    return order_resource.created(order, **(call | changes))


def test_a_created_order_is_complete() -> None:
    assert created(encounter_id="e1", user_id="Practitioner/dr-1") == {
        "resourceType": "MedicationRequest",
        "id": "o1",
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": {
            "coding": [
                {
                    "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
                    "code": "978744",
                    "display": "0.6 ML dalteparin sodium 25000 UNT/ML Prefilled Syringe",
                }
            ],
            "text": "dalteparin 15 000 IU/0.6 mL prefilled syringe",
        },
        "subject": {"reference": "Patient/p1"},
        "encounter": {"reference": "Encounter/e1"},
        "authoredOn": "2026-03-02",
        "requester": {"reference": "Practitioner/dr-1"},
        "reasonReference": [{"reference": "Condition/dvt", "display": "Deep vein thrombosis of left leg"}],
        "note": [{"text": "70 kg on 2026-03-01 x 200 IU/kg = 14 000 IU; band 69-82 kg: 15 000 IU"}],
        "dosageInstruction": [
            {
                "sequence": 1,
                "text": "15 000 IU subcutaneously once daily, from 2026-03-02 to 2026-03-31",
                "timing": {
                    "repeat": {
                        "boundsPeriod": {"start": "2026-03-02", "end": "2026-03-31"},
                        "frequency": 1,
                        "period": 1,
                        "periodUnit": "d",
                    }
                },
                "route": {
                    "coding": [
                        {"system": "http://snomed.info/sct", "code": "34206005", "display": "Subcutaneous route"}
                    ],
                    "text": "subcutaneous",
                },
                "doseAndRate": [
                    {
                        "type": {
                            "coding": [
                                {
                                    "system": "http://terminology.hl7.org/CodeSystem/dose-rate-type",
                                    "code": "ordered",
                                    "display": "Ordered",
                                }
                            ]
                        },
                        "doseQuantity": {
                            "value": 15000,
                            "unit": "IU",
                            "system": "http://unitsofmeasure.org",
                            "code": "[iU]",
                        },
                    }
                ],
            }
        ],
        "dispenseRequest": {"validityPeriod": {"start": "2026-03-02", "end": "2026-03-31"}},
    }


@pytest.mark.parametrize(
    ("changes", "text", "route", "unit"),
    [
        (
            {"amount": Decimal("67.5"), "unit": "mg", "times_per_day": 2},
            "67.5 mg subcutaneously twice daily",
            "34206005",
            "mg",
        ),
        (
            {"amount": Decimal(10), "unit": "mg", "times_per_day": 2, "route": "oral"},
            "10 mg by mouth twice daily",
            "26643006",
            "mg",
        ),
        ({"times_per_day": 3}, "15 000 IU subcutaneously 3 times daily", "34206005", "[iU]"),
    ],
)
def test_dose_route_and_frequency(changes: dict[str, Any], text: str, route: str, unit: str) -> None:
    dosage = created(replace(FIRST_PHASE, **changes))["dosageInstruction"][0]
    assert dosage["text"] == f"{text}, from 2026-03-02 to 2026-03-31"
    assert dosage["route"]["coding"][0]["code"] == route
    assert dosage["doseAndRate"][0]["doseQuantity"]["code"] == unit
    assert dosage["timing"]["repeat"]["frequency"] == replace(FIRST_PHASE, **changes).times_per_day


@pytest.mark.parametrize(
    ("amount", "written"), [("15000", "15000"), ("15000.0", "15000"), ("1.5E+4", "15000"), ("67.5", "67.5")]
)
def test_amounts_are_written_as_plain_numbers(amount: str, written: str) -> None:
    dose = created(replace(FIRST_PHASE, amount=Decimal(amount)))["dosageInstruction"][0]["doseAndRate"][0]
    assert f'"value": {written},' in json.dumps(dose["doseQuantity"])


@given(amount=st.decimals(min_value=Decimal("0.1"), max_value=Decimal(20000), places=2))
def test_no_amount_is_changed_on_the_way(amount: Decimal) -> None:
    resource = json.loads(json.dumps(created(replace(FIRST_PHASE, amount=amount))), parse_float=Decimal)
    assert resource["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] == amount


@pytest.mark.parametrize("user", [None, "", "Patient/p1", "RelatedPerson/r1", "dr-1", "Practitioner/"])
def test_only_a_prescriber_becomes_the_requester(user: str | None) -> None:
    assert "requester" not in created(user_id=user)


@pytest.mark.parametrize("user", ["Practitioner/1", "PractitionerRole/a.b-c"])
def test_a_practitioner_or_a_role_is_a_prescriber(user: str) -> None:
    assert created(user_id=user)["requester"] == {"reference": user}


def test_what_is_not_known_is_left_out() -> None:
    bare = created(replace(FIRST_PHASE, note=" ", reason="", reason_label=""))
    assert not {"encounter", "requester", "note", "reasonReference"} & bare.keys()
    unnamed = created(replace(FIRST_PHASE, reason_label=""))
    assert unnamed["reasonReference"] == [{"reference": "Condition/dvt"}]


@pytest.mark.spec("J-3")
def test_an_order_that_is_not_valid_fhir_is_never_sent() -> None:
    with pytest.raises(ValidationError):
        created(order_id="no id in FHIR has spaces")


def test_in_words() -> None:
    words = order_resource.in_words(FIRST_PHASE)
    assert words == "dalteparin 15 000 IU subcutaneously once daily, from 2026-03-02 to 2026-03-31"


RICH_DRAFT: dict[str, Any] = DRAFT | {
    "identifier": [{"system": "urn:x", "value": "order 7"}],
    "encounter": {"reference": "Encounter/e9"},
    "requester": {"reference": "Practitioner/dr-9"},
    "authoredOn": "2026-03-02T10:00:00+01:00",
    "reasonCode": [{"text": "DVT"}],
    "priority": "urgent",
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">apixaban</div>'},
    "dosageInstruction": [{"text": "5 mg twice daily"}],
    "dispenseRequest": {"quantity": {"value": 60}},
    "substitution": {"allowedBoolean": True},
    "detectedIssue": [{"reference": "DetectedIssue/1"}],
    "note": [{"text": "Please call the ward."}],
    "contained": [{"resourceType": "Medication", "id": "m"}, {"resourceType": "Practitioner", "id": "x"}],
    "extension": [
        {"url": "https://ehr.example.org/fhir/StructureDefinition/product-pack", "valueString": "box of 60"},
        {"url": "https://ehr.example.org/fhir/StructureDefinition/order-set", "valueString": "VTE"},
    ],
}


@pytest.mark.spec("AC-4")
def test_an_update_keeps_who_whom_where_and_why() -> None:
    resource = order_resource.updated(RICH_DRAFT, FIRST_PHASE)
    assert resource is not None
    for name in (
        "resourceType", "id", "status", "intent", "identifier", "subject", "encounter", "requester",
        "authoredOn", "reasonCode", "priority",
    ):  # fmt: skip
        assert resource[name] == RICH_DRAFT[name]
    assert "reasonReference" not in resource
    assert resource["extension"] == [RICH_DRAFT["extension"][1]]
    assert resource["contained"] == [RICH_DRAFT["contained"][1]]


def test_an_update_drops_what_speaks_of_the_old_product() -> None:
    resource = order_resource.updated(RICH_DRAFT, FIRST_PHASE)
    assert resource is not None
    assert not {"text", "substitution", "detectedIssue", "medicationReference"} & resource.keys()
    assert "apixaban" not in json.dumps(resource)
    fresh = created()
    for name in ("medicationCodeableConcept", "dosageInstruction", "dispenseRequest"):
        assert resource[name] == fresh[name]
    assert [note["text"] for note in resource["note"]] == ["Please call the ward.", FIRST_PHASE.note]


def test_an_update_leaves_the_draft_itself_alone() -> None:
    before = json.dumps(RICH_DRAFT)
    resource = order_resource.updated(RICH_DRAFT, FIRST_PHASE)
    assert resource is not None
    resource["subject"]["reference"] = "Patient/other"
    assert json.dumps(RICH_DRAFT) == before


def test_a_draft_without_reason_gets_the_condition_treated() -> None:
    resource = order_resource.updated(DRAFT, FIRST_PHASE)
    assert resource is not None
    assert resource["reasonReference"] == [
        {"reference": "Condition/dvt", "display": "Deep vein thrombosis of left leg"}
    ]


@pytest.mark.parametrize("medication", [{"medicationReference": {"reference": "#m"}}, {"_medicationReference": {}}, {}])
def test_there_is_one_medicine_after_an_update(medication: dict[str, Any]) -> None:
    draft = {name: value for name, value in DRAFT.items() if not name.startswith("medication")} | medication
    resource = order_resource.updated(draft, FIRST_PHASE)
    assert resource is not None
    assert [name for name in resource if "medication" in name] == ["medicationCodeableConcept"]


def test_the_sandbox_s_odd_draft_is_put_right() -> None:
    odd = DRAFT | {
        "category": {"text": "Outpatient"},
        "reasonCode": {"text": "DVT"},
        "authoredOn": "Invalid date",
        "encounter": None,
        "note": "a string",
        "zzz": 1,
    }
    del odd["intent"]
    resource = order_resource.updated(odd, FIRST_PHASE)
    assert resource is not None
    MedicationRequest.model_validate(resource)
    assert resource["category"] == [{"text": "Outpatient"}]
    assert resource["reasonCode"] == [{"text": "DVT"}]
    assert resource["intent"] == "order"
    assert not {"authoredOn", "encounter", "zzz"} & resource.keys()


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "active"},
        {"status": None},
        {"resourceType": "ServiceRequest"},
        {"subject": None},
        {"subject": "Patient/p1"},
        {"id": "not an id"},
    ],
)
def test_what_is_no_draft_or_cannot_be_made_valid_is_not_updated(wrong: dict[str, Any]) -> None:
    assert order_resource.updated(DRAFT | wrong, FIRST_PHASE) is None


def test_warming_costs_nothing_the_second_time() -> None:
    order_resource.warm()
    order_resource.warm()
