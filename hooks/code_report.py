"""What is wrong with the code lists, all of it at once: for the person who edits them (``cat-cds codes check``).

The loaders stop at the first fault, because a service must not start with one. This report goes on, and compares the
lists with second sources: the classification itself, the strength and the name in a product's display.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hooks import codes, drugs, labs
from hooks.code_labels import LAB_FILE, Describe, drug_names, icd_labels, loinc_labels, strengths
from hooks.drugs import DrugBook
from hooks.listed_rows import Fault, ListedRow, listed_rows
from hooks.tables import (
    DATA,
    LOCK,
    KnowledgeError,
    code_problem,
    normal_code,
    read_systems,
    sources,
)

LOINC = "http://loinc.org"
FILES = (*codes.FILES, *drugs.FILES, LAB_FILE)
_COMPANIONS = frozenset({frozenset({"bleeding", "pregnancy"}), frozenset({"disease-status", "malignancy"})})
"""Topics that one code may belong to at the same time: an obstetric bleed, a cancer with its status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All faults in the order of the files, rows per file and meaning, and how many rows no source was found for."""

    faults: tuple[Fault, ...]
    counts: Mapping[tuple[str, str], int]
    unverified: int
    compared: tuple[str, ...]


def report(data: Path = DATA, icd_10_cm: Describe | None = None) -> Report:
    """Everything that is wrong under ``data``. With ``icd_10_cm`` labels are compared with the classification."""
    rows = [row for file in FILES for row in listed_rows(data, file)]
    found: list[Fault] = [*_unlisted(data), *_malformed(data, rows), *_repeated(rows), *_contradictions(rows)]
    found += [*_shadowed(rows), *loinc_labels(rows), *strengths(rows), *_incomplete(data), *_refused(data, found)]
    compared = ["RxNorm strengths", "LOINC names"]
    if icd_10_cm is not None:
        found += icd_labels(rows, icd_10_cm)
        compared.append("ICD-10-CM labels")
    book = _book(data)
    if book is not None:
        found += drug_names(rows, book)
        compared.append("drug names")
    return Report(
        faults=tuple(sorted(dict.fromkeys(found), key=lambda fault: (fault.file, fault.line))),
        counts=Counter((row.file, f"{row.topic} {row['kind'] or row['analyte'] or row['effect']}") for row in rows),
        unverified=sum(row["checks"] == "0" for row in rows),
        compared=tuple(compared),
    )


def _unlisted(data: Path) -> Iterator[Fault]:
    """Files that the lock file does not know, lists that are not there, and edits without a new lock."""
    try:
        listed = sources(data)
    except KnowledgeError as fault:
        yield Fault(file=LOCK, line=fault.line or 0, words=fault.problem)
        return
    for path in sorted((data / "codes").glob("*.csv")):
        file = path.relative_to(data).as_posix()
        if file not in listed:
            yield Fault(file=file, line=0, words="is not in sources.toml: say where it is from, under which licence")
    for file, source in listed.items():
        if not (data / file).is_file():
            yield Fault(file=file, line=0, words="is in sources.toml and not there")
        elif hashlib.sha256((data / file).read_bytes()).hexdigest() != source.sha256:
            yield Fault(file=file, line=0, words="was edited: review the edit, then run cat-cds codes lock")


def _malformed(data: Path, rows: Iterable[ListedRow]) -> Iterator[Fault]:
    try:
        known = set(read_systems(data).values())
    except KnowledgeError:
        return
    for row in rows:
        system, code = row.code
        if system not in known:
            yield row.fault(f"code system {system!r} is not in systems.csv")
        problem = code_problem(system, code) or ("" if normal_code(system, code) == code else "is not in normal form")
        if problem:
            yield row.fault(f"code {code!r}: {problem}")
        elif system == LOINC and not loinc_digit_fits(code):
            yield row.fault(f"code {code!r} fails the check digit of LOINC")
        if not row["source"] or not row["checks"].isdecimal():
            yield row.fault("says no source, or not in how many it was found")


def loinc_digit_fits(code: str) -> bool:
    """Whether the digit after the hyphen is the one that LOINC computes: modulus 10, every second digit doubled."""
    digits = [int(digit) for digit in reversed(code.replace("-", ""))]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _repeated(rows: Iterable[ListedRow]) -> Iterator[Fault]:
    """One code twice in one file and topic. Two packs may both hold it, since one of them may be left out."""
    seen: dict[tuple[str, ...], ListedRow] = {}
    for row in rows:
        key = (row.file, *row.code, row.topic, row["match"])
        first = seen.setdefault(key, row)
        if first is not row:
            yield row.fault(f"{row['code']} stands in line {first.line} already")


def _contradictions(rows: Iterable[ListedRow]) -> Iterator[Fault]:
    """One code in two groups that cannot both be true."""
    seen: dict[tuple[str, str], dict[str, ListedRow]] = {}
    for row in rows:
        topics = seen.setdefault(row.code, {})
        first = topics.setdefault(row.topic, row)
        if first.says != row.says:
            yield row.fault(f"{row['code']} means something else in {first.place}")
        if row["effect"] not in ("include", "instead"):
            continue
        for topic, other in topics.items():
            apart = topic != row.topic and frozenset({topic, row.topic}) not in _COMPANIONS
            if apart and other["effect"] in ("include", "instead"):
                yield row.fault(f"{row['code']} is {row.topic} here and {topic} in {other.place}")


def _shadowed(rows: Iterable[ListedRow]) -> Iterator[Fault]:
    """A row below a prefix that turns its effect round, and no note says why. "ignore" is there to be overruled."""
    rows = list(rows)
    prefixes = {(row["system"], row.topic, row["code"]): row for row in rows if row["match"] == "prefix"}
    for row in rows:
        system, code = row.code
        above = (prefixes.get((system, row.topic, code[:length])) for length in range(len(code) - 1, 0, -1))
        prefix = next(filter(None, above), None)
        if prefix is None or row["note"] or "ignore" in (prefix["effect"], row["effect"]):
            continue
        too_broad = row.topic == "drug" and prefix["effect"] == "exclude"  # a class of several kinds of drugs
        if prefix["effect"] != row["effect"] and not too_broad:
            words = f"{code} is {row['effect']} below {prefix['code']}, {prefix['effect']} ({prefix.place}): note why"
            yield row.fault(words)


def _book(data: Path) -> DrugBook | None:
    try:
        return drugs.load_drugs(data=data)
    except KnowledgeError:
        return None


def _incomplete(data: Path) -> Iterator[Fault]:
    """What is declared and can never be found: a drug without code or name, a unit that no spelling leads to."""
    coded = {
        row[column] for file in drugs.FILES for row in listed_rows(data, file) for column in ("drug", "second_drug")
    }
    named = {row["drug"] for row in listed_rows(data, "codes/drug-names.csv")}
    for row in listed_rows(data, "codes/drugs.csv"):
        if row["drug"] not in coded:
            yield row.fault(f"{row['drug']} has no code in {', '.join(drugs.FILES)}")
        if row["drug"] not in named:
            yield row.fault(f"{row['drug']} has no name in codes/drug-names.csv")
    spelled = {(row["analyte"], row["unit"]) for row in listed_rows(data, "lab-unit-spellings.csv")}
    for row in listed_rows(data, "lab-units.csv"):
        if (row["analyte"], row["unit"]) not in spelled:
            yield row.fault(f"{row['unit']} of {row['analyte']} has no spelling in lab-unit-spellings.csv")


def _refused(data: Path, told: Iterable[Fault]) -> Iterator[Fault]:
    """What the loaders refuse, where no fault of that line was told."""
    known = {(fault.file, fault.line) for fault in told}
    for load in (codes.load_codes, drugs.load_drugs, labs.load_labs):
        try:
            load(data=data)
        except KnowledgeError as fault:
            path = Path(fault.file)
            file = path.relative_to(data).as_posix() if path.is_relative_to(data) else fault.file
            if (file, fault.line or 0) not in known:
                yield Fault(file=file, line=fault.line or 0, words=f"{fault.problem}. Remedy: {fault.remedy}")
