"""The patients of the demo EHR: a name, a line of their story, and the order that it is about."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.demo.charts import Charts
from app.demo.ehr.chart import name_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One patient of the list. ``order`` is the one that the story is about, {} when there is none.

    ``is_lesson``: it shows a rule at work, and is not the twin of one that does.
    """

    id: str
    name: str
    story: str = ""
    order: Mapping[str, Any] = field(default_factory=dict)
    is_lesson: bool = False


def stories(charts: Charts) -> tuple[Story, ...]:
    """All patients: those told of in ``patients.toml`` (beside the folder of charts) first, in its order."""
    told = [_story(row) for row in _rows(charts.folder.parent / "patients.toml")]
    here = charts.patient_ids()
    named = {story.id for story in told}
    untold = [Story(id=patient, name=name_of(charts.chart(patient)[0])) for patient in here if patient not in named]
    return (*(story for story in told if story.id in here), *untold)


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    rows: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))["patients"]
    return rows


def _story(row: Mapping[str, Any]) -> Story:
    return Story(
        id=row["id"], name=row["name"], story=row["story"], order=row.get("order", {}), is_lesson="rule" in row
    )
