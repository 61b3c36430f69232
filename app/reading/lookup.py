"""Asks the knowledge about a concept, once for each different concept of a call.

A chart repeats the same few codes thousands of times; what the knowledge said about them is kept for the
length of one call, so that an irrelevant resource costs a look into a dict.
"""

from collections.abc import Mapping
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


Index = dict[tuple[str, str], Resource]
"""Resources by (type, id) and by ("", id)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """A drug, or None, and the codes (canonical systems) and words of the concept."""

    drug: Drug | None
    codings: tuple[Coding, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """The knowledge, with what it already said in this call."""

    books: Books
    meant: dict[tuple[RawCoding, ...], tuple[Meaning, ...]] = field(default_factory=dict)
    drugs: dict[tuple[tuple[RawCoding, ...], object], Identified] = field(default_factory=dict)
    observed: dict[tuple[RawCoding, ...], LabCode | str] = field(default_factory=dict)

    def codings(self, raw: tuple[RawCoding, ...]) -> tuple[Coding, ...]:
        """The codings with canonical systems."""
        canonical = self.books.codes.canonical_system
        return tuple(Coding(system=canonical(s) if s else "", code=c, display=d) for s, c, d in raw)

    def meanings(self, concept: Json) -> tuple[Meaning, ...]:
        """What the codes of a concept mean."""
        raw = codings(concept)
        if not raw:
            return ()
        found = self.meant.get(raw)
        if found is None:
            found = self.meant[raw] = self.books.codes.meanings(self.codings(raw))
        return found

    def named(self, topic: str, concept: Json) -> tuple[Meaning, ...]:
        """What the words of a concept name in ``topic``."""
        words = "; ".join(texts(concept))
        return self.books.codes.named(topic, words) if words else ()

    def drug(self, concept: Json) -> Drug | None:
        """The drug of a concept, by its codes, else by its text, else by a display."""
        return self.identify(concept).drug

    def identify(self, concept: Json) -> Identified:
        """The drug of a concept with the codes and words that were there to know it by."""
        raw = codings(concept)
        key = (raw, _words_key(concept, len(raw)))
        found = self.drugs.get(key)
        if found is None:
            listed, words = self.codings(raw), texts(concept)
            tries = (self.books.drugs.match(listed, text) for text in words or ("",))
            drug = next((drug for drug in tries if drug is not None), None)
            found = self.drugs[key] = Identified(drug=drug, codings=listed, words=words)
        return found

    def is_refused(self, concept: Json, analyte: str) -> bool:
        """Whether a code of the concept is listed as one that must not be used for the analyte."""
        entries = (self.books.labs.codes.get((c.system, c.code)) for c in self.codings(codings(concept)))
        return any(entry is not None and entry[0] == "exclude" and entry[1].analyte == analyte for entry in entries)

    def observation(self, concept: Json) -> LabCode | str:
        """The analyte of a concept's codes; else what it is about ("pregnancy-status"), or ""."""
        raw = codings(concept)
        found = self.observed.get(raw)
        if found is None:
            listed, labs = self.codings(raw), self.books.labs
            found = self.observed[raw] = (labs.analyte(listed) or labs.context(listed)) if raw else ""
        return found


def _words_key(concept: Json, coded: int) -> object:
    """What tells the words of a concept apart, next to its codings: the text alone where every coding has a code."""
    if isinstance(concept, dict):
        text, listed = concept.get("text"), concept.get("coding")
        if isinstance(text, str) and isinstance(listed, list) and len(listed) == coded:
            return text
    return texts(concept)


def index_resource(index: Index, resource: Resource, url: str = "") -> None:
    """Makes a resource findable by its own reference and by the URL of its Bundle entry."""
    kind, identity = resource.get("resourceType"), resource.get("id")
    if isinstance(kind, str) and isinstance(identity, str):
        index.setdefault((kind, identity), resource)
        index.setdefault(("", identity), resource)
    pointer = read_reference(url) if url else None
    if pointer is not None and pointer.kind != "#":
        index.setdefault((pointer.kind, pointer.id), resource)
        index.setdefault(("", pointer.id), resource)


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
    return index.get((pointer.kind, pointer.id))
