"""The demo FHIR server moves dates and nothing else."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given
from hypothesis import strategies as st

from app.demo.charts import Charts
from app.demo.dates import shifted, shifted_date
from app.demo.parameters import PARAMETERS

EHR = Path(__file__).resolve().parents[3] / "fixtures" / "ehr"


@pytest.mark.parametrize(
    ("written", "days", "moved"),
    [
        ("2026-01-15", 1, "2026-01-16"),
        ("2026-01-31", 1, "2026-02-01"),
        ("2024-02-28", 1, "2024-02-29"),
        ("2026-01-15T23:30:00-05:00", 40, "2026-02-24T23:30:00-05:00"),
        ("2026-01-15T08:20:00.123Z", -15, "2025-12-31T08:20:00.123Z"),
        ("2025-06", 5, "2025-06"),
        ("2025-06", 30, "2025-07"),
        ("2025-12", 20, "2026-01"),
        ("1948", 100, "1948"),
        ("1948", 365, "1949"),
        ("0001-01-01", -1, "0001-01-01"),
        ("2026-02-30", 1, "2026-02-30"),
        ("soon", 1, "soon"),
    ],
)
def test_a_date_moves_in_its_own_precision(written: str, days: int, moved: str) -> None:
    assert shifted_date(written, days) == moved


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(-20000, 20000))
def test_moving_there_and_back_is_nothing(day: date, days: int) -> None:
    assert shifted_date(shifted_date(day.isoformat(), days), -days) == day.isoformat()


def test_ids_codes_values_and_words_that_look_like_dates_stay() -> None:
    resource = {
        "resourceType": "Observation",
        "id": "2026-01-15",
        "identifier": [{"value": "2026-01-15"}],
        "code": {"coding": [{"code": "2026-01-15", "version": "2026-01"}], "text": "2026-01-15"},
        "valueString": "2026-01-15",
        "note": [{"text": "2026-01-15", "time": "2026-01-15"}],
        "effectiveDateTime": "2026-01-15",
    }
    assert shifted(resource, 1) == resource | {
        "effectiveDateTime": "2026-01-16",
        "note": [{"text": "2026-01-15", "time": "2026-01-16"}],
    }


def test_dates_move_at_every_depth() -> None:
    dosage = {
        "timing": {"event": ["2026-01-15"], "repeat": {"boundsPeriod": {"start": "2026-01-15", "end": "2026-07"}}}
    }
    moved = shifted({"dosageInstruction": [dosage], "extension": [{"url": "x", "valueDateTime": "2026-01-15"}]}, 2)
    timing = moved["dosageInstruction"][0]["timing"]
    assert timing == {"event": ["2026-01-17"], "repeat": {"boundsPeriod": {"start": "2026-01-17", "end": "2026-07"}}}
    assert moved["extension"][0]["valueDateTime"] == "2026-01-17"


def _date_elements(model_name: str, seen: set[str]) -> set[str]:
    """The names of all elements of type date, dateTime or instant in a model and the data types that it uses."""
    if model_name in seen:
        return set()
    seen.add(model_name)
    found: set[str] = set()
    for name, described in get_fhir_model_class(model_name).model_fields.items():
        kind = str(described.annotation)
        if "datetime.date" in kind and not name.endswith("__ext"):
            found.add(described.alias or name)
        for part in re.findall(r"\.(\w+)Type\b", kind):
            found |= _date_elements(part, seen)
    return found


@pytest.mark.parametrize("resource_type", PARAMETERS)
def test_every_date_element_of_the_standard_moves(resource_type: str) -> None:
    elements = _date_elements(resource_type, set())
    assert {"start", "end", "lastUpdated"} <= elements
    for element in elements:
        assert shifted({element: "2026-01-15"}, 1) == {element: "2026-01-16"}


def _dates_by_model(value: object) -> list[str]:
    """All values whose type in the FHIR R4B models is a date, as the models print them, in document order."""
    if isinstance(value, date):
        return [str(value)]
    if isinstance(value, list):
        return [found for item in value for found in _dates_by_model(item)]
    if hasattr(value, "__dict__"):
        return [found for item in vars(value).values() for found in _dates_by_model(item)]
    return []


@pytest.mark.parametrize("path", sorted(EHR.glob("*.json")), ids=lambda path: path.stem)
def test_every_date_of_a_chart_is_moved(path: Path) -> None:
    resources: list[dict[str, Any]] = [entry["resource"] for entry in json.loads(path.read_bytes())["entry"]]
    far = 40_000
    for resource in resources:
        model = get_fhir_model_class(resource["resourceType"])
        before = _dates_by_model(model.model_validate(resource))
        after = _dates_by_model(model.model_validate(shifted(resource, far)))
        assert len(before) == len(after)
        assert all(int(new[:4]) - int(old[:4]) in {109, 110} for old, new in zip(before, after, strict=True))


def test_on_the_anchor_day_the_charts_are_as_on_disk() -> None:
    charts = Charts(folder=EHR, today=lambda: date(2026, 1, 15))
    on_disk = [entry["resource"] for entry in json.loads((EHR / "brief.json").read_bytes())["entry"]]
    assert list(charts.chart("brief")) == on_disk


def test_the_clot_of_the_brief_always_began_today() -> None:
    today = [date(2026, 1, 15)]
    charts = Charts(folder=EHR, today=lambda: today[0])
    for day in (date(2026, 1, 15), date(2026, 3, 1), date(2031, 12, 31)):
        today[0] = day
        clot = charts.find("Condition", "brief-dvt")
        assert clot is not None
        assert clot["onsetDateTime"] == day.isoformat()
