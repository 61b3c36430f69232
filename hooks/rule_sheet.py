"""A rule as a clinician reads it, all profiles side by side: the rows of its page and of docs/rules.md."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from hooks.guidelines import Evidence, Profile, Text
from hooks.knowledge import Knowledge
from hooks.rulebook import RuleRow
from hooks.threshold_words import Words, amount, band_in_words, listed, spelled

HOOKS: Mapping[str, str] = {
    "patient-view": "when a chart is opened",
    "order-select": "when an order is chosen",
    "order-sign": "when an order is signed",
}
_POPULATIONS: Mapping[str, str] = {
    "cat": "VTE and active cancer",
    "remission": "VTE and cancer in remission",
    "unusual-site": "VTE of an unusual site (splanchnic, renal, cerebral) and cancer",
    "unknown": "VTE or cancer that cannot be told from the record",
}
_NOT_USED = "This profile does not use the rule."
_IN_FULL: Mapping[str, str] = {
    "engineering addition, not from the seed": "added by this project, not a statement of its clinical source",
    "seed": "the statement itself, taken from the clinical source of the project",
    "newer guidance from knowledge": "newer guidance, from general knowledge",
    "from knowledge": "from general knowledge",
    "verified in part": "the source, verified in part",
}
_SLOT = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What one profile says in one row: plain lines. ``indicator`` is that of a card's text; ``mark`` a warning."""

    lines: tuple[str, ...] = ()
    indicator: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row: what it is about, and a cell for each profile, in the order of the columns."""

    label: str
    cells: tuple[Cell, ...]

    @property
    def differs(self) -> bool:
        """Whether the profiles do not agree in it."""
        return len(set(self.cells)) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Rows under one heading."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """How a rule lives with others: words, and the codes of the rules that they are about."""

    words: str
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One rule for people. ``open_points`` is what nobody has verified yet, over all profiles."""

    rule: RuleRow
    hooks: tuple[str, ...]
    population: tuple[str, ...]
    relations: tuple[Relation, ...]
    columns: tuple[Profile, ...]
    sections: tuple[Section, ...]
    open_points: tuple[str, ...]


def sheet(knowledge: Knowledge, code: str, words: Words, today: date | None = None) -> Sheet:
    """The rule of ``code``; with ``today`` an overdue review is marked.

    Raises:
        KeyError: there is no such rule.
    """
    rule = knowledge.rule(code)
    columns = profiles(knowledge)
    found = [profile.rules.get(code) for profile in columns]
    sections = (
        Section(title="When it speaks", lines=(_when(found),)),
        Section(title="Thresholds", lines=_thresholds(found, words)),
        Section(title="What the card says", lines=_texts(found)),
        Section(title="What newer guidance says", lines=_today(found)),
        Section(title="Evidence", lines=_evidence(found)),
        Section(title="Review", lines=_review(found, today)),
        Section(title="Reasons for not following", lines=_reasons(found, knowledge)),
    )
    open_points = dict.fromkeys(point for one in found if one for point in _checked(one.checked)[1])
    return Sheet(
        rule=rule,
        hooks=tuple(words for hook, words in HOOKS.items() if hook in rule.hooks),
        population=tuple(words for name, words in _POPULATIONS.items() if name in rule.population),
        relations=_relations(rule, knowledge),
        columns=columns,
        sections=tuple(section for section in sections if section.lines),
        open_points=tuple(open_points),
    )


def profiles(knowledge: Knowledge) -> tuple[Profile, ...]:
    """The columns: every profile, in the order of their numbers."""
    return tuple(sorted(knowledge.profiles.values(), key=lambda profile: profile.number))


def definitions(knowledge: Knowledge, words: Words) -> Section:
    """The numbers, lists and switches behind the facts that all rules share."""
    columns = profiles(knowledge)
    lines = []
    for name in _names(profile.definitions for profile in columns):
        cells = tuple(Cell(lines=amount(profile.definitions.get(name), words.unit(name))) for profile in columns)
        lines.append(Line(label=words.label(name), cells=cells))
    for name in _names(profile.lists for profile in columns):
        cells = tuple(Cell(lines=(listed(profile.lists.get(name, ()), words),)) for profile in columns)
        lines.append(Line(label=words.label(name), cells=cells))
    for name in _names(profile.switches for profile in columns):
        cells = tuple(Cell(lines=("yes" if profile.switches.get(name) else "no",)) for profile in columns)
        lines.append(Line(label=words.label(name), cells=cells))
    return Section(title="Definitions that all rules share", lines=tuple(lines))


def indicators(sheet: Sheet) -> tuple[tuple[str, ...], ...]:
    """For each profile the indicators that the cards of a rule can have, the most urgent first; none where unused."""
    order = ("critical", "warning", "info")
    lines = next((section.lines for section in sheet.sections if section.title == "What the card says"), ())
    used = [{line.cells[place].indicator for line in lines} for place in range(len(sheet.columns))]
    return tuple(tuple(word for word in order if word in words) for words in used)


def rules_of_reasons(knowledge: Knowledge) -> Mapping[str, tuple[RuleRow, ...]]:
    """For each override reason the rules whose cards offer it, under any profile."""
    offered = {
        (reason, code)
        for profile in knowledge.profiles.values()
        for code, evidence in profile.rules.items()
        for reason in evidence.override_reasons
    }
    return {
        reason: tuple(rule for rule in knowledge.rules if (reason, rule.code) in offered)
        for reason in knowledge.override_reasons
    }


def is_overdue(profile: Profile, today: date) -> bool:
    """Whether the review of a profile, or of a rule in it, should have happened before ``today``."""
    return min(profile.next_review, *(one.next_review for one in profile.rules.values())) < today


def _line(label: str, found: Sequence[Evidence | None], told: Callable[[Evidence], Cell]) -> Line:
    return Line(label=label, cells=tuple(told(one) if one else Cell() for one in found))


def _when(found: Sequence[Evidence | None]) -> Line:
    return Line(label="Condition", cells=tuple(Cell(lines=(one.when if one else _NOT_USED,)) for one in found))


def _thresholds(found: Sequence[Evidence | None], words: Words) -> tuple[Line, ...]:
    used = [one for one in found if one]
    lines = []
    for name in _names(one.numbers for one in used):
        told = (amount(one.numbers.get(name), words.unit(name)) if one else () for one in found)
        lines.append(Line(label=words.label(name), cells=tuple(Cell(lines=cell) for cell in told)))
    if any(one.bands for one in used):
        name = f"bands/{used[0].rule.code}"
        bands = (tuple(band_in_words(b, words.unit(name), words) for b in one.bands) if one else () for one in found)
        lines.append(Line(label=words.label(name), cells=tuple(Cell(lines=cell) for cell in bands)))
    for name in _names(one.lists for one in used):
        told = ((listed(one.lists[name], words),) if one and name in one.lists else () for one in found)
        lines.append(Line(label=words.label(name), cells=tuple(Cell(lines=cell) for cell in told)))
    return tuple(lines)


def _texts(found: Sequence[Evidence | None]) -> tuple[Line, ...]:
    return tuple(
        Line(label=_variant(name), cells=tuple(_text(one.texts.get(name)) if one else Cell() for one in found))
        for name in _names(one.texts for one in found if one)
    )


def _text(text: Text | None) -> Cell:
    if text is None:
        return Cell()
    lines = (text.summary, *text.advice)
    return Cell(indicator=text.urgency.indicator, lines=tuple(_SLOT.sub(_slot, line) for line in lines))


def _variant(name: str) -> str:
    return "Main text" if name == "main" else f"Variant “{spelled(name)}”"


def _slot(found: re.Match[str]) -> str:
    return f"[{spelled(found[1])}]"


def _today(found: Sequence[Evidence | None]) -> tuple[Line, ...]:
    told = [tuple(dict.fromkeys(s for text in one.texts.values() for s in text.today)) if one else () for one in found]
    return (Line(label="Shown on the card", cells=tuple(Cell(lines=lines) for lines in told)),) if any(told) else ()


def _evidence(found: Sequence[Evidence | None]) -> tuple[Line, ...]:
    return (
        _line("Source", found, lambda e: Cell(lines=tuple(filter(None, (e.source_label, e.source_url))))),
        _line("Year", found, lambda e: Cell(lines=(e.year,))),
        _line("Strength", found, lambda e: Cell(lines=(e.grade or "not graded",))),
        _line("Verified", found, lambda e: Cell(lines=_checked(e.checked)[0] or ("nothing yet",))),
        _line("Not yet verified", found, lambda e: Cell(lines=_checked(e.checked)[1] or ("nothing",))),
    )


def _checked(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the words of ``checked`` say is verified, and what is not."""
    parts = [part.strip() for part in text.split(";")]
    done = tuple("the source" if part == "verified" else part for part in parts if part.endswith("verified"))
    left = tuple(_in_full(part) for part in parts if not part.endswith("verified"))
    return done, left


def _in_full(point: str) -> str:
    return _IN_FULL.get(point, point)


def _review(found: Sequence[Evidence | None], today: date | None) -> tuple[Line, ...]:
    def due(evidence: Evidence) -> Cell:
        late = today is not None and evidence.next_review < today
        return Cell(lines=(evidence.next_review.isoformat(),), mark="overdue" if late else "")

    return (
        _line("Reviewer", found, lambda e: Cell(lines=(e.reviewer,))),
        _line("Last change or review", found, lambda e: Cell(lines=(e.reviewed.isoformat(),))),
        _line("Next review due", found, due),
    )


def _reasons(found: Sequence[Evidence | None], knowledge: Knowledge) -> tuple[Line, ...]:
    if not any(one.override_reasons for one in found if one):
        return ()
    reasons = knowledge.override_reasons
    return (
        _line(
            "Offered on the card", found, lambda e: Cell(lines=tuple(reasons[r].display for r in e.override_reasons))
        ),
    )


def _relations(rule: RuleRow, knowledge: Knowledge) -> tuple[Relation, ...]:
    def ordered(codes: Iterable[str]) -> tuple[str, ...]:
        wanted = frozenset(codes)
        return tuple(row.code for row in knowledge.rules if row.code in wanted)

    group = ordered(row.code for row in knowledge.rules if rule.group == "drug-choice" == row.group and row != rule)
    told = [
        Relation(words="Not shown while one of these speaks", rules=ordered(rule.suppressed_by)),
        Relation(words="Taken into the card of", rules=ordered(rule.absorbed_by)),
        Relation(words="One card for an order, together with", rules=group),
    ]
    relations = [relation for relation in told if relation.rules]
    if rule.softened:
        words = "Where clot or cancer is uncertain, the card is one level milder and says so"
        relations.append(Relation(words=words))
    if "patient-view" in rule.hooks:
        relations.append(Relation(words="When a chart is opened, no card is more than a warning"))
    return tuple(relations)


def _names(tables: Iterable[Mapping[str, object]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for table in tables for name in table))
