"""Outcomes to cards: what is merged, how it is worded, in which order, at most four."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hooks.card import Card
from hooks.decide import Outcome
from hooks.facts import Patient
from hooks.finding import CannotTell, Finding, Urgency
from hooks.guidelines import Profile, Text
from hooks.knowledge import Knowledge
from hooks.proposal import Proposal

SUMMARY_UNITS = 139
MOST_CARDS = 4
DATA_RULE = "data-not-usable"
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&])")
_LINK = re.compile(r"(?i)\b(javascript:|data:|vbscript:|https?:|ftp:|mailto:|www\.)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One finding in words, before it is merged with others into a card."""

    outcome: Outcome
    urgency: Urgency
    summary: str
    because: tuple[str, ...]
    advice: tuple[str, ...]
    notes: tuple[str, ...]
    today: tuple[str, ...]
    proposals: tuple[Proposal, ...] = ()
    appended: bool = False

    @property
    def rank(self) -> tuple[int, bool, int, int, str]:
        """What sorts it: urgency first, then lesser points last, then the order of the rules, then the draft's name."""
        return -self.urgency, self.appended, self.outcome.rule.step, self.outcome.rule.rank, self.outcome.order


@dataclass(slots=True, kw_only=True)
class _Pile:
    """Points that make one card."""

    points: list[Point] = field(default_factory=list)
    absorbed: list[str] = field(default_factory=list)


def cards(outcomes: Sequence[Outcome], patient: Patient, profile: Profile, knowledge: Knowledge) -> tuple[Card, ...]:
    """The cards for a response, the most urgent first; none when every rule was checked and had nothing to say."""
    points = [p for o in outcomes if (p := _point(o)) is not None]
    points = _with_data_point(points, outcomes, profile, knowledge)
    on_view = all(not o.order for o in outcomes)
    piles = _piles(points, on_view=on_view)
    made = [_card(pile, patient, profile, knowledge, on_view=on_view) for pile in piles]
    return tuple(made)


def _point(outcome: Outcome) -> Point | None:
    finding = outcome.answer
    if not isinstance(finding, Finding):
        return None
    text = outcome.evidence.texts[finding.text]
    return _worded(outcome, finding, text)


def _worded(outcome: Outcome, finding: Finding, text: Text) -> Point:
    summary = text.summary.format_map(finding.slots)
    if finding.doubts:
        summary = _suffixed(summary, f" ({', '.join(finding.doubts)})")
    safe = {name: escape(value) for name, value in finding.slots.items()}
    return Point(
        outcome=outcome,
        urgency=finding.urgency,
        summary=shorten(summary),
        because=tuple(escape(line) for line in finding.because),
        advice=tuple(line.format_map(safe) for line in text.advice),
        notes=tuple(escape(line) for line in finding.notes),
        today=text.today,
        proposals=finding.proposals,
        appended=text.appended,
    )


def _with_data_point(
    points: list[Point], outcomes: Sequence[Outcome], profile: Profile, knowledge: Knowledge
) -> list[Point]:
    """What rules could not tell, and rules that broke, join the one card about data that could not be used."""
    told = [p for p in points if p.outcome.rule.code == DATA_RULE]
    lines = [line for p in told for line in p.because]
    more = [escape(line) for o in outcomes if isinstance(o.answer, CannotTell) for line in o.answer.missing]
    more += [f"rule {o.rule.code} failed and was not checked" for o in outcomes if o.error]
    extra = [line for line in dict.fromkeys(more) if line and not _is_said(line, lines)]
    if not extra and len(told) <= 1:
        return points
    rest = [p for p in points if p.outcome.rule.code != DATA_RULE]
    evidence = profile.rules.get(DATA_RULE)
    if evidence is None:
        return rest
    if told:
        first = max(told, key=lambda p: p.urgency)
        because = tuple(dict.fromkeys([*lines, *extra]))
        return [*rest, _replace_because(first, because)]
    source = next(o for o in outcomes if o.error or isinstance(o.answer, CannotTell))
    outcome = Outcome(rule=knowledge.rule(DATA_RULE), evidence=evidence, order=source.order, answer=None)
    finding = evidence.finding(slots={"item": unescape(extra[0])}, because=tuple(unescape(line) for line in extra))
    return [*rest, _worded(outcome, finding, evidence.texts["main"])] if finding else rest


def _is_said(line: str, lines: Iterable[str]) -> bool:
    """Whether a line about the same item is there already."""
    item = line.split(":", 1)[0]
    return any(line == said or said.split(":", 1)[0] == item for said in lines)


def _replace_because(point: Point, because: tuple[str, ...]) -> Point:
    return Point(
        outcome=point.outcome,
        urgency=point.urgency,
        summary=point.summary,
        because=because,
        advice=point.advice,
        notes=point.notes,
        today=point.today,
    )


def _piles(points: list[Point], *, on_view: bool) -> list[_Pile]:
    """Points sorted into cards: drug choice by order, information on patient-view, else one rule a card."""
    piles: dict[tuple[str, str], _Pile] = {}
    for point in sorted(points, key=lambda p: p.rank):
        rule = point.outcome.rule
        if on_view and point.urgency is Urgency.INFO:
            key = ("view", "info")
        elif rule.group == "drug-choice":
            key = ("drug-choice", point.outcome.order)
        else:
            key = ("rule", rule.code)
        piles.setdefault(key, _Pile()).points.append(point)
    _absorb(piles)
    ordered = sorted(piles.values(), key=lambda pile: pile.points[0].rank)
    if len(ordered) > MOST_CARDS:
        last = ordered[MOST_CARDS - 1]
        for pile in ordered[MOST_CARDS:]:
            last.points += pile.points
            last.absorbed += pile.absorbed
        ordered = ordered[:MOST_CARDS]
    return ordered


def _absorb(piles: dict[tuple[str, str], _Pile]) -> None:
    """A rule whose card is taken in by another one's leaves only its code there."""
    for key, pile in list(piles.items()):
        for point in list(pile.points):
            takers = point.outcome.rule.absorbed_by
            taker = next(
                (other for other in piles.values() if any(p.outcome.rule.code in takers for p in other.points)), None
            )
            if taker is not None:
                pile.points.remove(point)
                taker.absorbed.append(point.outcome.rule.code)
        if not pile.points:
            del piles[key]


def _card(pile: _Pile, patient: Patient, profile: Profile, knowledge: Knowledge, *, on_view: bool) -> Card:
    first = pile.points[0]
    rule, evidence = first.outcome.rule, first.outcome.evidence
    codes = tuple(dict.fromkeys([*(p.outcome.rule.code for p in pile.points), *pile.absorbed]))
    proposals = next((p.proposals for p in pile.points if p.proposals), ())
    reasons = dict.fromkeys(r for p in pile.points for r in p.outcome.evidence.override_reasons)
    warns = first.urgency > Urgency.INFO
    return Card(
        rule=rule.code,
        rule_number=rule.number,
        rule_display=rule.display,
        rules=codes,
        urgency=first.urgency,
        summary=_summary(pile, on_view=on_view),
        detail=_detail(pile, patient, profile, knowledge, proposals),
        source_label=evidence.source_label,
        source_url=evidence.source_url,
        profile=profile.name,
        profile_number=profile.number,
        knowledge=knowledge.version,
        order=first.outcome.order,
        proposals=proposals,
        override_reasons=tuple(knowledge.override_reasons[r] for r in reasons) if warns else (),
    )


def _summary(pile: _Pile, *, on_view: bool) -> str:
    first = pile.points[0]
    if not on_view or first.urgency > Urgency.INFO or len(pile.points) == 1:
        return first.summary
    day = first.outcome.treatment_day
    head = f"Anticoagulation in cancer, day {day}: " if day else "Anticoagulation in cancer: "
    return shorten(head + "; ".join(p.summary for p in pile.points))


def _detail(
    pile: _Pile, patient: Patient, profile: Profile, knowledge: Knowledge, proposals: tuple[Proposal, ...]
) -> str:
    points = pile.points
    facts = dict.fromkeys(line for p in points for line in p.because)
    advice = dict.fromkeys(line for p in points for line in p.advice)
    notes = dict.fromkeys(line for p in points for line in p.notes)
    today = dict.fromkeys(line for p in points for line in p.today)
    blocks = ["\n".join(f"- {line}" for line in facts)] if facts else []
    if advice:
        blocks.append(f"**Advice:** {' '.join(advice)}")
    if notes:
        blocks.append("\n".join(f"- {line}" for line in notes))
    unread = [g.key for g in patient.gaps if not g.failed and g.key in ("allergies", "medications")]
    if proposals and unread:
        blocks.append(f"Not read before this suggestion: {', '.join(unread)}.")
    if today:
        blocks.append(f"**Newer guidance:** {' '.join(today)}")
    blocks.append(f"*{profile.footer.format(knowledge=knowledge.version)}*")
    return "\n\n".join(blocks)


def escape(text: str) -> str:
    """Text from the record made harmless in Markdown: no markup, no HTML, no links, one line."""
    flat = " ".join(text.split())
    flat = "".join(c for c in flat if c.isprintable())
    flat = _SPECIAL.sub(lambda m: "&amp;" if m[1] == "&" else "&lt;" if m[1] == "<" else f"\\{m[1]}", flat)
    return _LINK.sub(lambda m: f"{m[1][:-1]}\\{m[1][-1]}", flat)


def unescape(text: str) -> str:
    """The plain text of an escaped line (for a summary, which is plain)."""
    return re.sub(r"\\(.)", r"\1", text).replace("&lt;", "<").replace("&amp;", "&")


def shorten(text: str, units: int = SUMMARY_UNITS) -> str:
    """Plain text cut at a word to fewer than 140 UTF-16 units (the strictest reading of the specification)."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if _units(flat) <= units:
        return flat
    while flat and _units(flat) > units - 1:
        flat = flat.rsplit(" ", 1)[0] if " " in flat else flat[:-1]
    return f"{flat.rstrip(' ,;:')}…"


def _suffixed(summary: str, suffix: str) -> str:
    return summary + suffix if _units(summary + suffix) <= SUMMARY_UNITS else summary


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
