"""Observation -> readings, and what cannot be used, by name."""

from decimal import Decimal

import pytest

from tests.app.reading.books import LOINC, SNOMED, concept, day, observation, read

CREATININE = "creatinine_mg_dl"


def creatinine(*observations, key="creatinine"):
    return read(*observations, key=key).patient.readings.get(CREATININE, ())


def problems(*observations, key="creatinine"):
    return [(u.item, u.reason) for u in read(*observations, key=key).patient.unusable]


def test_a_creatinine():
    (found,) = creatinine(observation(value=0.84))
    assert (found.value, found.shown, found.taken) == (Decimal("0.84"), "0.84 mg/dL", day("2026-03-10"))
    assert found.reference == "Observation/o1"


@pytest.mark.parametrize("unit", ["umol/L", "µmol/L", "μmol/L"])
def test_other_units_become_the_canonical_one(unit):
    (found,) = creatinine(observation("14682-9", 88.4, unit))
    assert found.value == 1
    assert found.shown == f"88.4 {unit}"


@pytest.mark.parametrize("status", ["final", "amended", "corrected"])
def test_finished_results_count(status):
    assert len(creatinine(observation(status=status))) == 1


@pytest.mark.parametrize("status", ["registered", "cancelled", "entered-in-error", "unknown"])
def test_unfinished_or_wrong_results_are_as_if_not_there(status):
    patient = read(observation(status=status), key="creatinine").patient
    assert (patient.readings, patient.unusable) == ({}, ())


def test_a_preliminary_result_is_named_only_when_there_is_no_other():
    preliminary = observation(status="preliminary", identity="o2", on="2026-03-12")
    assert problems(preliminary) == [(CREATININE, "the result is preliminary")]
    assert problems(preliminary, observation()) == []


def test_a_result_without_status_is_named():
    assert problems(observation(status=None)) == [(CREATININE, "the result has no status")]


@pytest.mark.parametrize(
    ("elements", "value", "comparator"),
    [
        ({"valueQuantity": {"value": "0.8", "unit": "mg/dL"}}, "0.8", ""),
        ({"valueQuantity": {"value": 0.5, "comparator": "<", "unit": "mg/dL"}}, "0.5", "<"),
        ({"valueQuantity": {"value": "<0.5", "unit": "mg/dL"}}, "0.5", "<"),
        ({"valueString": "0.8 mg/dL"}, "0.8", ""),
        ({"valueString": "< 0.5 mg/dL"}, "0.5", "<"),
    ],
)
def test_values_of_every_shape(elements, value, comparator):
    (found,) = creatinine(observation(value=None, **elements))
    assert (found.value, found.comparator) == (Decimal(value), comparator)


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"valueQuantity": {"value": 0.8}}, "no unit"),
        ({"valueQuantity": 0.8}, "no unit"),
        ({"valueInteger": 1}, "no unit"),
        ({"valueQuantity": {"value": 0.8, "unit": "furlongs"}}, "not known"),
        ({"valueQuantity": {"value": 71, "unit": "mg/dL"}}, "implausible"),
        ({"valueQuantity": {"value": "high", "unit": "mg/dL"}}, "not a number"),
        ({"valueString": "haemolysed"}, "“haemolysed”"),
        ({"valueCodeableConcept": {"text": "Not done"}}, "“Not done”"),
        ({"dataAbsentReason": {"text": "Specimen lost"}}, "there is no value (Specimen lost)"),
        ({}, "there is no value"),
        ({"valueQuantity": {"value": 0.8, "unit": "mg/dL"}, "effectiveDateTime": "Invalid date"}, "no usable date"),
    ],
)
def test_what_cannot_be_used_is_named(elements, reason):
    ((item, why),) = problems(observation(value=None, **elements))
    assert item == CREATININE
    assert reason in why


@pytest.mark.parametrize(
    ("elements", "taken"),
    [
        ({"effectiveDateTime": "2026-03-10T23:50:00-05:00"}, "2026-03-10"),
        ({"effectivePeriod": {"start": "2026-03-09T08:00:00Z", "end": "2026-03-10T08:00:00Z"}}, "2026-03-09"),
        ({"effectiveInstant": "2026-03-10T08:00:00Z"}, "2026-03-10"),
        ({"effectiveTiming": {"event": ["2026-03-10T08:00:00Z"]}}, "2026-03-10"),
        ({"issued": "2026-03-11T08:00:00Z"}, "2026-03-11"),
    ],
)
def test_the_day_it_was_taken(elements, taken):
    (found,) = creatinine(observation(**{"effectiveDateTime": None, **elements}))
    assert found.taken == day(taken)


def test_newest_first_by_day_then_by_moment():
    found = creatinine(
        observation(value=1.0, identity="a", on="2026-03-10T08:00:00Z"),
        observation(value=1.1, identity="b", on="2026-03-11"),
        observation(value=1.2, identity="A", on="2026-03-10T10:00:00+01:00"),
        observation(value=1.3, identity="d", on="2026-03-10", issued="2026-03-10T12:00:00Z"),
        observation(value=1.4, identity="e", on="2026"),
    )
    assert [str(r.value) for r in found] == ["1.1", "1.3", "1.2", "1.0", "1.4"]


def test_two_values_of_one_moment_both_stay():
    found = creatinine(observation(value=1.0, identity="a"), observation(value=2.0, identity="b"))
    assert sorted(r.value for r in found) == [1, 2]


def test_results_inside_a_panel_are_read():
    panel = observation(
        "85353-1",
        None,
        component=[
            {"code": concept("29463-7", LOINC), "valueQuantity": {"value": 154, "code": "[lb_av]"}},
            {"code": concept("8302-2", LOINC), "valueQuantity": {"value": 170, "unit": "cm"}},
            {"code": concept("8867-4", LOINC), "valueQuantity": {"value": 70, "unit": "/min"}},
            None,
        ],
    )
    readings = read(panel, key="weight").patient.readings
    assert {name: round(found[0].value, 1) for name, found in readings.items()} == {
        "weight_kg": Decimal("69.9"),
        "height_cm": Decimal("170.0"),
    }
    assert problems(panel, key="weight") == []


@pytest.mark.parametrize(
    "code",
    [
        {"coding": [{"system": "urn:own-lab", "code": "CREA", "display": "Creatinine"}]},
        {"text": "Kreatinin"},
        {"coding": [{"system": LOINC, "code": "99999-9"}], "text": "Creatinine, new method"},
    ],
)
def test_a_creatinine_whose_code_is_not_known_is_named_and_never_ignored(code):
    ((item, why),) = problems({**observation(), "code": code})
    assert item == CREATININE
    assert "has no code that this service uses for it" in why


def test_a_creatinine_around_dialysis_is_named():
    (unusable,) = read(observation("11041-1"), key="creatinine").patient.unusable
    assert "must not be used" in unusable.reason
    assert unusable.taken == day("2026-03-10")


@pytest.mark.parametrize(
    ("key", "code"), [("creatinine", "3094-0"), ("weight", "8867-4"), ("weight", "85353-1"), ("conditions", "99999-9")]
)
def test_results_that_are_plainly_another_thing_are_ignored(key, code):
    assert problems(observation(code), key=key) == []


def test_each_reason_is_named_once_with_its_newest_day():
    found = read(
        observation(value=None, identity="a", on="2026-03-01"), observation(value=None, identity="b", on="2026-03-09")
    ).patient.unusable
    assert [(u.reason, u.taken) for u in found] == [("there is no value", day("2026-03-09"))]


def test_a_weaker_method_is_remarked():
    (found,) = read(observation("49497-1", 45, "10*3/uL"), key="platelets").patient.readings["platelets_10e9_l"]
    assert found.remark == "estimated from a smear"


@pytest.mark.parametrize(("code", "pregnant"), [("77386006", True), ("60001007", False)])
def test_pregnancy_status(code, pregnant):
    status = observation("82810-3", None, valueCodeableConcept=concept(code, SNOMED))
    (found,) = read(status, key="pregnancy").patient.pregnancy
    assert (found.pregnant, found.taken) == (pregnant, day("2026-03-10"))


def test_an_unknown_pregnancy_status_is_none():
    status = observation("82810-3", None, valueCodeableConcept=concept("261665006", SNOMED))
    assert read(status, key="pregnancy").patient.pregnancy == ()


def test_a_creatine_kinase_is_no_creatinine():
    kinase = {**observation(), "code": {"coding": [{"system": LOINC, "code": "2157-6", "display": "Creatine kinase"}]}}
    assert problems(kinase) == []


def test_the_head_of_a_panel_is_no_result():
    panel = observation(value=None, hasMember=[{"reference": "Observation/o2"}])
    panel["code"] = {"coding": [{"system": "urn:own-lab", "code": "CMP", "display": "Creatinine panel"}]}
    assert problems(panel) == []
