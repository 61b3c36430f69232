"""Everything that was got -> one Patient."""

import gc

import pytest

from app.gather import Got
from app.reading.record import read_patient
from hooks.facts import Gap
from tests.app.reading.books import (
    AS_OF,
    LOINC,
    RXNORM,
    books,
    concept,
    condition,
    day,
    medication_request,
    observation,
    read,
    resource,
)

PERSON = {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1958-03-11"}


def person(**elements):
    return read({**PERSON, **elements}, key="patient")


def test_the_patient():
    patient = person().patient
    assert (patient.as_of, patient.born, patient.sex) == (AS_OF, day("1958-03-11"), "female")
    assert str(person(birthDate="1958").patient.born) == "1958"


def test_nothing_got_is_nothing_known():
    found = read_patient({}, "p1", AS_OF, books())
    assert (found.patient.born, found.patient.diagnoses, found.patient.gaps, found.dropped) == (None, (), (), 0)
    assert not found.deceased


def extension(url, **value):
    return {"extension": [{"url": url, **value}]}


CLINICAL_USE = "http://hl7.org/fhir/StructureDefinition/patient-sexParameterForClinicalUse"
BIRTH_SEX = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex"


@pytest.mark.parametrize(
    ("elements", "sex"),
    [
        ({"gender": "male"}, "male"),
        ({"gender": "other"}, None),
        ({"gender": "unknown"}, None),
        ({"gender": None}, None),
        ({"gender": "other", **extension(BIRTH_SEX, valueCode="F")}, "female"),
        ({"gender": "male", **extension(BIRTH_SEX, valueCode="F")}, "female"),
        ({"gender": "male", **extension(BIRTH_SEX, valueCode="UNK")}, "male"),
        (
            {
                "gender": "other",
                **extension(
                    CLINICAL_USE,
                    extension=[{"url": "value", "valueCodeableConcept": {"coding": [{"code": "male-typical"}]}}],
                ),
            },
            "male",
        ),
        ({"gender": "female", "extension": {"url": 3}}, "female"),
    ],
)
def test_sex_by_extension_then_gender(elements, sex):
    assert person(**elements).patient.sex == sex


@pytest.mark.parametrize(
    ("elements", "deceased"),
    [
        ({"deceasedBoolean": True}, True),
        ({"deceasedBoolean": "true"}, True),
        ({"deceasedDateTime": "2026"}, True),
        ({"deceasedBoolean": False}, False),
        ({}, False),
    ],
)
def test_death(elements, deceased):
    assert person(**elements).deceased is deceased


def test_another_patients_data_has_no_influence_and_is_counted():
    other = [condition(identity="c2"), observation(identity="o2"), {**PERSON, "id": "p2"}]
    other = [{**r, "subject": {"reference": "Patient/p2"}} for r in other]
    found = read(condition(), *other)
    assert [d.reference for d in found.patient.diagnoses] == ["Condition/c1"]
    assert (found.patient.readings, found.dropped) == ({}, 3)


def test_a_patient_resource_of_another_patient_is_a_gap():
    found = person(id="p2")
    assert (found.patient.born, found.patient.sex, found.dropped) == (None, None, 1)
    gap = found.patient.gap("patient")
    assert gap is not None
    assert gap.failed


@pytest.mark.parametrize(
    "subject",
    [
        {"reference": "Patient/p1"},
        {"reference": "https://ehr.example.org/fhir/Patient/p1"},
        {"reference": "Patient/p1/_history/4"},
        {"reference": "urn:uuid:p1"},
        {"reference": "p1"},
        {"display": "Somebody"},
        "Patient/p1",
        None,
    ],
)
def test_whose_a_resource_is(subject):
    assert len(read(condition(subject=subject)).patient.diagnoses) == 1
    assert len(read(condition(subject=None, patient=subject)).patient.diagnoses) == 1


@pytest.mark.parametrize(
    "subject",
    [
        {"reference": "Patient/P1"},
        {"reference": "Patient/p2"},
        {"reference": "Group/p1"},
        {"reference": "#p1"},
        {"reference": "Patient?identifier=p1"},
        {"reference": 7},
        [{"reference": "Patient/p1"}, {"reference": "Patient/p2"}],
    ],
)
def test_whose_a_resource_is_not(subject):
    found = read(condition(subject=subject))
    assert (found.patient.diagnoses, found.dropped) == ((), 1)


def test_family_history_and_other_types_are_no_conditions():
    family = {**condition(), "resourceType": "FamilyMemberHistory"}
    found = read(family, {**condition(), "resourceType": ["Condition"]}, {**condition(), "resourceType": None})
    assert (found.patient.diagnoses, found.dropped) == ((), 0)


def test_the_type_decides_not_the_key():
    found = read(condition(), medication_request(), observation(), PERSON, key="conditions").patient
    assert (len(found.diagnoses), len(found.medications), len(found.readings), found.sex) == (1, 1, 1, "female")


def test_the_same_resource_under_two_keys_counts_once():
    found = read(observation(), key="creatinine", platelets=(observation(),)).patient
    assert len(found.readings["creatinine_mg_dl"]) == 1


def test_the_later_version_of_a_resource_counts():
    old = condition(clinicalStatus="active", meta={"lastUpdated": "2026-01-01T00:00:00Z"})
    new = condition(clinicalStatus="resolved", meta={"lastUpdated": "2026-02-01T00:00:00Z"})
    for both in ((old, new), (new, old)):
        assert [d.clinical_status for d in read(*both).patient.diagnoses] == ["resolved"]


def test_resources_without_id_all_count():
    assert len(read(condition(identity=None), condition(identity=None)).patient.diagnoses) == 2


def test_gaps_are_handed_on():
    gap = Gap(key="platelets", reason="the server did not answer", failed=True)
    got = {"platelets": Got(key="platelets", gap=gap), "conditions": Got(key="conditions", resources=(condition(),))}
    patient = read_patient(got, "p1", AS_OF, books()).patient
    assert patient.gaps == (gap,)
    assert len(patient.diagnoses) == 1


def test_the_mixed_record_of_one_patient():
    found = read(
        PERSON,
        condition(),
        medication_request(
            None, medicationReference={"reference": "Medication/m"}, reasonReference=[{"reference": "Condition/c1"}]
        ),
        {"resourceType": "Medication", "id": "m", "code": concept("1364445", RXNORM)},
        resource("ServiceRequest", "s1", status="active", code={"text": "IVC filter placement"}),
        {**observation(), "code": concept("2160-0", LOINC)},
    ).patient
    assert [m.reasons[0].topic for m in found.medications] == ["vte"]
    assert [s.reference for s in found.services] == ["ServiceRequest/s1"]
    assert found.readings["creatinine_mg_dl"][0].value


# Bundles whose entries refer to each other by URN


def by_urn(key: str, *entries: tuple[str, dict]) -> Got:
    return Got(key=key, resources=tuple(r for _, r in entries if r["resourceType"] != "Patient"), urns=dict(entries))


def test_a_medication_of_the_bundle_is_found_by_its_urn():
    order = medication_request(None, medicationReference={"reference": "urn:uuid:8a"})
    medication = {"resourceType": "Medication", "id": "m", "code": concept("1364445", RXNORM)}
    got = by_urn("medications", ("urn:uuid:7b", order), ("urn:uuid:8a", medication))
    found = read_patient({"medications": got}, "p1", AS_OF, books())
    assert [(m.drug.name, m.unresolved) for m in found.patient.medications] == [("apixaban", False)]


def test_a_reason_is_found_by_its_urn():
    order = medication_request(reasonReference=[{"reference": "urn:uuid:9c"}])
    got = {
        "conditions": by_urn("conditions", ("urn:uuid:9c", condition())),
        "medications": by_urn("medications", ("", order)),
    }
    (read_order,) = read_patient(got, "p1", AS_OF, books()).patient.medications
    assert [meaning.topic for meaning in read_order.reasons] == ["vte"]


@pytest.mark.parametrize(("identity", "diagnoses"), [("p1", 1), ("p2", 0)])
def test_a_subject_by_urn_is_the_patient_only_when_the_bundle_says_so(identity, diagnoses):
    clot = condition() | {"subject": {"reference": "urn:uuid:1a"}}
    got = by_urn("conditions", ("urn:uuid:1a", {"resourceType": "Patient", "id": identity}), ("urn:uuid:2b", clot))
    found = read_patient({"conditions": got}, "p1", AS_OF, books())
    assert (len(found.patient.diagnoses), found.dropped) == (diagnoses, 1 - diagnoses)


def test_what_is_read_in_two_waves_is_what_is_read_in_one():
    first = {
        "patient": Got(key="patient", resources=(PERSON,)),
        "conditions": Got(key="conditions", resources=(condition(),)),
    }
    order = medication_request(reasonReference=[{"reference": "Condition/c1"}])
    other = Got(key="medications", resources=(order, resource("MedicationRequest", "m2", patient="p2")))
    earlier = read_patient(first, "p1", AS_OF, books())
    assert read_patient({"medications": other}, "p1", AS_OF, books(), earlier) == read_patient(
        first | {"medications": other}, "p1", AS_OF, books()
    )


def test_reading_leaves_no_circle_so_that_a_body_goes_with_its_call():
    got = {
        "conditions": by_urn(
            "conditions", ("urn:uuid:1a", condition()), ("urn:uuid:2b", {"resourceType": "Medication"})
        ),
        "medications": by_urn("medications", ("urn:uuid:3c", medication_request())),
    }
    read_patient(got, "p1", AS_OF, books())
    gc.collect()
    gc.disable()
    try:
        read_patient(got, "p1", AS_OF, books())
        assert gc.collect() == 0
    finally:
        gc.enable()
