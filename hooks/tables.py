"""Reads the tables of ``hooks/data``: CSV and TOML, numbers as Decimal, every fault with file, line and remedy.

``sources.toml`` is the lock file: it says of every listed file where it is from, under which licence
and pack, and its SHA-256. A listed file that was edited without a new lock is refused.
"""

import csv
import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
LOCK = "sources.toml"
_SHA_LINE = re.compile(r'^sha256 = "[0-9a-f]*"$', re.MULTILINE)


class KnowledgeError(Exception):
    """A file of the knowledge cannot be used: which file, which line, what is wrong, what to do."""

    def __init__(self, file: Path | str, line: int | None, problem: str, remedy: str) -> None:
        self.file = str(file)
        self.line = line
        self.problem = problem
        self.remedy = remedy
        where = self.file if line is None else f"{self.file}:{line}"
        super().__init__(f"{where}: {problem}. Remedy: {remedy}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What the lock file says of one file: origin, licence, pack (what a deployer may leave out), hash."""

    file: str
    title: str
    publisher: str
    version: str
    licence: str
    pack: str
    retrieved: str
    sha256: str


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file, floats as Decimal. Raises KnowledgeError when it cannot be read."""
    text = _text(path)
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as fault:
        raise KnowledgeError(path, None, f"not valid TOML: {fault}", "correct the syntax at the place named") from fault


def read_csv(path: Path, columns: Sequence[str]) -> list[tuple[int, list[str]]]:
    """The rows of a CSV file with their line numbers; the header must be exactly ``columns``.

    Raises KnowledgeError for a wrong header, a row of another length or space around a cell.
    """
    lines = csv.reader(_text(path).splitlines(), strict=True)
    rows: list[tuple[int, list[str]]] = []
    width = len(columns)
    try:
        header = next(lines, [])
        if header != list(columns):
            remedy = f"the first line must be: {','.join(columns)}"
            raise KnowledgeError(path, 1, f"unexpected columns {','.join(header)}", remedy)
        for cells in lines:
            if len(cells) != width:
                problem = f"{len(cells)} cells where {width} are expected"
                raise KnowledgeError(path, lines.line_num, problem, "quote cells that hold a comma; leave no blank line")
            if any(cell != cell.strip() for cell in cells):
                raise KnowledgeError(path, lines.line_num, "space around a cell", "remove it")
            rows.append((lines.line_num, cells))
    except csv.Error as fault:
        raise KnowledgeError(path, lines.line_num, f"not valid CSV: {fault}", "check the quotes of that line") from fault
    return rows


def read_records(path: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """As ``read_csv``, each row as a dictionary by column name (for small tables)."""
    return [(line, dict(zip(columns, cells, strict=True))) for line, cells in read_csv(path, columns)]


def number(text: str, path: Path, line: int, column: str) -> Decimal:
    """A cell as a finite Decimal. Raises KnowledgeError for anything else."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise KnowledgeError(path, line, f"{column} {text!r} is not a number", "write it as digits with a point")
    return value


def optional_number(text: str, path: Path, line: int, column: str) -> Decimal | None:
    """As ``number``; None for an empty cell."""
    return number(text, path, line, column) if text else None


def one_of(text: str, allowed: Sequence[str] | frozenset[str], path: Path, line: int, column: str) -> str:
    """A cell that must be one of the ``allowed`` words. Raises KnowledgeError for another."""
    if text not in allowed:
        remedy = f"use one of: {', '.join(sorted(word or '(empty)' for word in allowed))}"
        raise KnowledgeError(path, line, f"unknown {column} {text!r}", remedy)
    return text


def sources(data: Path = DATA) -> Mapping[str, Source]:
    """The lock file: file name relative to ``data`` -> Source. Raises KnowledgeError when an entry is incomplete."""
    path = data / LOCK
    wanted = [name for name in Source.__dataclass_fields__ if name != "file"]
    found: dict[str, Source] = {}
    for file, entry in read_toml(path).get("files", {}).items():
        missing = [name for name in wanted if not str(entry.get(name, ""))]
        if missing or set(entry) - set(wanted):
            raise KnowledgeError(path, None, f"entry {file!r} is incomplete", f"give exactly: {', '.join(wanted)}")
        found[file] = Source(file=file, **{name: str(entry[name]) for name in wanted})
    return found


def in_packs(file: str, packs: frozenset[str] | None, data: Path = DATA) -> bool:
    """Whether a listed file belongs to ``packs`` (None: all). Pack "core" is always there.

    Raises KnowledgeError for a file that the lock file does not list.
    """
    source = _lock(data).get(file)
    if source is None:
        raise KnowledgeError(data / file, None, "not listed in sources.toml", "add an entry with its source and licence")
    return packs is None or source.pack == "core" or source.pack in packs


def check_packs(packs: frozenset[str] | None, data: Path = DATA) -> None:
    """Raises KnowledgeError when ``packs`` names one that no file belongs to."""
    known = {source.pack for source in _lock(data).values()}
    for pack in sorted((packs or frozenset()) - known):
        one_of(pack, frozenset(known), data / LOCK, 1, "pack")


def relock(data: Path = DATA) -> str:
    """The text of ``sources.toml`` with the hash of every listed file brought up to date (for the command line).

    A file that is not there (a pack left out) keeps its hash.
    """
    _lock.cache_clear()
    blocks = re.split(r"(?m)^(?=\[files\.)", _text(data / LOCK))
    for index, block in enumerate(blocks):
        name = re.match(r'\[files\."([^"]+)"\]', block)
        if name and (data / name[1]).exists():
            digest = hashlib.sha256((data / name[1]).read_bytes()).hexdigest()
            blocks[index] = _SHA_LINE.sub(f'sha256 = "{digest}"', block)
    return "".join(blocks)


def fingerprint(data: Path = DATA) -> str:
    """A short hash over the lock file: the version of the code lists in use."""
    return hashlib.sha256((data / LOCK).read_bytes()).hexdigest()[:12]


@lru_cache(maxsize=8)
def _lock(data: Path) -> Mapping[str, Source]:
    return sources(data)


def _text(path: Path) -> str:
    """The text of a file, its hash compared with the lock file beside it where it is listed there."""
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8")
    except OSError as fault:
        remedy = "put the file back, or leave its pack out of the settings"
        raise KnowledgeError(path, None, "cannot be read", remedy) from fault
    except UnicodeDecodeError as fault:
        raise KnowledgeError(path, None, "is not UTF-8", "save it as UTF-8") from fault
    for data in path.parents[:2]:
        if path.name != LOCK and (data / LOCK).exists():
            source = _lock(data).get(path.relative_to(data).as_posix())
            if source and source.sha256 != hashlib.sha256(raw).hexdigest():
                remedy = "undo the edit, or review it and run: cat-cds codes lock"
                raise KnowledgeError(path, None, "was edited: its hash is not the one in sources.toml", remedy)
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a small table, with where it is, so that a fault in it can be named."""

    path: Path
    line: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        """The cell of a column."""
        return self.cells[column]

    def decimal(self, column: str) -> Decimal:
        """The cell as a finite number. Raises KnowledgeError for anything else."""
        return number(self.cells[column], self.path, self.line, column)

    def optional_decimal(self, column: str) -> Decimal | None:
        """As ``decimal``; None for an empty cell."""
        return optional_number(self.cells[column], self.path, self.line, column)

    def integer(self, column: str) -> int:
        """The cell as a whole number. Raises KnowledgeError for anything else."""
        value = self.decimal(column)
        if value != value.to_integral_value():
            raise self.error(f"{column} {value} is not a whole number", "write it without a fraction")
        return int(value)

    def error(self, problem: str, remedy: str) -> KnowledgeError:
        """A KnowledgeError that names this row."""
        return KnowledgeError(self.path, self.line, problem, remedy)


def read_rows(path: Path, columns: Sequence[str]) -> tuple[Row, ...]:
    """As ``read_records``, each row with its place."""
    return tuple(Row(path=path, line=line, cells=cells) for line, cells in read_records(path, columns))
