"""The three answers of a rule: a Finding, None (checked and fine) or CannotTell."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from hooks.proposal import Proposal


class Urgency(IntEnum):
    """CDS Hooks ``indicator``; ordered, so that the greatest is the most urgent."""

    INFO = 1
    WARNING = 2
    CRITICAL = 3

    @property
    def indicator(self) -> str:
        """The value that CDS Hooks uses on the wire."""
        return self.name.lower()

    def lowered(self) -> "Urgency":
        """One level milder; information stays information."""
        return Urgency(max(self - 1, Urgency.INFO))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A rule has something to say.

    ``text`` names the rule's text in the guideline file (``[rules.X.texts.<text>]``); ``slots`` fill it
    (plain text; the cards escape it). ``because`` lists patient facts, one short plain line each.
    ``notes`` are further lines (doses, why there is none). ``doubts`` are what is not sure about clot or
    cancer. ``proposals`` are the buttons.
    """

    urgency: Urgency
    text: str = "main"
    slots: Mapping[str, str] = field(default_factory=dict)
    because: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    proposals: tuple[Proposal, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CannotTell:
    """A rule would need something that is missing, and the answer could change with it.

    ``missing`` is one short plain line for a clinician: "platelets: none on record".
    """

    missing: tuple[str, ...]


Answer = Finding | CannotTell | None
