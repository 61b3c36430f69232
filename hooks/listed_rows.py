"""The rows of the code lists as they stand, readable even when they are wrong, and the faults found in them."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_SAYS = ("effect", "kind", "tags", "drug", "second_drug", "use", "analyte")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong: file below ``hooks/data``, line (0: the whole file), and what, in words."""

    file: str
    line: int
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRow:
    """One row with its place; a cell that is not there is empty."""

    file: str
    line: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column) or ""

    @property
    def topic(self) -> str:
        """What it is about: the topic of a condition or procedure, ``drug`` or ``laboratory``."""
        return self["topic"] or ("drug" if "drug" in self.cells else "laboratory")

    @property
    def code(self) -> tuple[str, str]:
        """System and code."""
        return self["system"], self["code"]

    @property
    def says(self) -> tuple[str, ...]:
        """What two rows of one code must agree on."""
        return tuple(" ".join(sorted(self[column].split())) for column in _SAYS)

    @property
    def place(self) -> str:
        """File and line."""
        return f"{self.file}:{self.line}"

    def fault(self, words: str) -> Fault:
        """A fault of this row."""
        return Fault(file=self.file, line=self.line, words=words)


def listed_rows(data: Path, file: str) -> Iterator[ListedRow]:
    """The rows of one file as they are; none where it cannot be read (the loaders say why)."""
    try:
        text = (data / file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return
    reader = csv.DictReader(text.splitlines())
    for row in reader:
        cells = {column: cell for column, cell in row.items() if isinstance(column, str) and isinstance(cell, str)}
        yield ListedRow(file=file, line=reader.line_num, cells=cells)
