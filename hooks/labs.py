"""Laboratory codes and units -> canonical values: exact factors, plausible ranges, or the reason for no value."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from hooks.facts import Coding
from hooks.tables import (
    DATA,
    Row,
    check_packs,
    code_problem,
    in_packs,
    normal_code,
    read_local,
    read_rows,
    read_systems,
)

LOINC_COLUMNS = ["system", "code", "display", "effect", "analyte", "remark", "note", "checks", "source"]
ANALYTE_COLUMNS = ["analyte", "title", "canonical_unit", "source"]
UNIT_COLUMNS = ["analyte", "unit", "multiply_by", "divide_by", "plausible_low", "plausible_high"]
UNIT_COLUMNS += ["looks_like", "looks_low", "looks_high", "refused", "source"]
SPELLING_COLUMNS = ["analyte", "spelling", "unit"]
EFFECTS = ("include", "exclude", "context")
CONTEXTS = ("egfr", "anti-xa", "inr", "aptt", "pregnancy-status", "cancer-disease-status")
_RAISED = str.maketrans({"⁰": "^0", "¹": "^1", "²": "^2", "³": "^3", "⁴": "^4", "⁶": "^6", "⁹": "^9"})
_LONGEST_UNIT = 40
_ANNOTATION = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabCode:
    """What a laboratory code measures; ``remark`` says what makes it weaker ("estimated from a smear")."""

    analyte: str
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit of one analyte: exact factor to the canonical unit, plausible range and likely mistake in this unit."""

    name: str
    multiply_by: Decimal
    divide_by: Decimal
    plausible_low: Decimal
    plausible_high: Decimal
    looks_like: str = ""
    looks_low: Decimal | None = None
    looks_high: Decimal | None = None
    refused: str = ""

    def canonical(self, value: Decimal) -> Decimal | str:
        """``value`` of this unit in the canonical one, unrounded; or why not, in words."""
        if self.refused:
            return f"{self.name} is {self.refused}"
        if self.plausible_low <= value <= self.plausible_high:
            return value * self.multiply_by / self.divide_by
        likely = (
            f": looks like {self.looks_like}"
            if self.looks_low is not None and self.looks_high is not None and self.looks_low <= value <= self.looks_high
            else ""
        )
        return f"{_plain(value)} {self.name} is implausible{likely}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabBook:
    """What laboratory codes measure and how their values are brought to one unit. Made by ``load_labs``."""

    systems: Mapping[str, str]
    titles: Mapping[str, str]
    codes: Mapping[tuple[str, str], tuple[str, LabCode]]
    units: Mapping[tuple[str, str], Unit]

    def analyte(self, codings: Sequence[Coding]) -> LabCode | None:
        """The analyte that the codings of one Observation measure; a coding that must not be used for it wins."""
        found = [entry for coding in codings if (entry := self._entry(coding))]
        if any(effect == "exclude" for effect, _ in found):
            return None
        return next((code for effect, code in found if effect == "include"), None)

    def context(self, codings: Sequence[Coding]) -> str:
        """What an Observation that is no analyte is about: "pregnancy-status", "egfr", ...; else ""."""
        found = (entry for coding in codings if (entry := self._entry(coding)))
        return next((code.analyte for effect, code in found if effect == "context"), "")

    def canonical(self, analyte: str, value: Decimal, unit_code: str, unit_text: str) -> Decimal | str:
        """A value in the canonical unit of ``analyte``, unrounded; or the reason why not, in words for a clinician.

        The unit's code is tried first, then its text; a missing unit is never guessed.
        """
        if not value.is_finite():
            return "not a number"
        if not unit_code.strip() and not unit_text.strip():
            return "no unit"
        by_code, by_text = self._unit(analyte, unit_code), self._unit(analyte, unit_text)
        unit = by_code or by_text
        if unit is None:
            return f"unit '{(unit_code or unit_text).strip()}' not known"
        if by_code and by_text and by_code != by_text:
            return f"unit code '{unit_code.strip()}' and unit text '{unit_text.strip()}' contradict each other"
        return unit.canonical(value)

    def _entry(self, coding: Coding) -> tuple[str, LabCode] | None:
        system = self.systems.get(coding.system, coding.system)
        return self.codes.get((system, normal_code(system, coding.code)))

    def _unit(self, analyte: str, text: str) -> Unit | None:
        if not text.strip():
            return None
        spelling = _spelling(text)
        return self.units.get((analyte, spelling)) or self.units.get((analyte, _ANNOTATION.sub("", spelling)))


def load_labs(packs: frozenset[str] | None = None, local_rows: Path | None = None, data: Path = DATA) -> LabBook:
    """The laboratory tables and the ``lab`` rows of the site's own file, whose rows win.

    Raises:
        KnowledgeError: a file is missing, edited or wrong, or an analyte has no unit or none that is canonical.
    """
    check_packs(packs, data)
    systems = read_systems(data)
    analytes = {row["analyte"]: row for row in read_rows(data / "labs.csv", ANALYTE_COLUMNS)}
    codes: dict[tuple[str, str], tuple[str, LabCode]] = {}
    file = "codes/labs-loinc.csv"
    rows = read_rows(data / file, LOINC_COLUMNS) if in_packs(file, packs, data) else ()
    for row in rows:
        key, entry = _lab_code(row, systems, analytes)
        if key in codes:
            raise row.error(f"{row['code']} is there twice", "keep one of the two rows")
        codes[key] = entry
    for row in read_local(local_rows, "lab"):
        key, entry = _lab_code(row, systems, analytes)
        codes[key] = entry
    titles = {analyte: row["title"] for analyte, row in analytes.items()}
    return LabBook(systems=systems, titles=titles, codes=codes, units=_units(analytes, data))


def _lab_code(
    row: Row, systems: Mapping[str, str], analytes: Mapping[str, Row]
) -> tuple[tuple[str, str], tuple[str, LabCode]]:
    system = systems.get(row["system"], row["system"])
    code = normal_code(system, row["code"])
    effect = row.one_of("effect", EFFECTS)
    analyte = row.one_of("analyte", CONTEXTS if effect == "context" else analytes)
    problem = code_problem(system, code) if system and code else "code or system is empty"
    if problem:
        raise row.error(problem, "correct the code")
    return (system, code), (effect, LabCode(analyte=analyte, remark=row["remark"]))


def _units(analytes: Mapping[str, Row], data: Path) -> Mapping[tuple[str, str], Unit]:
    """(analyte, folded spelling) -> Unit."""
    named: dict[tuple[str, str], Unit] = {}
    for row in read_rows(data / "lab-units.csv", UNIT_COLUMNS):
        key = (row.one_of("analyte", analytes), row["unit"])
        if key in named:
            raise row.error(f"unit {row['unit']!r} is there twice", "keep one of the two rows")
        named[key] = _unit(row)
    for analyte, row in analytes.items():
        unit = named.get((analyte, row["canonical_unit"]))
        if unit is None or unit.multiply_by != unit.divide_by:
            remedy = "add it to lab-units.csv with factor 1"
            raise row.error(f"canonical unit {row['canonical_unit']!r} of {analyte} is not a unit of it", remedy)
    spelled: dict[tuple[str, str], Unit] = {}
    for row in read_rows(data / "lab-unit-spellings.csv", SPELLING_COLUMNS):
        found = named.get((row["analyte"], row["unit"]))
        if found is None:
            raise row.error(f"unit {row['unit']!r} of {row['analyte']!r} is not known", "add it to lab-units.csv")
        if spelled.setdefault((row["analyte"], _spelling(row["spelling"])), found) != found:
            raise row.error(f"spelling {row['spelling']!r} stands for two units", "keep one of them")
    return spelled


def _unit(row: Row) -> Unit:
    unit = Unit(
        name=row["unit"],
        multiply_by=row.decimal("multiply_by"),
        divide_by=row.decimal("divide_by"),
        plausible_low=row.decimal("plausible_low"),
        plausible_high=row.decimal("plausible_high"),
        looks_like=row["looks_like"],
        looks_low=row.optional_decimal("looks_low"),
        looks_high=row.optional_decimal("looks_high"),
        refused=row["refused"],
    )
    if unit.multiply_by <= 0 or unit.divide_by <= 0 or unit.plausible_low >= unit.plausible_high:
        raise row.error("factor or plausible range is impossible", "factors above 0, low below high")
    if bool(unit.looks_like) != (unit.looks_low is not None) or (unit.looks_low is None) != (unit.looks_high is None):
        raise row.error("looks_like, looks_low and looks_high belong together", "give all three or none")
    return unit


def _spelling(text: str) -> str:
    """A unit as written, without what writers vary: space, case, raised digits, the two micro signs, × and x."""
    return _short_spelling(text) if len(text) <= _LONGEST_UNIT else _folded(text)


@lru_cache(maxsize=2048)
def _short_spelling(text: str) -> str:
    return _folded(text)


def _folded(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text.translate(_RAISED)).casefold()
    return "".join(folded.split()).replace("μ", "u").replace("×", "x")


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f")
