"""Reads the tables of ``hooks/data``: CSV and TOML, numbers as Decimal, every fault with file, line and remedy.

``sources.toml`` is the lock file: it says of every listed file where it is from, under which licence
and pack, and its SHA-256. A listed file that was edited without a new lock is refused.
Codes of the known systems are brought to one form and checked here (SNOMED CT with its check digit).
"""

import csv
import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
LOCK = "sources.toml"
LOCAL_COLUMNS = ["table", "system", "code", "display", "match", "effect", "topic", "kind", "tags"]
LOCAL_COLUMNS += ["drug", "use", "strength", "strength_unit", "analyte", "remark"]
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD_9_CM = "http://hl7.org/fhir/sid/icd-9-cm"
SNOMED_CT = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC = "http://www.whocc.no/atc"
_FORMS = {
    ICD_10_CM: re.compile(r"[A-Z]\d[0-9A-Z](\.[0-9A-Z]{1,4})?"),
    ICD_9_CM: re.compile(r"(\d{3}|V\d\d)(\.\d{1,2})?|E\d{3}(\.\d)?"),
    "http://www.cms.gov/Medicare/Coding/ICD10": re.compile(r"[0-9A-HJ-NP-Z]{1,7}"),
    SNOMED_CT: re.compile(r"[1-9]\d{5,17}"),
    RXNORM: re.compile(r"[1-9]\d{0,7}"),
    "http://loinc.org": re.compile(r"\d{1,5}-\d"),
    ATC: re.compile(r"[A-Z](\d\d([A-Z]([A-Z](\d\d)?)?)?)?"),
    "http://www.ama-assn.org/go/cpt": re.compile(r"\d{4}[0-9A-Z]"),
    "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets": re.compile(r"[A-Z]\d{4}"),
}
_D5 = ["0123456789", "1234067895", "2340178956", "3401289567", "4012395678"]
_D5 += ["5987604321", "6598710432", "7659821043", "8765932104", "9876543210"]
_P8 = ["0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258"]
_VERHOEFF = [[[int(_D5[c][int(_P8[i][d])]) for d in range(10)] for c in range(10)] for i in range(8)]
_ZERO = ord("0")
_SHA_LINE = re.compile(r'^sha256 = "[0-9a-f]*"$', re.MULTILINE)


class KnowledgeError(Exception):
    """A file of the knowledge cannot be used: which file, which line, what is wrong, what to do."""

    def __init__(self, file: Path | str, line: int | None, problem: str, remedy: str) -> None:
        self.file = str(file)
        self.line = line
        self.problem = problem
        self.remedy = remedy
        where = f"{self.file}:{line}" if line else self.file
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a small table: cells by column name, with its place for messages."""

    file: Path
    line: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        if column not in self.cells:
            raise self.error(f"column {column!r} is missing", "add it to the first line and to every row")
        return self.cells[column]

    def decimal(self, column: str) -> Decimal:
        """The cell as a finite number. Raises KnowledgeError for anything else."""
        return number(self[column], self.file, self.line, column)

    def optional_decimal(self, column: str) -> Decimal | None:
        """As ``decimal``; None for an empty cell."""
        return self.decimal(column) if self[column] else None

    def integer(self, column: str) -> int:
        """The cell as a whole number. Raises KnowledgeError for anything else."""
        value = self.decimal(column)
        if value != int(value):
            raise self.error(f"{column} {self[column]!r} is not a whole number", "write it without a fraction")
        return int(value)

    def one_of(self, column: str, allowed: Iterable[str]) -> str:
        """The cell, which must be one of ``allowed``. Raises KnowledgeError for another."""
        return one_of(self[column], allowed, self.file, self.line, column)

    def error(self, problem: str, remedy: str) -> KnowledgeError:
        """A fault of this row, to be raised."""
        return KnowledgeError(self.file, self.line, problem, remedy)


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file, floats as Decimal. Raises KnowledgeError when it cannot be read."""
    text = _text(path)
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as fault:
        raise KnowledgeError(path, None, f"not valid TOML: {fault}", "correct the syntax at the place named") from fault


def read_rows(path: Path, columns: Sequence[str]) -> tuple[Row, ...]:
    """As ``read_cells``, each row with its cells by column name (for small tables)."""
    cells = read_cells(path, columns)
    return tuple(Row(file=path, line=line, cells=dict(zip(columns, row, strict=True))) for line, row in cells)


def read_cells(path: Path, columns: Sequence[str]) -> Iterable[tuple[int, list[str]]]:
    """The rows of a CSV file with their line numbers; the header must be exactly ``columns``.

    Raises KnowledgeError for a wrong header, a row of another length or space around a cell.
    """
    reader = csv.reader(_text(path).splitlines(), strict=True)
    try:
        header, *rows = reader
    except csv.Error as fault:
        raise KnowledgeError(path, reader.line_num, f"not valid CSV: {fault}", "check the quotes there") from fault
    except ValueError:
        header, rows = [], []
    if header != list(columns):
        remedy = f"the first line must be: {','.join(columns)}"
        raise KnowledgeError(path, 1, f"unexpected columns {','.join(header)}", remedy)
    if reader.line_num != len(rows) + 1:
        raise KnowledgeError(path, None, "a cell goes over more than one line", "write it on one line")
    every_cell = list(chain.from_iterable(rows))
    if set(map(len, rows)) - {len(header)} or list(map(str.strip, every_cell)) != every_cell:
        for line, cells in enumerate(rows, 2):
            if len(cells) != len(header):
                problem = f"{len(cells)} cells where {len(header)} are expected"
                raise KnowledgeError(path, line, problem, "quote a cell that holds a comma; no blank lines")
            if any(cell != cell.strip() for cell in cells):
                raise KnowledgeError(path, line, "space around a cell", "remove it")
    return enumerate(rows, 2)


def read_local(path: Path | None, table: str) -> list[Row]:
    """The rows of a site's own file that belong to ``table`` (condition, drug or lab); none without a file."""
    rows = read_rows(path, LOCAL_COLUMNS) if path else ()
    return [row for row in rows if row.one_of("table", ("condition", "drug", "lab")) == table]


def read_systems(data: Path = DATA) -> Mapping[str, str]:
    """Every known name of a code system (URI, OID; also in lower case) -> its canonical URI."""
    systems: dict[str, str] = {}
    for row in read_rows(data / "codes" / "systems.csv", ("alias", "system", "name")):
        if row["system"] not in _FORMS:
            raise row.error(f"unknown code system {row['system']!r}", f"use one of: {', '.join(_FORMS)}")
        systems[row["alias"]] = systems[row["alias"].casefold()] = row["system"]
    return systems


def normal_code(system: str, code: str) -> str:
    """A code in the one form of its system: trimmed, upper case, ICD with its dot."""
    code = code.strip()
    if code.isdecimal() and system != ICD_9_CM:
        return code
    code = code.upper()
    if system in (ICD_10_CM, ICD_9_CM):
        code = code.replace(".", "")
        category = 4 if system == ICD_9_CM and code.startswith("E") else 3
        if len(code) > category:
            code = f"{code[:category]}.{code[category:]}"
    return code


def code_problem(system: str, code: str) -> str:
    """What is wrong with a code of a known system, in words; "" when nothing is (an unknown system is not judged)."""
    form = _FORMS.get(system)
    if form and not form.fullmatch(code):
        return f"{code!r} has not the form of a code of {system}"
    if system == SNOMED_CT:
        check = 0
        for place, digit in enumerate(code[::-1].encode()):
            check = _VERHOEFF[place & 7][check][digit - _ZERO]
        if check:
            return f"{code!r} fails the check digit of SNOMED CT"
    return ""


def number(text: str, file: Path | str, line: int, column: str) -> Decimal:
    """A cell as a finite Decimal. Raises KnowledgeError for anything else."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise KnowledgeError(file, line, f"{column} {text!r} is not a number", "write it as digits with a point")
    return value


def one_of(text: str, allowed: Iterable[str], file: Path | str, line: int, column: str) -> str:
    """A cell that must be one of the ``allowed`` words. Raises KnowledgeError for another."""
    words = sorted(allowed)
    if text not in words:
        remedy = f"use one of: {', '.join(word or '(empty)' for word in words)}"
        raise KnowledgeError(file, line, f"unknown {column} {text!r}", remedy)
    return text


def sources(data: Path = DATA) -> Mapping[str, Source]:
    """The lock file: file name relative to ``data`` -> Source. Raises KnowledgeError when an entry is incomplete."""
    wanted = [name for name in Source.__dataclass_fields__ if name != "file"]
    found: dict[str, Source] = {}
    for file, entry in read_toml(data / LOCK).get("files", {}).items():
        if sorted(entry) != sorted(wanted) or not all(str(cell) for cell in entry.values()):
            remedy = f"give exactly: {', '.join(wanted)}"
            raise KnowledgeError(data / LOCK, None, f"entry {file!r} is incomplete", remedy)
        found[file] = Source(file=file, **{name: str(entry[name]) for name in wanted})
    return found


def in_packs(file: str, packs: frozenset[str] | None, data: Path = DATA) -> bool:
    """Whether a listed file belongs to ``packs`` (None: all). Pack "core" is always there.

    Raises KnowledgeError for a file that the lock file does not list.
    """
    source = _lock(data).get(file)
    if source is None:
        raise KnowledgeError(data / file, None, "not listed in sources.toml", "add an entry with source and licence")
    return packs is None or source.pack == "core" or source.pack in packs


def check_packs(packs: frozenset[str] | None, data: Path = DATA) -> None:
    """Raises KnowledgeError when ``packs`` names one that no file belongs to."""
    known = {source.pack for source in _lock(data).values()}
    for pack in sorted(packs or ()):
        if pack not in known:
            raise KnowledgeError(data / LOCK, None, f"unknown pack {pack!r}", f"known are: {', '.join(sorted(known))}")


def relock(data: Path = DATA) -> str:
    """The text of ``sources.toml`` with the hash of every listed file brought up to date (for the command line).

    A file that is not there (a pack left out) keeps its hash.
    """
    blocks = re.split(r"(?m)^(?=\[files\.)", _text(data / LOCK))
    for index, block in enumerate(blocks):
        name = re.match(r'\[files\."([^"]+)"\]', block)
        if name and (data / name[1]).exists():
            digest = hashlib.sha256((data / name[1]).read_bytes()).hexdigest()
            blocks[index] = _SHA_LINE.sub(f'sha256 = "{digest}"', block)
    return "".join(blocks)


@lru_cache(maxsize=4)
def _lock_of(data: Path, stamp: int) -> Mapping[str, Source]:
    """The lock file as it was at ``stamp``, so that an edited one is read again."""
    return sources(data) if stamp else {}


def _lock(data: Path) -> Mapping[str, Source]:
    path = data / LOCK
    return _lock_of(data, path.stat().st_mtime_ns if path.exists() else 0)


def _text(path: Path) -> str:
    """The text of a file, its hash compared with the lock file above it where it is listed there."""
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
    except OSError as fault:
        remedy = "put the file back, or leave its pack out of the settings"
        raise KnowledgeError(path, None, "cannot be read", remedy) from fault
    except UnicodeDecodeError as fault:
        raise KnowledgeError(path, None, "is not UTF-8", "save it as UTF-8") from fault
    if path.name != LOCK:
        for data in (path.parent, path.parent.parent):
            source = _lock(data).get(path.relative_to(data).as_posix())
            if source and source.sha256 != hashlib.sha256(raw).hexdigest():
                remedy = "undo the edit, or review it and run: cat-cds codes lock"
                raise KnowledgeError(path, None, "was edited: its hash is not the one in sources.toml", remedy)
    return text
