"""What laboratory codes measure, and how values come to one unit: exactly, plausibly, or with the reason why not."""

import csv
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.facts import Coding
from hooks.labs import LabBook, LabCode, load_labs
from hooks.tables import DATA, LOCAL_COLUMNS, KnowledgeError
from tests.hooks.codings import loinc
from tests.hooks.spoilt_data import add, spoil

CREATININE = "creatinine_mg_dl"
PLATELETS = "platelets_10e9_l"
BOOK = load_labs()


@pytest.fixture(scope="module")
def book() -> LabBook:
    return BOOK


@pytest.mark.parametrize(
    ("code", "analyte", "remark"),
    [
        ("2160-0", CREATININE, ""),
        ("14682-9", CREATININE, ""),
        ("777-3", PLATELETS, ""),
        ("49497-1", PLATELETS, "estimated from a smear"),
        ("29463-7", "weight_kg", ""),
        ("3142-7", "weight_kg", "stated by the patient"),
        ("8341-0", "weight_kg", "dry weight"),
        ("8302-2", "height_cm", ""),
        ("718-7", "haemoglobin_g_l", ""),
        ("59260-0", "haemoglobin_g_l", ""),
        ("2164-2", "creatinine_clearance_ml_min", "measured in 24 h urine"),
    ],
)
def test_what_a_code_measures(book: LabBook, code: str, analyte: str, remark: str) -> None:
    assert book.analyte([loinc(code)]) == LabCode(analyte=analyte, remark=remark)


@pytest.mark.parametrize(
    "code", ["11041-1", "51619-5", "34167-7", "32623-1", "18833-4", "98979-8", "82810-3", "6301-6"]
)
def test_what_must_not_be_taken_for_it(book: LabBook, code: str) -> None:
    assert book.analyte([loinc(code)]) is None


def test_a_code_that_must_not_be_taken_for_it_wins(book: LabBook) -> None:
    assert book.analyte([loinc("2160-0"), loinc("11041-1")]) is None
    assert book.analyte([Coding(system="urn:local", code="CREA"), loinc("2160-0")]) is not None


@pytest.mark.parametrize(("code", "about"), [("82810-3", "pregnancy-status"), ("97509-4", "cancer-disease-status")])
def test_observations_that_are_no_values(book: LabBook, code: str, about: str) -> None:
    assert book.context([loinc(code)]) == about
    assert book.context([loinc("2160-0")]) == ""


@pytest.mark.parametrize(
    ("analyte", "value", "unit", "canonical"),
    [
        (CREATININE, "0.8", "mg/dL", "0.8"),
        (CREATININE, "0.8", "MG/DL", "0.8"),
        (CREATININE, "8", "mg/L", "0.8"),
        (PLATELETS, "150", "10*9/L", "150"),
        (PLATELETS, "150000", "/uL", "150"),
        (PLATELETS, "150000", "/mm3", "150"),
        (PLATELETS, "150000", "cells/uL", "150"),
        (PLATELETS, "150000", "{cells}/uL", "150"),
        (PLATELETS, "150000", "cells/µL", "150"),
        (PLATELETS, "1.5", "lakhs/cumm", "150"),
        (PLATELETS, "0", "10*9/L", "0"),
        ("weight_kg", "70", "kg", "70"),
        ("weight_kg", "70", "KG", "70"),
        ("weight_kg", "70000", "g", "70"),
        ("weight_kg", "154", "[lb_av]", "69.85322498"),
        ("weight_kg", "154", "lbs", "69.85322498"),
        ("weight_kg", "154", "LB", "69.85322498"),
        ("weight_kg", "2464", "[oz_av]", "69.853224980000"),
        ("height_cm", "1.70", "m", "170"),
        ("height_cm", "1700", "mm", "170"),
        ("height_cm", "67", "[in_i]", "170.18"),
        ("height_cm", "67", "in", "170.18"),
        ("height_cm", "5.5", "ft", "167.640"),
        ("haemoglobin_g_l", "13.2", "g/dL", "132"),
        ("haemoglobin_g_l", "132", "g/L", "132"),
        ("creatinine_clearance_ml_min", "1", "mL/s", "60"),
    ],
)
def test_values_come_to_one_unit_exactly(book: LabBook, analyte: str, value: str, unit: str, canonical: str) -> None:
    assert book.canonical(analyte, Decimal(value), unit, "") == Decimal(canonical)
    assert book.canonical(analyte, Decimal(value), "", unit) == Decimal(canonical)


@pytest.mark.parametrize(
    "unit",
    [
        "10*3/uL",
        "10^3/uL",
        "10*9/L",
        "10^9/L",
        "K/uL",
        "k/ul",
        "x10E3/uL",
        "x10E9/L",
        "x10^9/L",
        "10E9/L",
        "G/L",
        "K/mm3",
        "10³/µL",
        "10⁹/L",
        "10(9)/L",
        "thou/mm3",
        "Thousand/uL",
        "10*3/mm3",
        "×10^9/L",
        "bil/L",
        "10^9/l",
        "10*3/uL{plt}",
        "K/mcL",
        "/nL",
    ],
)
def test_spellings_of_the_platelet_unit(book: LabBook, unit: str) -> None:
    assert book.canonical(PLATELETS, Decimal(48), "", unit) == 48


@pytest.mark.parametrize("unit", ["umol/L", "\u00b5mol/L", "\u03bcmol/L", "µmol/l", "UMOL/L", "micromol/L", "umol / L"])
def test_spellings_of_micromole(book: LabBook, unit: str) -> None:
    assert book.canonical(CREATININE, Decimal("88.4"), unit, "") == 1


def test_creatinine_is_converted_without_rounding(book: LabBook) -> None:
    value = book.canonical(CREATININE, Decimal(142), "umol/L", "")
    assert isinstance(value, Decimal)
    assert abs(Fraction(value) - Fraction(1420, 884)) < Fraction(1, 10**25)
    assert book.canonical(CREATININE, Decimal("0.142"), "mmol/L", "") == value


@pytest.mark.parametrize(
    ("analyte", "value", "code", "text", "reason"),
    [
        (CREATININE, "0.8", "", "", "no unit"),
        (CREATININE, "0.8", " ", "", "no unit"),
        (CREATININE, "0.8", "xyz", "", "unit 'xyz' not known"),
        (CREATININE, "0.8", "", "10*9/L", "unit '10*9/L' not known"),
        (CREATININE, "71", "mg/dL", "", "71 mg/dL is implausible: looks like umol/L"),
        (CREATININE, "400", "mg/dL", "", "400 mg/dL is implausible: looks like umol/L"),
        (CREATININE, "25", "mg/dL", "", "25 mg/dL is implausible"),
        (CREATININE, "0.1", "mg/dL", "", "0.1 mg/dL is implausible"),
        (CREATININE, "0.9", "umol/L", "", "0.9 umol/L is implausible: looks like mg/dL"),
        (CREATININE, "2000", "umol/L", "", "2000 umol/L is implausible"),
        (CREATININE, "80", "mg/dL", "umol/L", "unit code 'mg/dL' and unit text 'umol/L' contradict each other"),
        (PLATELETS, "45000", "10*9/L", "", "45000 10*9/L is implausible: looks like /uL"),
        (PLATELETS, "45", "/uL", "", "45 /uL is implausible: looks like 10*9/L"),
        (PLATELETS, "-1", "10*9/L", "", "-1 10*9/L is implausible"),
        ("weight_kg", "70000", "kg", "", "70000 kg is implausible: looks like g"),
        ("weight_kg", "19.9", "kg", "", "19.9 kg is implausible"),
        ("weight_kg", "70", "kg", "lb", "unit code 'kg' and unit text 'lb' contradict each other"),
        ("height_cm", "1.7", "cm", "", "1.7 cm is implausible: looks like m"),
        ("height_cm", "170", "m", "", "170 m is implausible: looks like cm"),
        ("haemoglobin_g_l", "13.2", "g/L", "", "13.2 g/L is implausible: looks like g/dL"),
        ("weight_kg", "NaN", "kg", "", "not a number"),
        ("weight_kg", "Infinity", "kg", "", "not a number"),
    ],
)
def test_the_reason_why_there_is_no_value(analyte: str, value: str, code: str, text: str, reason: str) -> None:
    assert BOOK.canonical(analyte, Decimal(value), code, text) == reason


def test_an_estimate_for_a_standard_body_surface_is_no_clearance(book: LabBook) -> None:
    for unit in ("mL/min/{1.73_m2}", "mL/min/1.73m2", "mL/min/1.73 m²"):
        assert "body surface" in str(book.canonical("creatinine_clearance_ml_min", Decimal(60), unit, ""))


@pytest.mark.parametrize(
    ("analyte", "unit", "low", "high"),
    [(CREATININE, "mg/dL", "0.2", "20"), (CREATININE, "umol/L", "15", "1800"), ("weight_kg", "kg", "20", "400")],
)
def test_the_ends_of_the_plausible_range_belong_to_it(
    book: LabBook, analyte: str, unit: str, low: str, high: str
) -> None:
    step = Decimal("0.001")
    for end, beyond in ((Decimal(low), -step), (Decimal(high), step)):
        assert isinstance(book.canonical(analyte, end, unit, ""), Decimal)
        assert isinstance(book.canonical(analyte, end + beyond, unit, ""), str)


def test_code_and_text_that_say_the_same_agree(book: LabBook) -> None:
    assert book.canonical(PLATELETS, Decimal(48), "10*3/uL", "x10^9/L") == 48
    assert book.canonical(CREATININE, Decimal(1), "mg/dL", "mg/dL (calc)") == 1
    assert book.canonical(CREATININE, Decimal(1), "MGDL", "mg/dL") == 1


@given(
    st.sampled_from(sorted(BOOK.units)),
    st.decimals(min_value=0, max_value=10**7, allow_nan=False, allow_infinity=False, places=3),
)
def test_a_greater_value_never_becomes_a_smaller_one(key: tuple[str, str], value: Decimal) -> None:
    analyte, spelling = key
    here, above = (BOOK.canonical(analyte, v, spelling, "") for v in (value, value + 1))
    assert isinstance(here, str) or isinstance(above, str) or here < above


@pytest.mark.parametrize(
    ("file", "edit", "problem"),
    [
        ("codes/labs-loinc.csv", add("http://loinc.org,2160-0,x,include,weight_kg,,,1,own"), "2160-0 is there twice"),
        ("codes/labs-loinc.csv", add("http://loinc.org,2160,x,include,weight_kg,,,1,own"), "has not the form"),
        ("codes/labs-loinc.csv", add("http://loinc.org,1-1,x,include,weight,,,1,own"), "unknown analyte 'weight'"),
        ("codes/labs-loinc.csv", add("http://loinc.org,1-1,x,use,weight_kg,,,1,own"), "unknown effect 'use'"),
        ("labs.csv", add("urea_mg_dl,urea,mg/dL,own list"), "canonical unit 'mg/dL' of urea_mg_dl is not a unit of it"),
        ("labs.csv", lambda text: text.replace(",kg,", ",g,"), "canonical unit 'g' of weight_kg"),
        ("lab-units.csv", add("weight_kg,kg,1,1,20,400,,,,,own list"), "'kg' is there twice"),
        ("lab-units.csv", add("weight_kg,ton,1000,1,x,400,,,,,own list"), "plausible_low 'x' is not a number"),
        ("lab-units.csv", add("weight_kg,ton,0,1,1,400,,,,,own list"), "impossible"),
        ("lab-units.csv", add("weight_kg,ton,1,1,400,1,,,,,own list"), "impossible"),
        ("lab-units.csv", add("weight_kg,ton,1,1,1,400,kg,,,,own list"), "belong together"),
        ("lab-unit-spellings.csv", add("weight_kg,tonne,ton"), "unit 'ton' of 'weight_kg' is not known"),
        ("lab-unit-spellings.csv", add("weight_kg,Kg,g"), "spelling 'Kg' stands for two units"),
    ],
)
def test_a_wrong_row_stops_the_start(tmp_path: Path, file: str, edit: Callable[[str], str], problem: str) -> None:
    data = spoil(tmp_path, file, edit)
    with pytest.raises(KnowledgeError) as caught:
        load_labs(data=data)
    assert problem in caught.value.problem
    assert caught.value.line


def test_a_site_adds_its_own_laboratory_codes(tmp_path: Path) -> None:
    path = tmp_path / "site.csv"
    row = {"table": "lab", "system": "urn:lab", "code": "KREA", "effect": "include", "analyte": CREATININE}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, LOCAL_COLUMNS, restval="")
        writer.writeheader()
        writer.writerow(row)
    book = load_labs(local_rows=path)
    assert book.analyte([Coding(system="urn:lab", code="krea")]) == LabCode(analyte=CREATININE)


def test_no_row_of_the_inputs_was_lost() -> None:
    with (DATA / "codes/labs-loinc.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 73
