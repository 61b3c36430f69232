"""Guideline profiles: what each rule says under one guideline, read from ``data/guidelines/*.toml``.

A profile is complete in itself; a rule that it does not name is off under it, and a text that a rule's
table lacks is something that this guideline does not say.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from hooks.finding import Finding, Urgency
from hooks.proposal import Proposal
from hooks.rulebook import RuleRow

SUMMARY_UNITS = 139
"""UTF-16 units of the longest summary: the strictest reading of "under 140 characters"."""
MARK_OF_DOUBT = " (unconfirmed)"
DATA_RULE = "data-not-usable"
"""The rule whose card says what was not checked."""
_SLOT = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One thing a rule can say: urgency, one-line summary, what to do, and what newer guidance holds.

    ``appended``: a lesser point that never leads a card of its group while another rule of it speaks.
    """

    urgency: Urgency
    summary: str
    advice: tuple[str, ...]
    today: tuple[str, ...] = ()
    appended: bool = False

    @property
    def slots(self) -> frozenset[str]:
        """The named slots that a rule must fill."""
        return frozenset(slot for line in (self.summary, *self.advice) for slot in _SLOT.findall(line))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One rule under one guideline: numbers, texts, grade, source and review dates."""

    rule: RuleRow
    when: str
    numbers: Mapping[str, Decimal]
    lists: Mapping[str, tuple[str, ...]]
    bands: tuple[Mapping[str, Any], ...]
    texts: Mapping[str, Text]
    source_label: str
    source_url: str
    year: str
    grade: str
    checked: str
    override_reasons: tuple[str, ...]
    reviewer: str
    reviewed: date
    next_review: date

    def number(self, name: str) -> Decimal:
        """A threshold of the rule under this guideline; its unit is in the name."""
        return self.numbers[name]

    def days(self, name: str) -> int:
        """A threshold that is a whole number of days."""
        return int(self.numbers[name])

    def finding(
        self,
        text: str = "main",
        *,
        slots: Mapping[str, str] | None = None,
        because: tuple[str, ...] = (),
        notes: tuple[str, ...] = (),
        proposals: tuple[Proposal, ...] = (),
        urgency: Urgency | None = None,
    ) -> Finding | None:
        """The finding that says ``text``, with its urgency; None when this guideline has no such text.

        Raises:
            KeyError: ``slots`` lacks one that the text needs.
        """
        found = self.texts.get(text)
        if found is None:
            return None
        lacking = found.slots - set(slots or {})
        if lacking:
            raise KeyError(*sorted(lacking))
        return Finding(
            urgency=urgency or found.urgency,
            text=text,
            slots=slots or {},
            because=because,
            notes=notes,
            proposals=proposals,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One guideline profile. ``definitions`` are the numbers behind the derived facts (section 1)."""

    name: str
    number: int
    title: str
    year: str
    statement: str
    definitions: Mapping[str, Decimal]
    lists: Mapping[str, tuple[str, ...]]
    switches: Mapping[str, bool]
    rules: Mapping[str, Evidence]
    reviewer: str
    reviewed: date
    next_review: date
    footer: str = ""
    sentences: Mapping[str, str] = field(default_factory=dict)

    def days(self, name: str) -> int:
        """A definition that is a whole number of days."""
        return int(self.definitions[name])


def units(text: str) -> int:
    """The length of a text in UTF-16 units, as browsers and most EHRs count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
