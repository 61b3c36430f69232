"""MedicationRequest -> MedicationOrder."""

import pytest

from hooks.facts import MedicationOrder
from tests.app.reading.books import ICD10, RXNORM, concept, condition, day, medication_request, read

ELIQUIS = {"text": "Eliquis 5 mg"}
MEDICATION = {"resourceType": "Medication", "id": "med-1", "code": concept("1364445", RXNORM)}


def orders(*resources, **more) -> tuple[MedicationOrder, ...]:
    return read(*resources, key="medications", **more).patient.medications


def order(*resources, **more) -> MedicationOrder:
    (found,) = orders(*resources, **more)
    return found


def drug_of(**elements):
    found = order(medication_request(None, **elements))
    return found.drug.name if found.drug else None


@pytest.mark.parametrize(
    "elements",
    [
        {"medicationCodeableConcept": concept("1364445", RXNORM)},
        {"medicationCodeableConcept": [concept("1364445", RXNORM)]},
        {"medicationCodeableConcept": concept("1364445", "urn:oid:2.16.840.1.113883.6.88")},
        {"medicationCodeableConcept": ELIQUIS},
        {"medicationCodeableConcept": "Eliquis 5 mg"},
        {"medicationCodeableConcept": {"coding": [{"system": "urn:own", "code": "7", "display": "Eliquis 5 mg"}]}},
        {"medication": {"concept": concept("1364445", RXNORM)}},
        {"medicationReference": {"reference": "#m"}, "contained": [{**MEDICATION, "id": "m"}]},
        {"medicationReference": {"reference": "#m"}, "contained": {**MEDICATION, "id": "m"}},
        {"medicationReference": {"reference": "Medication/not-sent", "display": "Eliquis 5 mg"}},
        {"medication": {"reference": {"reference": "Medication/not-sent", "display": "Eliquis 5 mg"}}},
    ],
)
def test_a_medicine_of_every_shape_is_found(elements):
    assert drug_of(**elements) == "apixaban"


@pytest.mark.parametrize(
    "reference",
    [
        "Medication/med-1",
        "Medication/med-1/_history/2",
        "https://ehr.example.org/fhir/Medication/med-1",
        "urn:uuid:med-1",
    ],
)
def test_a_medication_that_came_with_the_record_is_found(reference):
    found = order(medication_request(None, medicationReference={"reference": reference}), MEDICATION)
    assert found.drug is not None
    assert found.drug.name == "apixaban"


def test_a_mixture_is_known_by_its_anticoagulant():
    bag = {
        "resourceType": "Medication",
        "id": "bag",
        "code": {"text": "Infusion 250 mL"},
        "ingredient": [
            {"itemCodeableConcept": {"text": "glucose 5 %"}},
            {"itemCodeableConcept": {"text": "aspirin"}},
            {"itemCodeableConcept": {"text": "heparin sodium"}},
        ],
    }
    found = order(medication_request(None, medicationReference={"reference": "Medication/bag"}), bag)
    assert found.drug is not None
    assert (found.drug.name, found.label) == ("heparin", "Infusion 250 mL")


@pytest.mark.parametrize(
    "elements",
    [
        {"medicationReference": {"reference": "Medication/not-sent"}},
        {"medicationReference": {"reference": "#missing"}},
        {"medicationReference": {"identifier": {"value": "7"}}},
        {"medicationCodeableConcept": {"coding": [{"system": "urn:own", "code": "7"}]}},
        {"medicationCodeableConcept": {"coding": [{}]}},
    ],
)
def test_what_cannot_be_identified_is_kept_as_unresolved(elements):
    found = order(medication_request(None, **elements))
    assert (found.unresolved, found.drug) == (True, None)


@pytest.mark.parametrize(
    "elements",
    [
        {"medicationCodeableConcept": concept("282464", RXNORM)},
        {"medicationCodeableConcept": {"text": "Acetaminophen 160 MG"}},
        {"medicationReference": {"reference": "Medication/x", "display": "Acetaminophen"}},
        {},
        {"medicationCodeableConcept": {}},
        {"medicationReference": None},
    ],
)
def test_other_medicines_and_orders_without_one_are_left_out(elements):
    assert orders(medication_request(None, **elements)) == ()


def test_status_intent_and_flags():
    found = order(
        medication_request(
            status="on-hold",
            intent="plan",
            doNotPerform=True,
            category={"coding": [{"code": "inpatient"}]},
            note=[{"text": "Ask first."}, {"text": "Then give."}],
        )
    )
    assert (found.status, found.intent, found.do_not_perform, found.inpatient) == ("on-hold", "plan", True, True)
    assert found.note == "Ask first. Then give."
    assert (order(medication_request(category=[concept("outpatient", "")])).inpatient) is False


TIMED = {"timing": {"repeat": {"boundsPeriod": {"start": "2026-03-05", "end": "2026-03-20"}}}}
LASTING = {"timing": {"repeat": {"boundsDuration": {"value": 10, "unit": "days"}}}}
SUPPLY = {"expectedSupplyDuration": {"value": 30, "unit": "days", "code": "d"}}


@pytest.mark.parametrize(
    ("elements", "starts", "ends"),
    [
        ({}, "2026-03-01", None),
        ({"dosageInstruction": [TIMED]}, "2026-03-05", "2026-03-20"),
        ({"dosageInstruction": [LASTING]}, "2026-03-01", "2026-03-10"),
        (
            {"dispenseRequest": {"validityPeriod": {"start": "2026-03-02", "end": "2026-04-02"}}},
            "2026-03-02",
            "2026-04-02",
        ),
        ({"dispenseRequest": SUPPLY}, "2026-03-01", "2026-03-30"),
        ({"dispenseRequest": {**SUPPLY, "numberOfRepeatsAllowed": 2}}, "2026-03-01", "2026-05-29"),
        ({"dispenseRequest": {**SUPPLY, "numberOfRepeatsAllowed": -1}}, "2026-03-01", "2026-03-30"),
        (
            {"dosageInstruction": [LASTING, {"text": "10 mg daily"}], "dispenseRequest": SUPPLY},
            "2026-03-01",
            "2026-03-30",
        ),
        ({"dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": {"end": "9999-12-31"}}}}]}, "2026-03-01", None),
    ],
)
def test_first_and_last_day_covered(elements, starts, ends):
    found = order(medication_request(authoredOn="2026-03-01T09:00:00+01:00", **elements))
    assert (found.authored, found.starts) == (day("2026-03-01"), day(starts))
    assert found.ends == (None if ends is None else day(ends))


def test_an_order_without_any_date_has_none():
    found = order(medication_request(dispenseRequest=SUPPLY))
    assert (found.starts, found.ends) == (None, None)


@pytest.mark.parametrize(
    "elements",
    [
        {"reasonCode": [concept("I82.412", ICD10)]},
        {"reasonCode": concept("I82.412", ICD10)},
        {"reasonReference": [{"reference": "Condition/c1"}]},
        {"reason": [{"concept": concept("I82.412", ICD10)}]},
        {"reason": [{"reference": {"reference": "Condition/c1"}}]},
    ],
)
def test_reasons_by_code_and_by_reference(elements):
    found = order(medication_request(**elements), conditions=(condition(),))
    assert [meaning.topic for meaning in found.reasons] == ["vte"]
    assert found.reason_text == "I82.412"


def test_a_reason_that_was_not_read_keeps_its_words():
    found = order(medication_request(reasonReference=[{"reference": "Condition/c9", "display": "DVT"}]))
    assert (found.reasons, found.reason_text) == ((), "DVT")


def test_the_reason_for_stopping():
    found = order(medication_request(status="stopped", statusReason={**concept("K92.1", ICD10), "text": "Melaena"}))
    assert [meaning.topic for meaning in found.stop_reasons] == ["bleeding"]
    assert found.stop_reason_text == "Melaena"


def test_doses_count_the_product_by_its_strength():
    dosage = {
        "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
        "doseAndRate": [{"doseQuantity": {"value": 2, "unit": "{pill}"}}],
    }
    (dose,) = order(medication_request(dosageInstruction=[dosage])).doses
    assert (dose.amount, dose.unit, dose.per_day) == (10, "mg", 20)
