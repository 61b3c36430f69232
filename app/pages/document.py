"""docs/rules.md: every rule as Markdown, all profiles side by side, for review on paper or in a pull request."""

import re
from collections.abc import Iterator, Sequence

from hooks import rule_sheet
from hooks.guidelines import Profile
from hooks.knowledge import Knowledge
from hooks.rule_sheet import Cell, Section, Sheet
from hooks.shared_tables import shared_tables
from hooks.threshold_words import Words, load_words

_SPECIAL = re.compile(r"([\\`*_|<>\[\]])")
_PREFACE = """\
# The rules

Made from `hooks/data` by `make rules-doc`; an edit here is lost. The service shows the same at `/rules`.
A word in \\[square brackets\\] is filled in from the patient's record. *none*: the profile says nothing there."""


def document(knowledge: Knowledge) -> str:
    """The whole document. It names no day but those in the data, so that it does not age by itself."""
    words = load_words()
    sheets = [rule_sheet.sheet(knowledge, rule.code, words) for rule in knowledge.rules]
    return "\n".join(_lines(knowledge, words, sheets)) + "\n"


def _lines(knowledge: Knowledge, words: Words, sheets: Sequence[Sheet]) -> Iterator[str]:
    profiles = rule_sheet.profiles(knowledge)
    yield from (_PREFACE, "", "## Guideline profiles", "")
    for profile in profiles:
        review = (
            f"Reviewer: {profile.reviewer}; last change or review {profile.reviewed}, next due {profile.next_review}."
        )
        yield f"- **{_plain(profile.title)}** (`{profile.name}`): {_plain(profile.statement)} {_plain(review)}"
    yield from (
        "",
        "## All rules",
        "",
        _row(["No.", "Rule", *(_plain(p.title) for p in profiles)]),
        _rule_off(profiles, 2),
    )
    for sheet in sheets:
        urgencies = [", ".join(used) or "not used" for used in rule_sheet.indicators(sheet)]
        link = f"[{_plain(sheet.rule.display)}](#{_anchor(sheet.rule.display)})"
        yield _row([str(sheet.rule.number), link, *urgencies])
    yield from ("", "## Not yet verified", "")
    for sheet in sheets:
        if sheet.open_points:
            yield f"- {_plain(sheet.rule.display)}: {_plain('; '.join(sheet.open_points))}"
    shared = rule_sheet.definitions(knowledge, words)
    yield from ("", f"## {shared.title}", "", *_table(profiles, [shared], titled=False))
    yield from ("", "## Doses and interactions", "", "The same under every profile.")
    for table in shared_tables(knowledge, words):
        yield from ("", f"### {table.title}", "", _row([_plain(heading) for heading in table.headings]))
        yield "|" + "---|" * len(table.headings)
        yield from (_row([_plain(cell) for cell in row]) for row in table.rows)
    for sheet in sheets:
        yield from ("", f"## {sheet.rule.display}", "", *_facts(sheet, knowledge), "")
        yield from _table(profiles, sheet.sections, titled=True)


def _facts(sheet: Sheet, knowledge: Knowledge) -> Iterator[str]:
    rule = sheet.rule
    yield f"- `{rule.code}`, permanent number {rule.number}, {rule.rule} in the rule list"
    yield f"- Looked at: {', '.join(sheet.hooks)}"
    yield f"- About patients with: {_plain('; '.join(sheet.population))}"
    for relation in sheet.relations:
        named = "; ".join(_plain(knowledge.rule(code).display) for code in relation.rules)
        yield f"- {_plain(relation.words)}{f': {named}' if named else ''}"


def _table(profiles: Sequence[Profile], sections: Sequence[Section], *, titled: bool) -> Iterator[str]:
    yield _row(["", *(_plain(profile.title) for profile in profiles)])
    yield _rule_off(profiles, 1)
    for section in sections:
        if titled:
            yield _row([f"**{_plain(section.title)}**", *("" for _ in profiles)])
        for line in section.lines:
            yield _row([_plain(line.label), *(_cell(cell) for cell in line.cells)])


def _cell(cell: Cell) -> str:
    lines = [f"**{cell.indicator}**"] if cell.indicator else []
    return "<br>".join([*lines, *(_plain(line) for line in cell.lines)]) or "*none*"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rule_off(profiles: Sequence[Profile], more: int) -> str:
    return "|" + "---|" * (len(profiles) + more)


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
