"""The table of sources against what clients can be expected to do with its templates."""

from __future__ import annotations

import re

import pytest

from app import sources
from hooks import knowledge
from hooks.labs import LabBook

ROWS = sources.table(knowledge.load().labs)
SEARCH_PARAMETERS = {"patient", "code", "_sort", "_count"}


@pytest.mark.spec("PT-1", "PT-5", "PT-6", "PT-9")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_a_template_keeps_to_the_widely_supported_subset(row: sources.Source) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z]+(/\{\{context\.patientId\}\}|\?\S+)", row.template)
    assert row.template.count("{{") == row.template.count("}}") == 1
    assert len(row.template) <= 1500
    assert row.template.partition("/")[0].partition("?")[0] == row.resource_type
    names = {pair.partition("=")[0] for pair in row.template.partition("?")[2].split("&") if pair}
    assert names <= SEARCH_PARAMETERS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_only_searches_for_results_are_short_and_sorted(row: sources.Source) -> None:
    assert (sources.NEWEST_FIRST in row.template) is (row.resource_type == "Observation")
    count = re.search(r"_count=(\d+)", row.template)
    assert row.is_read or (count is not None and (int(count[1]) <= 10) is (row.resource_type == "Observation"))


def test_excluded_codes_are_not_asked_for() -> None:
    by_key = {row.key: row.template for row in ROWS}
    assert "http://loinc.org|2160-0" in by_key["creatinine"]
    assert "34167-7" not in by_key["platelets"]
    assert by_key["pregnancy"].count("loinc.org|") == 1


def test_what_is_required_is_as_decided() -> None:
    required = {hook: [row.key for row in ROWS if hook in row.required_by] for hook in sources.EVERY_HOOK}
    assert required == {
        "patient-view": ["patient", "conditions", "medications"],
        "order-select": ["patient", "conditions"],
        "order-sign": ["patient", "conditions"],
    }
    assert [row.key for row in ROWS if row.first_wave] == ["patient", "conditions"]


def test_the_patient_takes_the_place_of_the_token() -> None:
    assert ROWS[0].query("pt-1") == "Patient/pt-1"


def test_a_caller_may_have_templates_of_its_own() -> None:
    own = sources.for_caller(ROWS, {"weight": "Observation?patient={{context.patientId}}&code=w", "zzz": "x"})
    changed = [row.key for row, other in zip(own, ROWS, strict=True) if row != other]
    assert changed == ["weight"]
    assert sources.for_caller(ROWS, {}) is ROWS


def test_an_analyte_without_codes_stops_the_start() -> None:
    with pytest.raises(ValueError, match="0 codes for creatinine"):
        sources.table(LabBook(systems={}, titles={}, codes={}, units={}))
