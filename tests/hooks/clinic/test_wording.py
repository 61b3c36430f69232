"""Facts in words: short plain lines, with units and dates in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.clinic import wording
from hooks.dates import DayRange, PartialDate
from hooks.facts import Diagnosis, Drug, MedicationOrder, Patient

PATIENT = Patient(as_of=date(2026, 1, 15))
DVT = Diagnosis(reference="Condition/1", label="Deep-vein thrombosis", meanings=(), codes=("I82.412",))
MONTH = PartialDate(earliest=date(2025, 12, 1), latest=date(2025, 12, 31))
ORDER = MedicationOrder(
    reference="MedicationRequest/1", label="Eliquis 5 mg", drug=Drug(name="apixaban"), status="active"
)


@pytest.mark.parametrize(
    ("value", "places", "words"),
    [
        ("0.8", 1, "0.8"), ("220", 1, "220"), ("220.0", 1, "220"), ("12.25", 1, "12.3"), ("12.35", 1, "12.4"),
        ("15000", 0, "15 000"), ("1234567.5", 0, "1 234 568"), ("999.95", 1, "1 000"), ("-0.04", 1, "0"),
        ("-1500", 0, "-1 500"), ("7.50", 2, "7.5"), ("100", 0, "100"), ("0", 1, "0"),
    ],
)  # fmt: skip
def test_a_number_is_rounded_half_up_without_needless_zeros(value: str, places: int, words: str) -> None:
    assert wording.number(Decimal(value), places) == words


@given(st.decimals(-(10**9), 10**9, places=4))
def test_a_number_reads_back_within_its_last_place(value: Decimal) -> None:
    words = wording.number(value, 2)
    assert abs(Decimal(words.replace(" ", "")) - value) <= Decimal("0.005")
    assert not words.endswith((".", ".0"))


def test_doses() -> None:
    assert wording.dose(Decimal(15000), "IU") == "15 000 IU"
    assert wording.dose(Decimal("7.50"), "mg") == "7.5 mg"


def test_days() -> None:
    assert wording.day_of(PartialDate.on(date(2026, 1, 5))) == "2026-01-05"
    assert wording.day_of(MONTH) == "about 2025-12"
    assert wording.ago(DayRange(fewest=0, most=0)) == "today"
    assert wording.ago(DayRange(fewest=1, most=1)) == "1 day ago"
    assert wording.ago(DayRange(fewest=10, most=10)) == "10 days ago"
    assert wording.ago(DayRange(fewest=-4, most=-4)) == "in 4 days"
    assert wording.ago(DayRange(fewest=15, most=45)) == "about 15 to 45 days ago"
    assert wording.ago(None) == "date not recorded"


def test_a_diagnosis_with_code_status_and_date() -> None:
    on = PartialDate.on(date(2026, 1, 5))
    assert wording.diagnosis(DVT, PATIENT) == "Deep-vein thrombosis (I82.412), date not recorded"
    dated = replace(DVT, onset=on, clinical_status="active")
    assert wording.diagnosis(dated, PATIENT) == "Deep-vein thrombosis (I82.412), since 2026-01-05 (10 days ago)"
    closed = replace(DVT, recorded=on, clinical_status="resolved", codes=())
    assert wording.diagnosis(closed, PATIENT) == "Deep-vein thrombosis, resolved, recorded 2026-01-05 (10 days ago)"


def test_an_order_with_status_and_start() -> None:
    assert wording.order(ORDER) == "Eliquis 5 mg (active)"
    begun = replace(ORDER, starts=MONTH, drug=Drug(name="apixaban", matched_by="name"))
    assert wording.order(begun) == "Eliquis 5 mg (active, from about 2025-12, matched by name)"
    assert wording.order(replace(ORDER, status="")) == "Eliquis 5 mg (draft)"
    assert wording.drug_name(ORDER) == "apixaban"
    assert wording.drug_name(replace(ORDER, drug=None)) == "Eliquis 5 mg"


def test_lists() -> None:
    assert [wording.listed(x) for x in ([], ["a"], ["a", "b"], ("a", "b", "c"))] == ["", "a", "a and b", "a, b and c"]
