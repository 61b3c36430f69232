"""The therapy over time: the same facts that the rules reason about, drawn."""

from __future__ import annotations

import sys
from datetime import date, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from app.demo.charts import Charts
from app.demo.ehr import picture
from app.demo.ehr.therapy import Therapy, therapy
from hooks.knowledge import Knowledge, load

EHR = Path(__file__).resolve().parents[3] / "fixtures" / "ehr"
TODAY = date(2026, 1, 15)
PATIENTS = sorted(path.stem for path in EHR.glob("*.json"))


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return load()


def of(patient: str, knowledge: Knowledge, profile: str = "lmwh-first-2014") -> Therapy:
    charts = Charts(folder=EHR, today=lambda: TODAY)
    return therapy(charts.chart(patient), patient, TODAY, knowledge, knowledge.profiles[profile])


def test_a_clot_of_today_without_treatment(knowledge: Knowledge) -> None:
    shown = of("brief", knowledge)
    assert shown.clot is not None
    assert (shown.clot.day, shown.bars) == (TODAY, ())
    assert [(mark.label, (mark.day - TODAY).days) for mark in shown.milestones] == [("month 1", 30), ("month 6", 182)]
    assert shown.counted_from == "the thrombosis"
    assert round(shown.clearance[-1].value) == 93
    assert "No anticoagulant" in shown.words


def test_dalteparin_with_its_step_down(knowledge: Knowledge) -> None:
    shown = of("sarcoma-day-170", knowledge)
    assert [bar.words for bar in shown.bars] == ["dalteparin 15 000 IU, 1 × a day", "dalteparin 12 500 IU, 1 × a day"]
    first, second = shown.bars
    assert first.starts == TODAY - timedelta(days=170)
    assert not first.running
    assert second.running
    assert shown.counted_from == "the first day of treatment"


def test_values_are_old_to_new_and_in_the_units_of_the_rules(knowledge: Knowledge) -> None:
    shown = of("lymphoma-platelets", knowledge)
    assert [point.day for point in shown.platelets] == sorted(point.day for point in shown.platelets)
    assert shown.platelets[-1].value == 45
    assert [int(limit) for limit in shown.platelet_limits] == [25, 50, 100]
    assert [int(limit) for limit in shown.clearance_limits] == [30]


def test_creatinine_in_micromoles_gives_the_clearance_of_the_card(knowledge: Knowledge) -> None:
    assert f"{of('lung-renal', knowledge).clearance[-1].value:.1f}" == "29.9"


def test_without_a_clot_the_last_year_is_shown(knowledge: Knowledge) -> None:
    shown = of("plain-healthy", knowledge)
    assert shown.clot is None
    assert shown.milestones == ()
    assert shown.first <= TODAY - timedelta(days=365)


@pytest.mark.parametrize("patient", PATIENTS)
def test_every_picture_is_an_svg_that_runs_and_loads_nothing(knowledge: Knowledge, patient: str) -> None:
    drawn = picture.svg(of(patient, knowledge))
    root = ElementTree.fromstring(drawn)  # noqa: S314 - we made it
    assert root.tag.endswith("svg")
    for forbidden in ("<script", "<foreignObject", 'href="http', "style="):
        assert forbidden not in drawn
    assert "today" in "".join(root.itertext())


def test_the_picture_of_the_other_profile_has_its_limits(knowledge: Knowledge) -> None:
    limits = of("brief", knowledge, "contemporary-2023").platelet_limits
    assert limits
    assert all(str(int(limit)) in picture.svg(of("brief", knowledge, "contemporary-2023")) for limit in limits)


def test_a_missing_library_is_said(knowledge: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(picture.PictureMissingError):
        picture.svg(of("hodgkin-remission", knowledge, "contemporary-2023"))
