"""Outcomes to cards: what is merged, how it is worded, in which order, at most four."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from hooks.card import Card
from hooks.clinic.wording import in_brief, one_line, shorten
from hooks.decide import Outcome
from hooks.facts import Patient
from hooks.finding import CannotTell, Finding, Urgency
from hooks.guidelines import DATA_RULE, MARK_OF_DOUBT, SUMMARY_UNITS, Profile, Text, units
from hooks.knowledge import Knowledge
from hooks.proposal import Proposal

MOST_CARDS = 4
LONGEST_LINE = 400
"""UTF-16 units of one line of a card; longer ones come only from labels that nobody would read."""
SHORTEST_SLOT = 12
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&])")
_LINK = re.compile(r"(?i)(javascript:|data:|vbscript:|https?:|ftp:|mailto:|xmpp:|www\.)")
_ADDRESS = re.compile(r"(?<=\S)@(?=\S)")
_LIST_MARK = re.compile(r"^(?:([-+=])|(\d+)([.)])(?=\s|$))")


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
    def rank(self) -> tuple[int, bool, int, int]:
        """What sorts it: urgency first, then lesser points last, then the order of the rules."""
        return -self.urgency, self.appended, self.outcome.rule.step, self.outcome.rule.rank


@dataclass(slots=True, kw_only=True)
class _Pile:
    """Points that make one card."""

    points: list[Point] = field(default_factory=list)
    absorbed: list[str] = field(default_factory=list)


def cards(outcomes: Sequence[Outcome], patient: Patient, profile: Profile, knowledge: Knowledge) -> tuple[Card, ...]:
    """The cards for a response, the most urgent first; none when every rule was checked and had nothing to say."""
    outcomes = sorted(outcomes, key=lambda o: o.order)  # whatever the order in which the drafts came
    told = _with_data_finding(outcomes, profile, knowledge)
    points = [_worded(o, o.answer, o.evidence.texts[o.answer.text]) for o in told if isinstance(o.answer, Finding)]
    on_view = all(o.on_view for o in outcomes)
    return tuple(_card(pile, patient, profile, knowledge, on_view=on_view) for pile in _piles(points, on_view=on_view))


def _worded(outcome: Outcome, finding: Finding, text: Text) -> Point:
    safe = {name: escape(shorten(value, LONGEST_LINE)) for name, value in finding.slots.items()}
    return Point(
        outcome=outcome,
        urgency=finding.urgency,
        summary=_fitted(text.summary, finding),
        because=tuple(escape(shorten(line, LONGEST_LINE)) for line in finding.because),
        advice=tuple(line.format_map(safe) for line in text.advice),
        notes=tuple(escape(shorten(line, LONGEST_LINE)) for line in finding.notes),
        today=text.today,
        proposals=finding.proposals,
        appended=text.appended,
    )


def _fitted(template: str, finding: Finding) -> str:
    """The summary with its slots filled: a long value is cut before the advice is, and doubt is always marked."""
    slots = dict(finding.slots)
    doubts = (f" ({', '.join(finding.doubts)})", MARK_OF_DOUBT) if finding.doubts else ("",)
    for doubt in doubts:
        if units(template.format_map(slots) + doubt) <= SUMMARY_UNITS:
            return shorten(template.format_map(slots) + doubt)
    mark = doubts[-1]
    for name in sorted(slots, key=lambda n: units(slots[n]), reverse=True):
        excess = units(template.format_map(slots) + mark) - SUMMARY_UNITS
        uses = template.count(f"{{{name}}}")
        if excess > 0 and uses:
            slots[name] = shorten(slots[name], max(units(slots[name]) - -(-excess // uses), SHORTEST_SLOT))
    return shorten(template.format_map(slots) + mark)


def _with_data_finding(outcomes: Sequence[Outcome], profile: Profile, knowledge: Knowledge) -> list[Outcome]:
    """What rules could not tell, and rules that broke, join the one finding about data that could not be used."""
    evidence = profile.rules[DATA_RULE]
    told = [(o, o.answer) for o in outcomes if o.rule.code == DATA_RULE and isinstance(o.answer, Finding)]
    lines = list(dict.fromkeys(line for _, finding in told for line in finding.because))
    more = [line for o in outcomes if isinstance(o.answer, CannotTell) for line in o.answer.missing]
    more += [f"rule {o.rule.code} failed and was not checked" for o in outcomes if o.error]
    extra = [line for line in dict.fromkeys(more) if line and not _is_said(line, lines)]
    if not extra and len(told) <= 1:
        return list(outcomes)
    rest = [o for o in outcomes if not (o.rule.code == DATA_RULE and isinstance(o.answer, Finding))]
    first, finding = max(told, key=lambda pair: pair[1].urgency, default=(None, None))
    if first is None or finding is None:
        source = next(o for o in outcomes if o.error or isinstance(o.answer, CannotTell))
        first = replace(source, rule=knowledge.rule(DATA_RULE), evidence=evidence, error="")
    because = (*lines, *extra)
    slots = {"item": in_brief(because)}
    made = evidence.finding(finding.text if finding else "main", slots=slots, because=because)
    if made is None:
        return list(outcomes)
    return [*rest, replace(first, answer=replace(made, urgency=finding.urgency if finding else made.urgency))]


def _is_said(line: str, lines: Iterable[str]) -> bool:
    """Whether a line about the same item is there already."""
    item = line.split(":", 1)[0]
    return any(line == said or said.split(":", 1)[0] == item for said in lines)


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
    proposals = _proposals(pile)
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


def _proposals(pile: _Pile) -> tuple[Proposal, ...]:
    """The buttons of the first rule on the card that has some, of each draft that it is about."""
    first = next((p for p in pile.points if p.proposals), None)
    if first is None:
        return ()
    same = [p for p in pile.points if p.outcome.rule.code == first.outcome.rule.code]
    return tuple(dict.fromkeys(proposal for p in same for proposal in p.proposals))


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
    facts = _without_openings(dict.fromkeys(line for p in points for line in p.because))
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


def _without_openings(lines: Iterable[str]) -> list[str]:
    """Lines less those that another line says as well, and goes on."""
    listed = list(lines)
    return [line for line in listed if not any(o != line and o.startswith(line) for o in listed)]


def escape(text: str) -> str:
    """Text from the record made harmless in Markdown: no markup, no HTML, no list, no link that a viewer makes."""
    flat = one_line(text)
    flat = _ADDRESS.sub(" @ ", flat)
    flat = _SPECIAL.sub(lambda m: "&amp;" if m[1] == "&" else "&lt;" if m[1] == "<" else f"\\{m[1]}", flat)
    flat = _LIST_MARK.sub(lambda m: f"\\{m[1]}" if m[1] else f"{m[2]}\\{m[3]}", flat)
    return _LINK.sub(lambda m: f"{m[1][:-1]}\\{m[1][-1]}", flat)
