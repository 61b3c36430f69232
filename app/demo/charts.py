"""The charts of the fixture patients, read from disk when first asked for and dated as if written today."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

import orjson

from app.demo.dates import Resource, shifted

_CHARTS_KEPT = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts:
    """A folder of charts: ``<patient id>.json``, each a Bundle of one patient, and ``anchor.toml``.

    Every resource id is the patient's id or begins with it and a hyphen. Nothing is read before it is asked for;
    what was read is kept for the day. The resources handed out are shared: do not change them.
    """

    folder: Path
    today: Callable[[], date]

    def patient_ids(self) -> tuple[str, ...]:
        """The ids of all patients, in alphabetical order."""
        return tuple(sorted(path.stem for path in self.folder.glob("*.json")))

    def chart(self, patient_id: str) -> tuple[Resource, ...]:
        """All resources of one patient, the Patient first; empty when there is no such patient."""
        if patient_id not in self.patient_ids():
            return ()
        days = (self.today() - anchor(self.folder)).days
        return _chart_moved(self.folder / f"{patient_id}.json", days)

    def owners(self, resource_id: str) -> tuple[str, ...]:
        """The patients in whose chart a resource of that id can be."""
        return tuple(
            patient for patient in self.patient_ids() if resource_id == patient or resource_id.startswith(f"{patient}-")
        )

    def find(self, resource_type: str, resource_id: str) -> Resource | None:
        """The resource of that type and id, or None."""
        for patient in self.owners(resource_id):
            for resource in self.chart(patient):
                if resource["resourceType"] == resource_type and resource["id"] == resource_id:
                    return resource
        return None


@lru_cache(maxsize=8)
def anchor(folder: Path) -> date:
    """The day for which the charts of the folder were written (``anchor.toml``)."""
    day = tomllib.loads((folder / "anchor.toml").read_text(encoding="utf-8"))["anchor"]
    if not isinstance(day, date):
        raise TypeError("anchor.toml: 'anchor' must be a date, for example: anchor = 2026-01-15")
    return day


@lru_cache(maxsize=_CHARTS_KEPT)
def _chart_moved(path: Path, days: int) -> tuple[Resource, ...]:
    bundle = orjson.loads(path.read_bytes())
    return tuple(shifted(entry["resource"], days) for entry in bundle["entry"])
