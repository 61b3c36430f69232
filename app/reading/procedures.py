"""Procedure -> PastProcedure; ServiceRequest and DeviceRequest -> ServiceOrder."""

from app.reading.elements import Json, Resource, earliest, items, label, objects, own_reference, status, truth
from app.reading.lookup import Index, Lookup
from app.reading.medications import read_reasons
from hooks.facts import Meaning, PastProcedure, ServiceOrder

TOPIC = "procedure"
ADVISED_ON = ("ivc-filter", "thrombolysis", "stockings", "bed-rest")
"""Kinds of the topic (``hooks/data/codes/procedures-*.csv``) that there is advice about when they are ordered."""

_DONE = frozenset({"completed", "in-progress", None})


def read_procedure(resource: Resource, lookup: Lookup) -> PastProcedure | None:
    """A procedure done or under way whose codes, devices or words mean something to us."""
    concept, used = resource.get("code"), resource.get("usedCode")
    meanings = _meant(lookup, (concept,) if used is None else (concept, *items(used)))
    if not meanings:
        return None
    state = status(resource.get("status"))
    if state not in _DONE:
        return None
    return PastProcedure(
        reference=own_reference(resource),
        label=label(concept),
        meanings=meanings,
        status=state,
        performed=earliest(resource, "performedDateTime", "performedPeriod", "occurrenceDateTime", "occurrencePeriod"),
    )


def read_service(resource: Resource, lookup: Lookup, index: Index) -> ServiceOrder | None:
    """An order of a service or device whose codes or words mean something to us; "do not perform" is no order."""
    if truth(resource.get("doNotPerform")):
        return None
    concepts = _ordered(resource)
    meanings = _meant(lookup, concepts)
    if not meanings:
        return None
    reasons, reason_text = read_reasons(resource, lookup, index)
    return ServiceOrder(
        reference=own_reference(resource),
        label=next((text for text in map(label, concepts) if text), ""),
        meanings=meanings,
        status=status(resource.get("status")) or "",
        occurrence=earliest(resource, "occurrenceDateTime", "occurrencePeriod", "authoredOn"),
        reasons=reasons,
        reason_text=reason_text,
    )


def _ordered(resource: Resource) -> tuple[Json, ...]:
    """The concepts that say what is ordered: R4 ``code[x]``, R5 CodeableReference, order details."""
    code = resource.get("code")
    inner = [one.get("concept") for one in objects(code) if one.get("concept") is not None]
    found = [*(inner or [code]), resource.get("codeCodeableConcept")]
    reference = resource.get("codeReference")
    if isinstance(reference, dict):
        found.append({"text": reference.get("display")})
    return tuple(concept for concept in (*found, *items(resource.get("orderDetail"))) if concept)


def _meant(lookup: Lookup, concepts: tuple[Json, ...]) -> tuple[Meaning, ...]:
    """What the concepts mean by their codes; words count only where no code of any says anything."""
    if len(concepts) == 1:
        return lookup.meanings_or_named(TOPIC, concepts[0])
    coded = [meaning for concept in concepts for meaning in lookup.meanings(concept)]
    found = coded or [meaning for concept in concepts for meaning in lookup.meanings_or_named(TOPIC, concept)]
    return tuple(dict.fromkeys(found))
