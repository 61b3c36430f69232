"""Condition, procedure and observation codes -> Meaning: look-alikes win, the longest row wins, few go by name."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from hooks.facts import Coding, Meaning
from hooks.tables import (
    DATA,
    KnowledgeError,
    check_packs,
    code_problem,
    in_packs,
    normal_code,
    one_of,
    read_cells,
    read_local,
    read_rows,
    read_systems,
)

FILES = (
    "codes/conditions-icd10cm.csv",
    "codes/conditions-icd10cm-headings.csv",
    "codes/conditions-icd9cm.csv",
    "codes/conditions-snomed.csv",
    "codes/conditions-snomed-extended.csv",
    "codes/procedures-icd10pcs.csv",
    "codes/procedures-resection-icd10pcs.csv",
    "codes/procedures-snomed.csv",
    "codes/procedures-loinc.csv",
    "codes/procedures-cpt.csv",
    "codes/procedures-hcpcs.csv",
)
COLUMNS = ("system", "code", "display", "match", "effect", "topic", "kind", "tags", "note", "checks", "source")
NAME_COLUMNS = ("topic", "effect", "kind", "tags", "name", "source")
EFFECTS = ("include", "exclude", "instead", "ignore")
_KINDS = {
    "vte": "acute ambiguous chronic history unusual-site post-thrombotic long-term-anticoagulant",
    "malignancy": (
        "primary metastatic haematological unspecified-site history treatment-encounter past-treatment follow-up"
    ),
    "bleeding": "major other minor diathesis",
    "hit": "contraindication not-contraindication",
    "thrombocytopenia": "unspecified secondary",
    "allergy-status": "other-drug",
    "pregnancy": "state positive-test",
    "competing-indication": (
        "atrial-fibrillation atrial-flutter mechanical-valve bioprosthetic-valve other-valve antiphospholipid "
        "lupus-anticoagulant mitral-stenosis intracardiac-thrombus ischaemic-stroke cteph valve-procedure"
    ),
    "palliative": "care",
    "renal": "severe acute moderate unspecified transplant ckd",
    "hepatic": "severe cirrhosis-stage-unknown",
    "procedure": (
        "ivc-filter ivc-filter-removal thrombolysis thrombolysis-arterial catheter-patency thrombectomy stockings "
        "pneumatic-compression leg-ultrasound chemotherapy radiotherapy chemotherapy-not-for-cancer resection bed-rest"
    ),
    "disease-status": "active remission undetermined",
}
_TAGS = {
    "vte": (
        "leg arm pe caval obstetric proximal distal subsegmental deep-phlebitis recurrent dvt splanchnic-or-renal "
        "cerebral unreviewed"
    ),
    "malignancy": (
        "luminal-gi luminal-gu cns in-remission relapse mpn leiomyosarcoma gist neuroendocrine ampulla "
        "pancreas-biliary gynaecological gu-non-luminal sarcoma"
    ),
    "bleeding": (
        "intracranial spinal gi obstetric postprocedural gu gynaecological respiratory ocular unspecified indirect "
        "initial-encounter-only"
    ),
    "renal": "dialysis",
    "procedure": "catheter-directed pulmonary-artery device radio luminal-gi luminal-gu",
}
KINDS: Mapping[str, frozenset[str]] = {topic: frozenset(words.split()) for topic, words in _KINDS.items()}
TAGS: Mapping[str, frozenset[str]] = {topic: frozenset(_TAGS.get(topic, "").split()) for topic in _KINDS}
_REMEMBERED = 20_000
_INITIAL_ENCOUNTER = "initial-encounter-only"
_INJURY_CODE_LENGTH = len("S06.5X0A")


class CodeRow(NamedTuple):
    """One row of a code list: what it says, how far it reaches, and where it stands."""

    system: str
    code: str
    display: str
    prefix: bool
    effect: str
    topic: str
    kind: str
    tags: frozenset[str]
    place: tuple[Path, int]

    @property
    def says(self) -> tuple[str, str, frozenset[str]]:
        """What two rows for one code and topic must agree on."""
        return self.effect, self.kind, self.tags


class _Entry(NamedTuple):
    topic: str
    effect: str
    meaning: Meaning


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeBook:
    """What codes mean. Made by ``load_codes``; look-ups are remembered, so that a long chart costs little."""

    systems: Mapping[str, str]
    exact: Mapping[tuple[str, str], tuple[CodeRow, ...]]
    prefixes: Mapping[tuple[str, str], tuple[CodeRow, ...]]
    names: Mapping[str, tuple[re.Pattern[str], Mapping[str, CodeRow]]]
    _seen: dict[tuple[str, str], tuple[_Entry, ...]] = field(default_factory=dict, repr=False, compare=False)

    def canonical_system(self, system: str) -> str:
        """The URI by which the knowledge knows a code system; an unknown one comes back as it is."""
        return self.systems.get(system) or self.systems.get(system.strip().casefold(), system)

    def meanings(self, codings: Iterable[Coding]) -> tuple[Meaning, ...]:
        """What the codings of one CodeableConcept mean together, each meaning once.

        Within a topic a look-alike of any coding silences the others. Unknown codes mean nothing.
        """
        entries = [entry for coding in codings for entry in self._entries(coding.system, coding.code)]
        return _decided(entries) if entries else ()

    def named(self, topic: str, text: str) -> tuple[Meaning, ...]:
        """What a text without a code means in ``topic``: whole words, any case, the listed names only."""
        if topic not in self.names or not text:
            return ()
        pattern, rows = self.names[topic]
        found = [_entry(rows[" ".join(name[0].split()).casefold()]) for name in pattern.finditer(text)]
        return tuple(dict.fromkeys(entry.meaning for entry in found if entry.effect == "include"))

    def _entries(self, system: str, code: str) -> tuple[_Entry, ...]:
        key = (system, code)
        found = self._seen.get(key)
        if found is None:
            found = self._look_up(self.canonical_system(system), code)
            if len(self._seen) < _REMEMBERED:
                self._seen[key] = found
        return found

    def _look_up(self, system: str, code: str) -> tuple[_Entry, ...]:
        """What the lists say of a code, one row a topic at most: the exact one, else the longest prefix."""
        code = normal_code(system, code)
        found = {row.topic: row for row in self.exact.get((system, code), ())}
        for length in range(len(code), 0, -1):
            for row in self.prefixes.get((system, code[:length]), ()):
                if _INITIAL_ENCOUNTER not in row.tags or _is_initial_encounter(code):
                    found.setdefault(row.topic, row)
        return tuple(_entry(row) for row in found.values())


def load_codes(packs: frozenset[str] | None = None, local_rows: Path | None = None, data: Path = DATA) -> CodeBook:
    """The code lists of ``packs`` (None: all of them) and of the site's own CSV file, whose rows win.

    Raises:
        KnowledgeError: a file is missing, edited or wrong, or two rows give one code two meanings.
    """
    check_packs(packs, data)
    systems = read_systems(data)
    exact: dict[tuple[str, str], tuple[CodeRow, ...]] = {}
    prefixes: dict[tuple[str, str], tuple[CodeRow, ...]] = {}
    for row in _listed(packs, data):
        table, key = prefixes if row.prefix else exact, (row.system, row.code)
        others = table.get(key, ())
        same = next((other for other in others if other.topic == row.topic), None)
        if same is None:
            table[key] = (*others, row)
        elif same.says != row.says:
            problem = f"{row.code} has another meaning in {same.place[0].name}:{same.place[1]}"
            raise KnowledgeError(*row.place, problem, "keep one of the two rows")
    for row in _local(local_rows, systems):
        table, key = prefixes if row.prefix else exact, (row.system, row.code)
        table[key] = (*(other for other in table.get(key, ()) if other.topic != row.topic), row)
    return CodeBook(systems=systems, exact=exact, prefixes=prefixes, names=_names(data))


def names_pattern(names: Iterable[str]) -> re.Pattern[str]:
    """A pattern that finds any of the names as whole words, any case and spacing, the longest first."""
    longest_first = sorted(names, key=len, reverse=True)
    spaced = (r"\s+".join(re.escape(word) for word in name.split()) for name in longest_first)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(spaced)})(?![\w-])", re.IGNORECASE)


def _entry(row: CodeRow) -> _Entry:
    meaning = Meaning(topic=row.topic, kind=row.kind, tags=row.tags, code=row.code, display=row.display)
    return _Entry(row.topic, row.effect, meaning)


def _decided(entries: Sequence[_Entry]) -> tuple[Meaning, ...]:
    excluded = {entry.topic for entry in entries if entry.effect == "exclude"}
    replaced = {entry.topic for entry in entries if entry.effect == "instead"}
    return tuple(
        dict.fromkeys(
            entry.meaning
            for entry in entries
            if entry.topic not in excluded
            and (entry.effect == "instead" or (entry.effect == "include" and entry.topic not in replaced))
        )
    )


def _is_initial_encounter(code: str) -> bool:
    return len(code) == _INJURY_CODE_LENGTH and code.endswith("A")


def _listed(packs: frozenset[str] | None, data: Path) -> Iterator[CodeRow]:
    memo: dict[tuple[str, ...], frozenset[str]] = {}
    for file in FILES:
        if not in_packs(file, packs, data):
            continue
        path = data / file
        for line, cells in read_cells(path, COLUMNS):
            if not cells[9].isdecimal() or not cells[10]:
                raise KnowledgeError(path, line, "no source", "say where the code was found and in how many sources")
            yield _row((path, line), cells[:8], memo)


def _local(path: Path | None, systems: Mapping[str, str]) -> Iterator[CodeRow]:
    memo: dict[tuple[str, ...], frozenset[str]] = {}
    for row in read_local(path, "condition"):
        system = systems.get(row["system"], row["system"])
        rest = [row[column] for column in COLUMNS[2:8]]
        yield _row((row.file, row.line), [system, normal_code(system, row["code"]), *rest], memo)


def _row(place: tuple[Path, int], cells: Sequence[str], memo: dict[tuple[str, ...], frozenset[str]]) -> CodeRow:
    """One checked row; ``memo`` holds what was found in order before."""
    system, code, display, match, effect, topic, kind, tags = cells
    said = (match, effect, topic, kind, tags)
    if said not in memo:
        memo[said] = _checked(place, said)
    problem = code_problem(system, code) if system and code else "code or system is empty"
    if problem or (not code.isdecimal() and normal_code(system, code) != code):
        raise KnowledgeError(*place, problem or f"{code!r} is not in normal form", "correct the code")
    return CodeRow(system, code, display, match == "prefix", effect, topic, kind, memo[said], place)


def _checked(place: tuple[Path, int], said: tuple[str, ...]) -> frozenset[str]:
    """The tags of a row whose words are all known. Raises KnowledgeError otherwise."""
    match, effect, topic, kind, tags = said
    one_of(match, ("exact", "prefix"), *place, "match")
    one_of(effect, EFFECTS, *place, "effect")
    one_of(topic, KINDS, *place, "topic")
    if kind:
        one_of(kind, KINDS[topic], *place, "kind")
    if bool(kind) != (effect in ("include", "instead")):
        raise KnowledgeError(*place, f"effect {effect} with kind {kind!r}", "a kind belongs to include and instead")
    for tag in tags.split():
        one_of(tag, TAGS[topic], *place, "tag")
    return frozenset(tags.split())


def _names(data: Path) -> Mapping[str, tuple[re.Pattern[str], Mapping[str, CodeRow]]]:
    by_topic: dict[str, dict[str, CodeRow]] = {}
    for row in read_rows(data / "codes" / "procedure-names.csv", NAME_COLUMNS):
        name, kind, topic = row["name"].casefold(), row["kind"], row.one_of("topic", KINDS)
        effect = row.one_of("effect", ("include", "exclude"))
        tags = frozenset(row["tags"].split())
        if (effect == "include") != (kind in KINDS[topic]) or tags - TAGS[topic]:
            raise row.error(f"unknown kind {kind!r} or tags {row['tags']!r}", "use those of the code lists")
        names = by_topic.setdefault(topic, {})
        if not name or name in names:
            raise row.error(f"name {name!r} is empty or there twice", "remove one row")
        names[name] = CodeRow("", "", row["name"], False, effect, topic, kind, tags, (row.file, row.line))
    return {topic: (names_pattern(names), names) for topic, names in by_topic.items()}
