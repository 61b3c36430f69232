"""Dosages in plain words: read where they are understood in full, else not at all."""

from datetime import date
from decimal import Decimal

import pytest

from app.reading.dosage import read_doses
from app.reading.sig import read_sig
from hooks.dates import PartialDate
from tests.app.reading.books import APIXABAN_5, ENOXAPARIN_80

START = PartialDate.on(date(2026, 3, 1))

SIGS = [
    # text, amount, unit, times a day, route
    ("10 mg by mouth twice daily", "10", "mg", 2, "oral"),
    ("15000 IU SC once daily", "15000", "IU", 1, "subcutaneous"),
    ("Inject 15,000 units under the skin every 24 hours.", "15000", "IU", 1, "subcutaneous"),
    ("5 000 IU s.c. once daily", "5000", "IU", 1, "subcutaneous"),
    ("60 mg q12h", "60", "mg", 2, ""),
    ("60mg subcut BID", "60", "mg", 2, "subcutaneous"),
    ("Take 1 tablet (5 mg) by mouth 2 times daily", "5", "mg", 2, "oral"),
    ("2 tablets (10 mg total) po bid", "10", "mg", 2, "oral"),
    ("2 tablets (10 mg) po bid", "10", "mg", 2, "oral"),
    ("one tablet twice a day", "5", "mg", 2, ""),
    ("20 mg by mouth daily with evening meal", "20", "mg", 1, "oral"),
    ("5 mg once daily at bedtime", "5", "mg", 1, ""),
    ("2.5 mg", "2.5", "mg", None, ""),
    ("Apixaban 5 mg PO BID", "5", "mg", 2, "oral"),
]
NOT_UNDERSTOOD = [
    "take as directed",
    "warfarin 5 mg daily",
    "5 mg daily except Sunday",
    "not 5 mg daily",
    "5-10 mg daily",
    "5 mg in the morning and 2.5 mg in the evening",
    "0,5 mg daily",
    "inject 0.6 mL daily",
    "5 mg daily if INR < 2",
    "5 mg twice daily, once daily",
    "10 mg twice daily, then 5 mg twice daily",
    "x" * 1000,
    "5 mg " * 50,
]


@pytest.mark.parametrize(("text", "amount", "unit", "times", "route"), SIGS)
def test_a_dosage_in_plain_words(text, amount, unit, times, route):
    (found,) = read_doses([{"text": text}], APIXABAN_5, START)
    assert (found.amount, found.unit, found.times_per_day, found.route) == (Decimal(amount), unit, times, route)
    assert found.text == text


@pytest.mark.parametrize("text", NOT_UNDERSTOOD)
def test_words_that_are_not_understood_in_full_give_no_dose(text):
    assert read_sig(text) == ()
    (found,) = read_doses([{"text": text}], APIXABAN_5, START)
    assert found.amount is None
    assert "free text" in found.why_unknown


def test_pieces_in_words_whose_strength_is_in_doubt_give_no_dose():
    (found,) = read_doses([{"text": "2 tablets (5 mg) po bid"}], APIXABAN_5, START)
    assert found.amount is None
    assert "not computable" in found.why_unknown


def test_per_kilogram_in_words():
    (found,) = read_doses(["1 mg/kg SC q12h"], ENOXAPARIN_80, START)
    assert (found.amount, found.per_kg, found.times_per_day) == (1, True, 2)


def test_coded_elements_win_and_words_fill_what_they_leave_open():
    (found,) = read_doses(
        [{"text": "10 mg po bid", "doseAndRate": [{"doseQuantity": {"value": 5, "unit": "mg"}}]}], APIXABAN_5, START
    )
    assert (found.amount, found.times_per_day, found.route) == (5, 2, "oral")
