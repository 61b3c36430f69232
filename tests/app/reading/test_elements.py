"""FHIR data types as EHRs write them."""

from datetime import date
from decimal import Decimal

import pytest

from app.reading import elements
from app.reading.elements import Pointer
from hooks.dates import PartialDate

DATES = [
    ("2026", "2026-01-01", "2026-12-31"),
    ("2026-03", "2026-03-01", "2026-03-31"),
    ("2026-12", "2026-12-01", "2026-12-31"),
    ("2024-02", "2024-02-01", "2024-02-29"),
    ("2026-03-02", "2026-03-02", "2026-03-02"),
    (" 2026-03-02 ", "2026-03-02", "2026-03-02"),
    ("2026-03-02T23:30:00Z", "2026-03-02", "2026-03-02"),
    ("2026-03-02T23:30:00-05:00", "2026-03-02", "2026-03-02"),
    ("2026-03-02T00:15:00.123456789+14:00", "2026-03-02", "2026-03-02"),
    ("2026-03-02T08:15", "2026-03-02", "2026-03-02"),
    ("2026-03-02 08:15:00", "2026-03-02", "2026-03-02"),
]
NO_DATES = [
    "Invalid date",
    "",
    "0002-11-23",
    "9999-12-31",
    "2026-02-30",
    "2026-13",
    "2026-3-2",
    "02.03.2026",
    "20260302",
]


@pytest.mark.parametrize(("written", "earliest", "latest"), DATES)
def test_a_date_keeps_the_precision_and_the_day_written(written, earliest, latest):
    expected = PartialDate(earliest=date.fromisoformat(earliest), latest=date.fromisoformat(latest))
    assert elements.read_date(written) == expected


@pytest.mark.parametrize("written", [*NO_DATES, "２０２６", None, 2026, True, ["2026"], {"start": "2026"}])
def test_what_is_no_date_is_none(written):
    assert elements.read_date(written) is None


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("2026-03-02T08:00:00Z", "2026-03-02T08:00:00.5Z"),
        ("2026-03-02T08:00:00+02:00", "2026-03-02T07:00:00Z"),
        ("2026-03-02T08:00", "2026-03-02T08:00:01Z"),
    ],
)
def test_moments_sort_as_text(earlier, later):
    assert "" < elements.read_moment(earlier) < elements.read_moment(later)


@pytest.mark.parametrize("written", ["2026-03-02", "Invalid date", "25:00", None, 7, "0001-01-01T00:00:00+14:00"])
def test_a_value_without_time_of_day_has_no_moment(written):
    assert elements.read_moment(written) == ""


def test_codings_of_every_shape_that_is_sent():
    one = {"system": "http://s", "code": "1", "display": "One"}
    expected = (("http://s", "1", "One"),)
    for shape in ({"coding": [one]}, {"coding": one}, [{"coding": [one]}], one):
        assert elements.codings(shape) == expected
    assert elements.codings({"coding": [{"code": 7}]}) == (("", "7", ""),)
    for empty in (None, "words", {}, {"coding": {}}, {"coding": [{}]}, {"coding": [None, 3, {"code": None}]}, [[]], 5):
        assert elements.codings(empty) == ()


def test_the_label_is_the_text_else_a_display_else_the_code():
    coding = {"code": "I82.412", "display": "DVT of left femoral vein"}
    assert elements.label({"text": "Clot", "coding": [coding]}) == "Clot"
    assert elements.label({"text": " ", "coding": [coding]}) == "DVT of left femoral vein"
    assert elements.label({"coding": [{"code": "I82.412"}]}) == "I82.412"
    assert elements.label("Clot") == "Clot"
    assert elements.label({"coding": [{}]}) == ""


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("active", "active"),
        ("Entered in Error", "entered-in-error"),
        (
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "resolved"}]},
            "resolved",
        ),
        (
            {
                "coding": [
                    {"system": "http://snomed.info/sct", "code": "55561003"},
                    {"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"},
                ]
            },
            "active",
        ),
        ({"coding": [{"system": "http://snomed.info/sct", "code": "55561003"}], "text": "Active"}, "active"),
        ({"text": "Remission"}, "remission"),
        (None, None),
        ({}, None),
        ("", None),
    ],
)
def test_a_status_as_code_or_concept(written, expected):
    assert elements.status(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (1, (Decimal(1), "")),
        (0.8, (Decimal("0.8"), "")),
        ("0.8", (Decimal("0.8"), "")),
        (" <0.5", (Decimal("0.5"), "<")),
        (">= 20", (Decimal(20), ">=")),
        (-1, (Decimal(-1), "")),
        (0.3333333333333333, (Decimal("0.3333333333333333"), "")),
        (0.0000123, (Decimal("0.0000123"), "")),
        (1e2, (Decimal(100), "")),
        ("0,8", None),
        ("45,000", None),
        ("1e99", None),
        (1e300, None),
        ("NaN", None),
        (float("nan"), None),
        (float("inf"), None),
        (True, None),
        (None, None),
        ("", None),
    ],
)
def test_a_number_as_json_number_or_string(written, expected):
    assert elements.number(written) == expected


def test_a_quantity_keeps_comparator_and_both_units():
    quantity = elements.read_quantity({"value": "0.5", "comparator": "<", "unit": "mg/dl", "code": "mg/dL"})
    assert quantity == elements.Quantity(value=Decimal("0.5"), comparator="<", unit="mg/dl", code="mg/dL")
    assert str(quantity) == "<0.5 mg/dl"
    assert elements.read_quantity({"value": 1, "comparator": "~"}) is None
    assert elements.read_quantity({"unit": "mg"}) is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"reference": "Patient/p1"}, Pointer(kind="Patient", id="p1")),
        ("Patient/p1", Pointer(kind="Patient", id="p1")),
        ({"reference": "Patient/p1/_history/3"}, Pointer(kind="Patient", id="p1")),
        ({"reference": "https://ehr.example.org/fhir/Patient/p1"}, Pointer(kind="Patient", id="p1")),
        ({"reference": "urn:uuid:0b2f"}, Pointer(kind="", id="0b2f")),
        ({"reference": "#med"}, Pointer(kind="#", id="med")),
        ({"reference": "p1"}, Pointer(kind="", id="p1")),
        ({"reference": "Practitioner?identifier=1|2"}, None),
        ({"reference": "#"}, None),
        ({"display": "Somebody"}, None),
        ({"reference": {"reference": "Patient/p1"}}, None),
        (None, None),
    ],
)
def test_where_a_reference_points(written, expected):
    assert elements.read_reference(written) == expected
