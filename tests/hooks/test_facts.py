"""The few things that the facts work out for themselves."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from hooks.dates import PartialDate
from hooks.facts import Diagnosis, Dose, Drug, Gap, Meaning, Patient, ServiceOrder

DVT = Meaning(topic="vte", kind="acute", tags=frozenset({"leg", "dvt"}))
CANCER = Meaning(topic="malignancy", kind="primary")
EARLY, LATE = PartialDate.on(date(2025, 1, 1)), PartialDate.on(date(2026, 1, 1))


def test_a_diagnosis_means_what_any_of_its_codes_means() -> None:
    both = Diagnosis(reference="Condition/1", label="x", meanings=(CANCER, DVT))
    assert both.means("vte")
    assert both.means("vte", "chronic", "acute")
    assert not both.means("vte", "chronic")
    assert both.has_tag("vte", "leg")
    assert not both.has_tag("malignancy", "leg")


def test_it_is_there_since_its_onset_else_since_it_was_recorded() -> None:
    dated = {"reference": "Condition/1", "label": "x", "meanings": (DVT,)}
    assert Diagnosis(**dated, onset=EARLY, recorded=LATE).since == EARLY
    assert Diagnosis(**dated, recorded=LATE).since == LATE
    assert Diagnosis(**dated).since is None


def test_an_order_for_a_device_means_what_its_codes_mean() -> None:
    filter_ = Meaning(topic="procedure", kind="ivc-filter")
    order = ServiceOrder(reference="ServiceRequest/1", label="x", meanings=(filter_,), status="draft")
    assert order.means("procedure", "ivc-filter")
    assert not order.means("procedure", "stockings")


@pytest.mark.parametrize(
    ("anticoagulant", "doac", "heparin"),
    [("LMWH", False, True), ("UFH", False, True), ("VKA", False, False), ("DOAC-Xa", True, False),
     ("DOAC-IIa", True, False), ("parenteral-Xa", False, False), ("heparinoid", False, False), (None, False, False)],
)  # fmt: skip
def test_which_drugs_are_doacs_and_heparins(anticoagulant: str | None, doac: bool, heparin: bool) -> None:
    drug = Drug(name="x", anticoagulant=anticoagulant)
    assert (drug.is_doac, drug.is_heparin) == (doac, heparin)


def test_the_daily_total_needs_amount_and_frequency() -> None:
    assert Dose(amount=Decimal("2.5"), unit="mg", times_per_day=Decimal(2)).per_day == Decimal(5)
    assert Dose(amount=Decimal("2.5"), unit="mg").per_day is None
    assert Dose(times_per_day=Decimal(2)).per_day is None


def test_a_gap_is_found_by_its_key() -> None:
    gap = Gap(key="platelets", reason="late", failed=True)
    patient = Patient(as_of=date(2026, 1, 15), gaps=(gap,))
    assert patient.gap("platelets") is gap
    assert patient.gap("creatinine") is None
