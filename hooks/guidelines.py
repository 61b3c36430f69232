"""Guideline profiles: what each rule says under one guideline, read from ``data/guidelines/*.toml``.

A profile is complete in itself; a rule that it does not name is off under it, and a text that a rule's
table lacks is something that this guideline does not say.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from hooks.finding import Finding, Urgency
from hooks.proposal import Proposal
from hooks.tables import DATA, KnowledgeError, Row, read_rows, read_toml

SUMMARY_LIMIT = 140
POPULATIONS = frozenset({"cat", "remission", "unusual-site", "unknown"})
HOOKS = frozenset({"patient-view", "order-select", "order-sign"})
RULES_FILE = DATA / "rules.csv"
_RULE_COLUMNS = [
    "number",
    "rule",
    "code",
    "display",
    "hooks",
    "population",
    "softened",
    "group",
    "step",
    "rank",
    "suppressed_by",
    "absorbed_by",
    "source",
]
_SLOT = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """One row of ``rules.csv``: a rule's permanent number, code, hooks, and how it lives with the others.

    ``population``: who it is about. ``softened``: whether uncertainty of clot or cancer lowers it one
    level. ``group``: rules of one order in the group ``drug-choice`` form one card. ``step`` and ``rank``: the
    order of cards of one urgency, and of rules inside a card. ``suppressed_by``:
    rules in whose presence it is dropped; ``absorbed_by``: rules whose card takes it in.
    """

    number: int
    rule: str
    code: str
    display: str
    hooks: frozenset[str]
    population: frozenset[str]
    softened: bool
    group: str
    step: int
    rank: int
    suppressed_by: frozenset[str]
    absorbed_by: frozenset[str]
    source: str


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
        """The finding that says ``text``, with its urgency; None when this guideline has no such text."""
        found = self.texts.get(text)
        if found is None:
            return None
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


def load_rules() -> tuple[RuleRow, ...]:
    """The list of rules, in the order in which they are evaluated and shown.

    Raises:
        KnowledgeError: a number or code is used twice, or a hook or population is unknown.
    """
    rows = tuple(_rule_row(row) for row in read_rows(RULES_FILE, _RULE_COLUMNS))
    for name in ("number", "rule", "code"):
        values = [getattr(row, name) for row in rows]
        twice = sorted({str(v) for v in values if values.count(v) > 1})
        if twice:
            raise KnowledgeError(RULES_FILE, None, f"{name} {', '.join(twice)} is used twice", "give it a new one")
    codes = {row.code for row in rows}
    for row in rows:
        strangers = (row.suppressed_by | row.absorbed_by) - codes
        if strangers:
            raise KnowledgeError(RULES_FILE, None, f"{row.code} names unknown rules {sorted(strangers)}", "correct it")
    return rows


def _rule_row(row: Row) -> RuleRow:
    def parts(column: str) -> frozenset[str]:
        return frozenset(filter(None, row[column].split("|")))

    hooks, population = parts("hooks"), parts("population")
    if not hooks or hooks - HOOKS:
        raise row.error(f"hooks '{row['hooks']}' unknown", f"use {sorted(HOOKS)}")
    if not population or population - POPULATIONS:
        raise row.error(f"population '{row['population']}' unknown", f"use {sorted(POPULATIONS)}")
    return RuleRow(
        number=row.integer("number"),
        rule=row["rule"],
        code=row["code"],
        display=row["display"],
        hooks=hooks,
        population=population,
        softened=row["softened"] == "yes",
        group=row["group"],
        step=row.integer("step"),
        rank=row.integer("rank"),
        suppressed_by=parts("suppressed_by"),
        absorbed_by=parts("absorbed_by"),
        source=row["source"],
    )


def load_profiles(rules: tuple[RuleRow, ...], override_codes: frozenset[str]) -> Mapping[str, Profile]:
    """All profiles by name.

    Raises:
        KnowledgeError: a profile names an unknown rule or override reason, lacks an element, or has a summary
            that is too long; the message names file and entry.
    """
    by_code = {row.code: row for row in rules}
    profiles = [_profile(file, by_code, override_codes) for file in sorted((DATA / "guidelines").glob("*.toml"))]
    numbers = [p.number for p in profiles]
    if len(set(numbers)) != len(numbers):
        raise KnowledgeError(
            DATA / "guidelines", None, "two profiles share a number", "give each its own, never re-used"
        )
    return {profile.name: profile for profile in profiles}


def _profile(file: Path, rules: Mapping[str, RuleRow], override_codes: frozenset[str]) -> Profile:
    data = read_toml(file)
    try:
        sentences: Mapping[str, str] = data.get("sentences", {})
        review = data["review"]
        evidence = {
            code: _evidence(file, code, table, rules, sentences, review, override_codes)
            for code, table in data["rules"].items()
        }
        return Profile(
            name=data["name"],
            number=data["number"],
            title=data["title"],
            year=data["year"],
            statement=data["statement"],
            definitions={k: Decimal(v) for k, v in data["definitions"].items()},
            lists={k: tuple(v) for k, v in data["lists"].items()},
            switches=dict(data["switches"]),
            rules=evidence,
            reviewer=review["reviewer"],
            reviewed=review["reviewed"],
            next_review=review["next_review"],
            footer=data["footer"],
            sentences=sentences,
        )
    except KeyError as missing:
        raise KnowledgeError(file, None, f"entry {missing} is missing", "add it; both profiles carry it") from None


def _evidence(
    file: Path,
    code: str,
    table: Mapping[str, Any],
    rules: Mapping[str, RuleRow],
    sentences: Mapping[str, str],
    review: Mapping[str, Any],
    override_codes: frozenset[str],
) -> Evidence:
    if code not in rules:
        raise KnowledgeError(file, None, f"rule '{code}' does not exist", "name a code of rules.csv")
    strangers = set(table.get("override_reasons", [])) - override_codes
    if strangers:
        raise KnowledgeError(
            file, None, f"{code}: override reasons {sorted(strangers)} unknown", "see override-reasons.csv"
        )
    url = table.get("source_url", "")
    if url and not url.startswith("https://"):
        raise KnowledgeError(file, None, f"{code}: source_url is not https", "give an https address or leave it out")
    try:
        return Evidence(
            rule=rules[code],
            when=table["when"],
            numbers={k: Decimal(v) for k, v in table.get("numbers", {}).items()},
            lists={k: tuple(v) for k, v in table.get("lists", {}).items()},
            bands=tuple(table.get("bands", [])),
            texts={name: _text(file, code, name, text, sentences) for name, text in table["texts"].items()},
            source_label=table["source_label"],
            source_url=url,
            year=table["year"],
            grade=table.get("grade", ""),
            checked=table["checked"],
            override_reasons=tuple(table.get("override_reasons", [])),
            reviewer=table.get("reviewer", review["reviewer"]),
            reviewed=table.get("reviewed", review["reviewed"]),
            next_review=table.get("next_review", review["next_review"]),
        )
    except KeyError as missing:
        raise KnowledgeError(file, None, f"{code}: entry {missing} is missing", "add it") from None


def _text(file: Path, code: str, name: str, text: Mapping[str, Any], sentences: Mapping[str, str]) -> Text:
    where = f"{code}, text {name}"
    summary = text["summary"]
    if len(_SLOT.sub("", summary)) >= SUMMARY_LIMIT:
        raise KnowledgeError(file, None, f"{where}: summary has 140 characters or more", "shorten it")
    today = text.get("today", [])
    unknown = [key for key in today if key not in sentences]
    if unknown:
        raise KnowledgeError(file, None, f"{where}: sentences {unknown} unknown", "add them under [sentences]")
    return Text(
        urgency=Urgency[text["indicator"].upper()],
        summary=summary,
        advice=tuple(text.get("advice", [])),
        today=tuple(sentences[key] for key in today),
        appended=bool(text.get("appended", False)),
    )


def slots_of(text: Text) -> frozenset[str]:
    """The named slots that a rule must fill for ``text``."""
    return frozenset(slot for line in (text.summary, *text.advice) for slot in _SLOT.findall(line))
