"""Condition -> Diagnosis."""

import pytest

from app.reading.conditions import at_age, read_condition
from hooks.dates import PartialDate
from hooks.facts import Diagnosis
from tests.app.reading.books import ICD9, ICD10, SNOMED, concept, condition, day, lookup

BORN = day("1960-06-15")


def diagnosis(**elements) -> Diagnosis:
    found = read_condition(condition(**elements), lookup(), BORN)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("code", "system", "topic"),
    [
        ("I82.412", ICD10, "vte"),
        ("I82412", ICD10, "vte"),
        ("I82.412", "urn:oid:2.16.840.1.113883.6.90", "vte"),
        ("C18.7", ICD10, "malignancy"),
        ("443719001", SNOMED, "malignancy"),
        ("140.9", ICD9, "malignancy"),
    ],
)
def test_known_codes_of_every_system_mean_something(code, system, topic):
    assert diagnosis(code=concept(code, system)).means(topic)


@pytest.mark.parametrize(
    "code",
    [
        concept("40055000", SNOMED),
        concept("I82.412", "http://example.org/own"),
        {"text": "DVT"},
        {},
        None,
        ["DVT"],
        [],
        [[]],
    ],
)
def test_other_conditions_are_no_diagnosis(code):
    assert read_condition(condition(code=code), lookup(), BORN) is None


def test_a_diagnosis_carries_its_words_codes_and_statuses():
    found = diagnosis(
        code={**concept("I82.412", ICD10), "text": "Clot in the left thigh"},
        clinicalStatus=concept("resolved", "http://terminology.hl7.org/CodeSystem/condition-clinical"),
        verificationStatus={"coding": [{"code": "entered-in-error"}]},
    )
    assert (found.reference, found.label, found.codes) == ("Condition/c1", "Clot in the left thigh", ("I82.412",))
    assert (found.clinical_status, found.verification_status) == ("resolved", "entered-in-error")


def test_absent_statuses_stay_absent():
    assert (diagnosis().clinical_status, diagnosis().verification_status) == (None, None)


@pytest.mark.parametrize(
    ("elements", "since"),
    [
        (
            {"onsetDateTime": "2026-03"},
            PartialDate(earliest=day("2026-03-01").earliest, latest=day("2026-03-31").latest),
        ),
        ({"onsetPeriod": {"start": "2026-03-02", "end": "2026-03-09"}}, day("2026-03-02")),
        ({"onsetPeriod": {"end": "2026-03-09"}, "recordedDate": "2026-03-10"}, day("2026-03-09")),
        ({"onsetString": "last week", "recordedDate": "2026-03-10T10:00:00Z"}, day("2026-03-10")),
        ({"onsetDateTime": "Invalid date", "dateRecorded": "2026-03-10"}, day("2026-03-10")),
        ({"onsetDateTime": {"odd": 1}}, None),
    ],
)
def test_when_it_began(elements, since):
    assert diagnosis(**elements).since == since


def test_onset_at_an_age_is_the_year_of_that_age():
    found = diagnosis(onsetAge={"value": 64, "code": "a"})
    assert found.onset == PartialDate(earliest=day("2024-06-15").earliest, latest=day("2025-06-14").latest)
    assert at_age({"value": 64, "unit": "years"}, None) is None
    assert at_age({"value": 64, "unit": "weeks"}, BORN) is None
    assert at_age({"value": 1e6, "unit": "years"}, BORN) is None


def test_a_leap_day_birthday_is_the_first_of_march():
    found = at_age({"value": 61, "unit": "years"}, day("1964-02-29"))
    assert found is not None
    assert (str(found.earliest), str(found.latest)) == ("2025-03-01", "2026-02-28")


@pytest.mark.parametrize(
    ("elements", "abated"),
    [
        ({"abatementDateTime": "2026-03-02"}, day("2026-03-02")),
        (
            {"abatementPeriod": {"start": "2026-03-02", "end": "2026-03-04"}},
            PartialDate(earliest=day("2026-03-02").earliest, latest=day("2026-03-04").latest),
        ),
        ({"abatementPeriod": {"end": "2026-03-04"}}, day("2026-03-04")),
        ({"abatementBoolean": True}, None),
    ],
)
def test_when_it_ended(elements, abated):
    assert diagnosis(**elements).abated == abated
