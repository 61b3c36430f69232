"""A card ready to be shown: plain values, made by ``hooks.cards``, put on the wire by ``app.wire``."""

from dataclasses import dataclass

from hooks.finding import Urgency
from hooks.proposal import Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideReason:
    """One reason that a clinician may give for not following a card."""

    code: str
    display: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One card.

    ``summary`` is plain text under 140 characters; ``detail`` is Markdown without HTML, with all text from the
    record already escaped. ``rules`` holds the codes of all rules merged into it, the primary one (``rule``, permanent
    number ``rule_number``) first. ``order`` is the reference of the draft it is about, or "" on patient-view.
    ``source_url`` is empty when the rule's page on this service is meant.
    """

    rule: str
    rule_number: int
    rule_display: str
    rules: tuple[str, ...]
    urgency: Urgency
    summary: str
    detail: str
    source_label: str
    source_url: str
    profile: str
    profile_number: int
    knowledge: str
    order: str = ""
    proposals: tuple[Proposal, ...] = ()
    override_reasons: tuple[OverrideReason, ...] = ()
