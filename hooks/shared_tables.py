"""The tables that several rules share, as a clinician reads them: doses, limits, interacting medicines."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hooks.drugs import INTERACTIONS
from hooks.knowledge import Knowledge
from hooks.tables import DATA, read_cells
from hooks.threshold_words import Words

FILES = ("regimens", "dalteparin-bands", "fixed-doses", "syringes", "limits", "intent")
"""The files of ``data/dosing`` in the order in which they are read."""
_NAMED = frozenset({"drug", "phase", "name", "intent", "measure"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedTable:
    """One table: what it holds, its headings, its rows; all in words and with their sources."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def shared_tables(knowledge: Knowledge, words: Words) -> tuple[SharedTable, ...]:
    """The dose tables and the medicines that interact with a direct oral anticoagulant."""
    return (*(_dose_table(name, words) for name in FILES), _interactions(knowledge, words))


def _dose_table(name: str, words: Words) -> SharedTable:
    path = DATA / "dosing" / f"{name}.csv"
    columns = _columns(path)
    spell = [column in _NAMED for column in columns]
    rows = (
        tuple(words.name(cell) if named else cell for cell, named in zip(cells, spell, strict=True))
        for _, cells in read_cells(path, columns)
    )
    headings = tuple(_capital(words.label(f"column/{column}")) for column in columns)
    return SharedTable(title=words.label(f"table/{name}"), headings=headings, rows=tuple(rows))


def _columns(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").partition("\n")[0].split(",")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _interactions(knowledge: Knowledge, words: Words) -> SharedTable:
    def rows() -> Iterator[tuple[str, str]]:
        for group in filter(None, INTERACTIONS):
            names = sorted(drug.name for drug in knowledge.drugs.drugs.values() if drug.interaction == group)
            yield words.name(group), ", ".join(names)

    headings = ("Effect on the anticoagulant", "Medicines")
    return SharedTable(title=words.label("table/interactions"), headings=headings, rows=tuple(rows()))
