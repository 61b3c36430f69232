"""Draft orders: what is in focus, what is beside it, what has still to be read."""

import pytest

from app.hook_request import HookRequest
from app.reading.orders import OrdersRead, read_orders
from tests.app.reading.books import RXNORM, SNOMED, books, concept, condition, medication_request, resource


def draft(**elements):
    return medication_request(**{"status": "draft", **elements})


def call(*drafts, focus=None, **more) -> OrdersRead:
    entries = tuple(one if "resource" in one else {"resource": one} for one in drafts)
    request = HookRequest(
        service_id="cat-order-select",
        hook="order-select",
        hook_instance="i",
        patient_id="p1",
        draft_orders=entries,
        in_focus=tuple(range(len(entries))) if focus is None else focus,
    )
    return read_orders(request, books(), **more)


def focus(*drafts, **more):
    return [order.reference for order in call(*drafts, **more).orders.in_focus]


FILTER = resource("ServiceRequest", "f1", status="draft", code=concept("397913009", SNOMED))
STOCKINGS = resource("DeviceRequest", "d1", status="draft", codeCodeableConcept=concept("1142010007", SNOMED))
BED_REST = resource("ServiceRequest", "b1", status="draft", code={"text": "Bed rest"})
SCAN = resource("ServiceRequest", "u1", status="draft", code={"text": "Duplex ultrasound of leg veins"})
ASPIRIN = draft(code="1191", identity="asa")


def test_anticoagulants_thrombolytics_and_the_services_advised_on_are_in_focus():
    alteplase = draft(code="8410", identity="lysis")
    found = focus(draft(), alteplase, FILTER, STOCKINGS, BED_REST)
    assert found == [
        "MedicationRequest/m1",
        "MedicationRequest/lysis",
        "ServiceRequest/f1",
        "DeviceRequest/d1",
        "ServiceRequest/b1",
    ]


def test_drafts_that_are_not_selected_or_not_advised_on_stand_beside():
    found = call(draft(), draft(identity="m2"), ASPIRIN, focus=(0, 2)).orders
    assert [o.reference for o in found.in_focus] == ["MedicationRequest/m1"]
    assert [o.reference for o in found.others] == ["MedicationRequest/m2", "MedicationRequest/asa"]


def test_revised_orders_that_are_signed_again_need_not_be_drafts():
    assert focus(draft(status="active")) == ["MedicationRequest/m1"]


@pytest.mark.parametrize(
    "odd",
    [
        {"resourceType": "ServiceRequest", "code": {"coding": {}}},
        {"resourceType": "ServiceRequest", "code": {"coding": [{}]}, "status": "draft"},
        {"resourceType": "MedicationRequest", "id": "request-123", "status": "draft"},
        {"resourceType": "MedicationRequest", "medicationCodeableConcept": None},
        {"resourceType": "NutritionOrder", "id": "n1"},
        {"resourceType": 7},
        {},
        SCAN,
        ASPIRIN,
    ],
)
def test_what_is_not_relevant_leaves_nothing_in_focus(odd):
    found = call(odd)
    assert (found.orders.in_focus, found.unresolved) == ((), ())


def test_the_draft_that_the_sandbox_sends():
    sent = draft(
        category={"coding": [{"code": "outpatient"}]},
        reasonCode={"coding": [{"code": "1", "system": "urn:x"}], "text": "Clot"},
        dosageInstruction=[
            {
                "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "{pill}", "code": "{pill}"}}],
                "timing": {
                    "repeat": {
                        "frequency": 2,
                        "period": 1,
                        "periodUnit": "d",
                        "boundsPeriod": {"start": "Invalid date", "end": "0002-11-23"},
                    }
                },
            }
        ],
    )
    (order,) = call(sent).orders.in_focus
    assert (order.reason_text, order.starts, order.ends) == ("Clot", None, None)
    assert order.doses[0].per_day == 10


def test_a_medication_of_another_entry_is_found_by_its_full_url():
    medication = {"resourceType": "Medication", "code": concept("1364445", RXNORM)}
    entry = {"fullUrl": "urn:uuid:3f", "resource": medication}
    found = call(draft(code=None, medicationReference={"reference": "urn:uuid:3f"}), entry)
    assert [o.drug.name for o in found.orders.in_focus] == ["apixaban"]
    assert found.unresolved == ()


REFERENCE = {"medicationReference": {"reference": "Medication/m9"}}


def test_a_reference_outside_the_request_is_judged_by_its_display():
    shown = {"medicationReference": {"reference": "Medication/m9", "display": "Eliquis 5 mg"}}
    (order,) = call(draft(code=None, **shown)).orders.in_focus
    assert order.drug.name == "apixaban"
    other = {"medicationReference": {"reference": "Medication/m9", "display": "Paracetamol"}}
    assert call(draft(code=None, **other)) == OrdersRead(orders=call().orders, complete=False)


def test_a_reference_without_display_is_to_be_read_once():
    found = call(draft(code=None, **REFERENCE), draft(code=None, identity="m2", **REFERENCE))
    assert found.unresolved == ("Medication/m9",)
    assert [o.unresolved for o in found.orders.in_focus] == [True, True]


def test_only_drafts_in_focus_are_worth_a_read():
    found = call(draft(), draft(code=None, identity="m2", **REFERENCE), focus=(0,))
    assert found.unresolved == ()
    assert [o.reference for o in found.orders.others] == ["MedicationRequest/m2"]


@pytest.mark.parametrize(("code", "in_focus"), [("1364445", 1), ("282464", 0)])
def test_what_was_read_decides(code, in_focus):
    medication = {"resourceType": "Medication", "id": "m9", "code": concept(code, RXNORM)}
    found = call(draft(code=None, **REFERENCE), medications={"Medication/m9": medication})
    assert len(found.orders.in_focus) == in_focus
    assert found.unresolved == ()


def test_the_reason_of_a_draft_is_found_in_the_record():
    asked = draft(reasonReference=[{"reference": "Condition/c1"}])
    assert call(asked).orders.in_focus[0].reasons == ()
    assert call(asked, conditions=(condition(),)).orders.in_focus[0].reasons[0].topic == "vte"
    assert call(asked, conditions=(condition(patient="p2"),)).orders.in_focus[0].reasons == ()


def test_drafts_of_another_patient_are_dropped_and_counted():
    found = call(draft(), draft(identity="m2", subject={"reference": "Patient/p2"}))
    assert [o.reference for o in found.orders.in_focus] == ["MedicationRequest/m1"]
    assert found.dropped == 1


def test_a_draft_without_id_is_in_focus_without_a_reference():
    assert focus(draft(identity=None)) == [""]
