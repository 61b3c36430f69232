"""AllergyIntolerance -> hooks.facts.Allergy, when the substance is a drug of ours or one of its classes."""

import re

from app.reading.elements import (
    Json,
    Resource,
    earliest,
    items,
    label,
    objects,
    own_reference,
    status,
    texts,
)
from app.reading.lookup import Lookup
from hooks.facts import Allergy

_IN_FORCE = frozenset({"active", "unconfirmed", "confirmed", None})
_NOT_TRUE = frozenset({"refuted", "entered-in-error"})
_HIT = re.compile(r"\bHITT?\b|(?i:\bheparin[- ](?:induced|associated)[- ]thrombocytop)")
_DENIED = re.compile(
    r"\b(?:no|denies|without|non-immune|negative|excluded|ruled out|unlikely)\b"
    r"|\bnot (?:hit|heparin|confirmed|proven)\b",
    re.IGNORECASE,
)
_NONE = re.compile(r"\W*(?:no|denies|without)\b", re.IGNORECASE)
_UFH = "UFH"
_HIT_TOPIC, _CONTRAINDICATION = "hit", "contraindication"


def read_allergy(resource: Resource, lookup: Lookup) -> Allergy | None:
    """The allergy, or None when it is over, refuted, or to nothing of ours.

    Heparin-induced thrombocytopenia counts for life: an entry that was closed is read as well.
    """
    if status(resource.get("verificationStatus")) in _NOT_TRUE:
        return None
    reactions = objects(resource.get("reaction"))
    concept = resource.get("code") or resource.get("substance")
    substances = [concept, *(one for reaction in reactions for one in items(reaction.get("substance")))]
    hit = any(_says_hit(one, lookup) for one in (concept, *_manifestations(reactions)))
    for substance in substances:
        if any(_NONE.match(text) for text in texts(substance)):
            continue
        drug = lookup.drug(substance)
        if drug is not None:
            break
    else:
        drug = None
    is_over = status(resource.get("clinicalStatus") or resource.get("status")) not in _IN_FORCE
    if not hit and (drug is None or is_over):
        return None
    is_class = drug is not None and drug.name in lookup.books.drugs.classes
    return Allergy(
        reference=own_reference(resource),
        label=label(concept) or next((text for text in map(label, substances) if text), ""),
        drug=drug,
        anticoagulant_class=_UFH if drug is None else drug.anticoagulant if is_class else None,
        reaction_is_hit=hit,
        recorded=earliest(resource, "recordedDate", "assertedDate", "onsetDateTime"),
    )


def _manifestations(reactions: tuple[Resource, ...]) -> tuple[Json, ...]:
    """What happened: manifestation concepts (R5: CodeableReference) and descriptions."""
    found: list[Json] = []
    for reaction in reactions:
        listed = items(reaction.get("manifestation"))
        found.extend(one["concept"] if isinstance(one, dict) and "concept" in one else one for one in listed)
        found.append(reaction.get("description"))
    return tuple(found)


def _says_hit(concept: Json, lookup: Lookup) -> bool:
    """Whether a code or a word says heparin-induced thrombocytopenia, and does not deny it."""
    coded = lookup.meanings(concept)
    if coded:
        return any(m.topic.lower() == _HIT_TOPIC and _CONTRAINDICATION in (m.kind, *m.tags) for m in coded)
    return any(_HIT.search(text) and not _DENIED.search(text) for text in texts(concept))
