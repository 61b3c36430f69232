"""Medication codes and names -> Drug: RxNorm, ATC, SNOMED CT, local codes; names only when no code is known."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Literal, NamedTuple

from hooks.facts import Coding, Drug
from hooks.tables import (
    ATC,
    DATA,
    RXNORM,
    SNOMED_CT,
    KnowledgeError,
    Row,
    check_packs,
    code_problem,
    in_packs,
    normal_code,
    number,
    one_of,
    read_cells,
    read_local,
    read_rows,
    read_systems,
)

Matched = Literal["RxNorm", "ATC", "SNOMED CT", "local code", "name"]
FILES = ("codes/drugs-rxnorm.csv", "codes/drugs-atc.csv", "codes/drugs-snomed.csv")
DRUG_COLUMNS = ["drug", "scope", "anticoagulant", "thrombolytic", "antineoplastic", "ambiguous", "interaction"]
DRUG_COLUMNS += ["antiplatelet", "note", "source"]
CODE_COLUMNS = ["system", "code", "display", "match", "effect", "drug", "second_drug", "term_type", "use"]
CODE_COLUMNS += ["strength", "strength_unit", "note", "checks", "source"]
NAME_COLUMNS = ["name", "drug", "use", "name_kind", "source"]
WORD_COLUMNS = ["word", "use", "applies_to", "source"]
ANTICOAGULANTS = ("", "LMWH", "UFH", "VKA", "DOAC-Xa", "DOAC-IIa", "parenteral-Xa", "parenteral-DTI", "heparinoid")
INTERACTIONS = (  # the strongest first
    "inducer-strong",
    "inhibitor-combined",
    "inhibitor-moderate-or-pgp",
    "inducer-moderate-or-weak",
    "antiplatelet-or-nsaid",
    "",
)
USES = ("", "systemic", "infusion-bag", "flush", "line-irrigation", "catheter-lock", "catheter-clearance", "local")
TERM_TYPES = ("", "IN", "PIN", "MIN", "BN", "SCDC", "SCD", "SBD", "GPCK", "BPCK")
_BARE = ("", "IN", "PIN", "MIN", "BN")
_RANK: Mapping[Matched, int] = {"RxNorm": 0, "ATC": 1, "SNOMED CT": 2, "local code": 3, "name": 4}
_MATCHED_BY: Mapping[str, Matched] = {RXNORM: "RxNorm", ATC: "ATC", SNOMED_CT: "SNOMED CT"}
_WORD = re.compile(r"\w+")
_REMEMBERED = 5_000


class DrugCode(NamedTuple):
    """What a medication code stands for; ``drug`` is "" for one that is known and too broad to act on."""

    drug: str
    second_drug: str
    bare: bool
    use: str
    strength: Decimal | None
    strength_unit: str
    display: str
    matched_by: Matched


@dataclass(frozen=True, slots=True, kw_only=True)
class DrugBook:
    """Which drug a medication is. Made by ``load_drugs``."""

    systems: Mapping[str, str]
    drugs: Mapping[str, Drug]
    classes: frozenset[str]
    codes: Mapping[tuple[str, str], DrugCode]
    prefixes: Mapping[tuple[str, str], DrugCode]
    names: Mapping[str, tuple[tuple[str, str, str], ...]]
    words: tuple[tuple[re.Pattern[str], str, str], ...]
    _seen: dict[str, Drug | None] = field(default_factory=dict, repr=False, compare=False)

    def match(self, codings: Sequence[Coding], text: str) -> Drug | None:
        """The drug of a medication's codings and text; None when it is none of the knowledge's.

        RxNorm wins over ATC, SNOMED CT and local codes, a product over its ingredient. Names are read only when
        no code is known: the display of unknown codes, then the text. Words such as "flush" or "cream" in display
        or text decide what a bare ingredient is used for.
        """
        known: list[DrugCode] = []
        unknown: list[str] = []
        for coding in codings:
            entry = self._entry(coding)
            if entry is None:
                unknown.append(coding.display)
            elif entry.drug:
                known.append(entry)
        if known:
            best = min(known, key=lambda code: (_RANK[code.matched_by], code.bare))
            known_as = self._drug(best)
            texts = [text, *(coding.display for coding in codings)]
            return self._put_to_use(known_as, texts) if best.bare else known_as
        return next((drug for name in (*unknown, text) if (drug := self._named(name))), None)

    def _drug(self, code: DrugCode) -> Drug:
        drug = replace(
            self.drugs[code.drug],
            strength=code.strength,
            strength_unit=code.strength_unit,
            product=code.display,
            matched_by=code.matched_by,
        )
        if code.second_drug:
            drug = _with_roles_of(drug, self.drugs[code.second_drug])
        return _for_use(drug, code.use)

    def _entry(self, coding: Coding) -> DrugCode | None:
        system = self.systems.get(coding.system, coding.system)
        code = normal_code(system, coding.code)
        found = self.codes.get((system, code))
        for length in range(len(code) if system == ATC and not found else 0, 0, -1):
            found = found or self.prefixes.get((system, code[:length]))
        return found

    def _named(self, text: str) -> Drug | None:
        folded = " ".join(text.casefold().split())
        if folded not in self._seen:
            drug = self._read_names(folded)
            if len(self._seen) >= _REMEMBERED:
                return drug
            self._seen[folded] = drug
        return self._seen[folded]

    def _read_names(self, folded: str) -> Drug | None:
        found = [(self.drugs[drug], use) for drug, use in self._find_names(folded) if drug]
        if not found:
            return None
        first, use = min(
            found,
            key=lambda item: (not (item[0].anticoagulant or item[0].thrombolytic), item[0].name in self.classes),
        )
        drug = replace(first, matched_by="name")
        for other, _ in found:
            drug = _with_roles_of(drug, other)
        return self._put_to_use(_for_use(drug, use), [folded])

    def _find_names(self, folded: str) -> Iterator[tuple[str, str]]:
        """(drug, use) of every listed name in a folded text, whole words only, the longest name first."""
        end = 0
        for word in _WORD.finditer(folded):
            start = word.start()
            if start < end or folded[start - 1 : start] == "-":
                continue
            for name, drug, use in self.names.get(word[0], ()):
                if folded.startswith(name, start) and not folded[start + len(name) : start + len(name) + 1].isalnum():
                    end = start + len(name)
                    yield drug, use
                    break

    def _put_to_use(self, drug: Drug, texts: Iterable[str]) -> Drug:
        """``drug`` with the use that the words of its presentation tell, where it has none yet."""
        if drug.use:
            return drug
        for text in texts:
            for pattern, use, applies_to in self.words:
                if applies_to in ("any", drug.name) and pattern.search(text):
                    return _for_use(drug, use)
        return drug


def load_drugs(packs: frozenset[str] | None = None, local_rows: Path | None = None, data: Path = DATA) -> DrugBook:
    """The drug tables of ``packs`` (None: all) and the ``drug`` rows of the site's own file, whose rows win.

    Raises:
        KnowledgeError: a file is missing, edited or wrong, or a code or name stands for two drugs.
    """
    check_packs(packs, data)
    systems = read_systems(data)
    rows = read_rows(data / "codes" / "drugs.csv", DRUG_COLUMNS)
    drugs = {row["drug"]: _drug(row) for row in rows}
    if len(drugs) != len(rows):
        raise KnowledgeError(data / "codes" / "drugs.csv", None, "a drug is there twice", "keep one row a drug")
    codes: dict[tuple[str, str], DrugCode] = {}
    prefixes: dict[tuple[str, str], DrugCode] = {}
    for file in FILES:
        if in_packs(file, packs, data):
            _read_codes(data / file, drugs, codes, prefixes)
    for row in read_local(local_rows, "drug"):
        system = systems.get(row["system"], row["system"])
        code = normal_code(system, row["code"])
        cells = (system, code, row["display"], row["drug"], "", row["use"], row["strength"], row["strength_unit"])
        codes[system, code] = _code((row.file, row.line), cells, drugs, "SCD" if row["use"] else "")
    return DrugBook(
        systems=systems,
        drugs=drugs,
        classes=frozenset(row["drug"] for row in rows if row.one_of("scope", ("substance", "class")) == "class"),
        codes=codes,
        prefixes=prefixes,
        names=_names(data / "codes" / "drug-names.csv", drugs),
        words=_words(data / "codes" / "drug-words.csv", drugs),
    )


def _drug(row: Row) -> Drug:
    flags = ("", "yes")
    antineoplastic = row.one_of("antineoplastic", ("", "chemotherapy", "endocrine"))
    if row["drug"] != row["drug"].casefold() or not row["drug"] or not row["source"]:
        raise row.error("name is not in lower case, or name or source is empty", "write the INN in lower case")
    return Drug(
        name=row["drug"],
        anticoagulant=row.one_of("anticoagulant", ANTICOAGULANTS) or None,
        antineoplastic="endocrine" if antineoplastic == "endocrine" else "chemotherapy" if antineoplastic else "",
        interaction=row.one_of("interaction", INTERACTIONS),
        thrombolytic=row.one_of("thrombolytic", flags) == "yes",
        ambiguous=row.one_of("ambiguous", flags) == "yes",
        antiplatelet=row.one_of("antiplatelet", flags) == "yes",
    )


def _read_codes(
    path: Path,
    drugs: Mapping[str, Drug],
    codes: dict[tuple[str, str], DrugCode],
    prefixes: dict[tuple[str, str], DrugCode],
) -> None:
    for line, cells in read_cells(path, CODE_COLUMNS):
        system, code, display, match, effect, drug, second, term_type, use, strength, unit, _, checks, source = cells
        if match not in ("exact", "prefix"):
            one_of(match, ("exact", "prefix"), path, line, "match")
        table = prefixes if match == "prefix" else codes
        if effect not in ("include", "exclude") or term_type not in TERM_TYPES:
            one_of(effect, ("include", "exclude"), path, line, "effect")
            one_of(term_type, TERM_TYPES, path, line, "term_type")
        if (system, code) in table or not checks.isdecimal() or not source or (effect == "include") != bool(drug):
            problem = f"{code} is there twice, or has no source, or effect and drug do not agree"
            raise KnowledgeError(path, line, problem, "one row a code; a drug for include, none for exclude")
        place, parts = (path, line), (system, code, display, drug, second, use, strength, unit)
        table[system, code] = _code(place, parts, drugs, term_type)


def _code(place: tuple[Path, int], cells: Sequence[str], drugs: Mapping[str, Drug], term_type: str) -> DrugCode:
    system, code, display, name, second, use, strength, unit = cells
    problem = code_problem(system, code) if system and code else "code or system is empty"
    if problem or (not code.isdecimal() and normal_code(system, code) != code):
        raise KnowledgeError(*place, problem or f"{code!r} is not in normal form", "correct the code")
    if (name and name not in drugs) or (second and second not in drugs):
        raise KnowledgeError(*place, f"drug {name!r} or {second!r} is not in drugs.csv", "add it there")
    if use not in USES or unit not in ("", "mg", "IU") or bool(unit) != bool(strength):
        one_of(use, USES, *place, "use")
        raise KnowledgeError(*place, f"strength {strength!r} with unit {unit!r}", "give both, unit mg or IU, or none")
    amount = number(strength, *place, "strength") if strength else None
    matched_by = _MATCHED_BY.get(system, "local code")
    return DrugCode(name, second, term_type in _BARE, use, amount, unit, display, matched_by)


def _with_roles_of(drug: Drug, other: Drug) -> Drug:
    """``drug`` with what another ingredient adds: the strongest interaction, an antineoplastic or platelet effect."""
    return replace(
        drug,
        antineoplastic=drug.antineoplastic or other.antineoplastic,
        interaction=min(drug.interaction, other.interaction, key=INTERACTIONS.index),
        antiplatelet=drug.antiplatelet or other.antiplatelet,
    )


def _for_use(drug: Drug, use: str) -> Drug:
    """``drug`` put to a use; a local form is no cancer treatment, does not interact and leaves platelets alone."""
    if use == "local":
        return replace(drug, use=use, antineoplastic="", interaction="", antiplatelet=False)
    return replace(drug, use=use) if use else drug


def _names(path: Path, drugs: Mapping[str, Drug]) -> Mapping[str, tuple[tuple[str, str, str], ...]]:
    """First word -> (name, drug, use), the longest name first; a name without drug is a look-alike."""
    by_word: dict[str, list[tuple[str, str, str]]] = {}
    seen: set[str] = set()
    for line, (name, drug, use, kind, source) in read_cells(path, NAME_COLUMNS):
        folded = name.casefold()
        word = _WORD.match(folded)
        if word is None or folded in seen or not source or use not in USES:
            raise KnowledgeError(path, line, f"name {name!r} is empty, twice or without source", "correct the row")
        if drug not in drugs and (drug or kind != "look-alike"):
            raise KnowledgeError(path, line, f"drug {drug!r} is not in drugs.csv", "add it there")
        seen.add(folded)
        by_word.setdefault(word[0], []).append((folded, drug, use))
    return {word: tuple(sorted(names, key=lambda n: -len(n[0]))) for word, names in by_word.items()}


def _words(path: Path, drugs: Mapping[str, Drug]) -> tuple[tuple[re.Pattern[str], str, str], ...]:
    """(pattern of whole words, use, drug or "any"), one pattern for each use and drug."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in read_rows(path, WORD_COLUMNS):
        applies_to = row.one_of("applies_to", ("any", *drugs))
        groups.setdefault((row.one_of("use", USES), applies_to), []).append(re.escape(row["word"]))
    return tuple(
        (re.compile(rf"\b(?:{'|'.join(sorted(words, key=len, reverse=True))})\b", re.IGNORECASE), use, applies_to)
        for (use, applies_to), words in groups.items()
    )
