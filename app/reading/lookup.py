"""Asks the knowledge about a concept, once for each different concept of a call.

A chart repeats the same few codes thousands of times; what the knowledge said about them is kept for the
length of one call, so that an irrelevant resource costs a look into a dict.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from app.reading.elements import Json, Pointer, RawCoding, Resource, codings, read_reference, texts
from hooks.facts import Coding, Drug, Meaning
from hooks.labs import LabCode


class Codes(Protocol):
    """What reading needs of ``hooks.codes.CodeBook``."""

    def meanings(self, codings: tuple[Coding, ...], /) -> tuple[Meaning, ...]:
        """What the codes mean; empty when any is denied or none is known."""
        ...

    def canonical_system(self, system: str, /) -> str:
        """The canonical URI of a code system given as URI, URL variant or OID."""
        ...

    def named(self, topic: str, text: str, /) -> tuple[Meaning, ...]:
        """What a text without a code names in ``topic``."""
        ...


class Drugs(Protocol):
    """What reading needs of ``hooks.drugs.DrugBook``."""

    @property
    def classes(self) -> frozenset[str]:
        """Names of drugs that are a whole class ("low molecular weight heparin")."""
        ...

    def match(self, codings: tuple[Coding, ...], text: str, /) -> Drug | None:
        """The drug of the codes, else of the text."""
        ...


class Labs(Protocol):
    """What reading needs of ``hooks.labs.LabBook``."""

    @property
    def codes(self) -> Mapping[tuple[str, str], tuple[str, LabCode]]:
        """(canonical system, code) -> effect ("include", "exclude", "context") and what it measures."""
        ...

    def analyte(self, codings: tuple[Coding, ...], /) -> LabCode | None:
        """What an observation measures, or None when it is none of ours or must not be used for it."""
        ...

    def context(self, codings: tuple[Coding, ...], /) -> str:
        """What an observation that is no analyte is about ("pregnancy-status"), or ""."""
        ...

    def canonical(self, analyte: str, value: Decimal, unit_code: str, unit_text: str, /) -> Decimal | str:
        """The value in the canonical unit, or in words why not."""
        ...


class Books(Protocol):
    """What reading needs of ``hooks.knowledge.Knowledge``."""

    @property
    def codes(self) -> Codes:
        """Codes of conditions, procedures and orders."""
        ...

    @property
    def drugs(self) -> Drugs:
        """Drugs."""
        ...

    @property
    def labs(self) -> Labs:
        """Laboratory codes and units."""
        ...


@dataclass(slots=True)
class Index:
    """Resources by (type, id) and by ("", id); filed only when somebody asks, as most calls never do.

    ``missed`` tells that something was asked for that is not there.
    """

    _waiting: list[Iterable[tuple[Resource, str]]] = field(default_factory=list)
    _filed: dict[tuple[str, str], Resource] = field(default_factory=dict)
    missed: bool = False

    def add(self, resources: Iterable[tuple[Resource, str]]) -> None:
        """Makes resources findable by their own references and by the URLs ("" without) of their Bundle entries.

        The first of a name wins. ``resources`` is gone through when it is needed, once.
        """
        self._waiting.append(resources)

    def get(self, kind: str, identity: str) -> Resource | None:
        """The resource of a type ("" for any) and id."""
        for resources in self._waiting:
            for resource, url in resources:
                self._file(resource, url)
        self._waiting.clear()
        found = self._filed.get((kind, identity))
        self.missed = self.missed or found is None
        return found

    def _file(self, resource: Resource, url: str) -> None:
        kind, identity = resource.get("resourceType"), resource.get("id")
        if isinstance(kind, str) and isinstance(identity, str):
            self._filed.setdefault((kind, identity), resource)
            self._filed.setdefault(("", identity), resource)
        pointer = read_reference(url) if url else None
        if pointer is not None and pointer.kind != "#":
            self._filed.setdefault((pointer.kind, pointer.id), resource)
            self._filed.setdefault(("", pointer.id), resource)


_Pairs = tuple[tuple[Json, Json], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """A drug, or None, and the codes (canonical systems) and words of the concept."""

    drug: Drug | None
    codings: tuple[Coding, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """The knowledge, with what it already said in this call.

    Answers are kept under the strings that stand in the JSON, untouched: a concept seen before is not taken
    apart again. Only keys made of strings are kept, so that 1, 1.0 and true are never taken for each other.
    """

    books: Books
    meant: dict[_Pairs, tuple[Meaning, ...]] = field(default_factory=dict)
    observed: dict[_Pairs, LabCode | str] = field(default_factory=dict)
    drugs: dict[object, Identified] = field(default_factory=dict)
    named: dict[object, tuple[Meaning, ...]] = field(default_factory=dict)

    def codings(self, raw: tuple[RawCoding, ...]) -> tuple[Coding, ...]:
        """The codings with canonical systems."""
        canonical = self.books.codes.canonical_system
        return tuple(Coding(system=canonical(s) if s else "", code=c, display=d) for s, c, d in raw)

    def meanings(self, concept: Json) -> tuple[Meaning, ...]:
        """What the codes of a concept mean."""
        key = _pairs(concept)
        try:
            return self.meant[key]
        except (KeyError, TypeError):
            raw = codings(concept)
            found = self.books.codes.meanings(self.codings(raw)) if raw else ()
        if _is_plain(key):
            self.meant[key] = found
        return found

    def meanings_or_named(self, topic: str, concept: Json) -> tuple[Meaning, ...]:
        """What the codes of a concept mean; where they mean nothing, what its words name in ``topic``."""
        pairs, words = _pairs(concept), _words(concept)
        try:
            return self.named[topic, pairs, words]
        except (KeyError, TypeError):
            found = self.meanings(concept)
        if not found:
            named = "; ".join(texts(concept))
            found = self.books.codes.named(topic, named) if named else ()
        if _is_plain(pairs) and _are_words(words):
            self.named[topic, pairs, words] = found
        return found

    def drug(self, concept: Json) -> Drug | None:
        """The drug of a concept, by its codes, else by its text, else by a display."""
        return self.identify(concept).drug

    def identify(self, concept: Json) -> Identified:
        """The drug of a concept with the codes and words that were there to know it by."""
        pairs, words = _pairs(concept), _words(concept)
        try:
            return self.drugs[pairs, words]
        except (KeyError, TypeError):
            found = self._identify(concept)
        if _is_plain(pairs) and _are_words(words):
            self.drugs[pairs, words] = found
        return found

    def _identify(self, concept: Json) -> Identified:
        listed, words = self.codings(codings(concept)), texts(concept)
        tries = (self.books.drugs.match(listed, text) for text in words or ("",))
        drug = next((drug for drug in tries if drug is not None), None)
        return Identified(drug=drug, codings=listed, words=words)

    def is_refused(self, concept: Json, analyte: str) -> bool:
        """Whether a code of the concept is listed as one that must not be used for the analyte."""
        entries = (self.books.labs.codes.get((c.system, c.code)) for c in self.codings(codings(concept)))
        return any(entry is not None and entry[0] == "exclude" and entry[1].analyte == analyte for entry in entries)

    def observation(self, concept: Json) -> LabCode | str:
        """The analyte of a concept's codes; else what it is about ("pregnancy-status"), or ""."""
        key = _pairs(concept)
        try:
            return self.observed[key]
        except (KeyError, TypeError):
            raw = codings(concept)
            listed, labs = self.codings(raw), self.books.labs
            found = (labs.analyte(listed) or labs.context(listed)) if raw else ""
        if _is_plain(key):
            self.observed[key] = found
        return found


def _pairs(concept: Json) -> _Pairs:
    """Systems and codes of a CodeableConcept of the usual shape as they stand there; () for any other."""
    try:
        listed = concept["coding"]
        if len(listed) == 1:
            coding = listed[0]
            return ((coding.get("system"), coding.get("code")),)
        return tuple([(coding.get("system"), coding.get("code")) for coding in listed])
    except (AttributeError, KeyError, TypeError):
        return ()


def _words(concept: Json) -> tuple[Json, ...]:
    """Text and displays of a CodeableConcept as they stand there; () for anything else."""
    try:
        listed = concept.get("coding", ())
        if len(listed) == 1:
            return concept.get("text"), listed[0].get("display")
        return (concept.get("text"), *[coding.get("display") for coding in listed])
    except (AttributeError, KeyError, TypeError):
        return ()


def _is_plain(pairs: _Pairs) -> bool:
    """Whether there are pairs, of strings only (or nothing)."""
    return bool(pairs) and all(_are_words(pair) for pair in pairs)


def _are_words(parts: tuple[Json, ...]) -> bool:
    return all(part is None or isinstance(part, str) for part in parts)


def find(index: Index, pointer: Pointer | None, holder: Resource) -> Resource | None:
    """The resource that a pointer in ``holder`` means: a contained one, else one of the index."""
    if pointer is None:
        return None
    if pointer.kind == "#":
        contained = holder.get("contained")
        for inner in contained if isinstance(contained, list) else (contained,):
            if isinstance(inner, dict) and str(inner.get("id")).lstrip("#") == pointer.id:
                return inner
        return None
    return index.get(pointer.kind, pointer.id)
