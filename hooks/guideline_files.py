"""The reader of ``data/guidelines/*.toml``: every profile is checked whole before the service starts."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from hooks.finding import Urgency
from hooks.guidelines import DATA_RULE, MARK_OF_DOUBT, SUMMARY_UNITS, Evidence, Profile, Text, units
from hooks.rulebook import RuleRow
from hooks.tables import DATA, KnowledgeError, read_rows, read_toml

MOST_NUMBER = 255
"""What fits into the uuid of a card."""
SLOTS_FILE = "slots.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Books:
    """What a profile may name: rules, override reasons, and slots, each with the longest value to be expected."""

    rules: Mapping[str, RuleRow]
    override_codes: frozenset[str]
    longest: Mapping[str, str]


def load_profiles(
    rules: tuple[RuleRow, ...], override_codes: Collection[str], data: Path = DATA
) -> Mapping[str, Profile]:
    """All profiles by name.

    Raises:
        KnowledgeError: a profile names an unknown rule, override reason, slot, sentence or text, lacks an entry that
            another profile has, holds an address that is not https, or a summary that is too long when its slots
            are filled; or no profile holds a rule.
    """
    books = _Books(
        rules={row.code: row for row in rules},
        override_codes=frozenset(override_codes),
        longest={row["slot"]: row["longest"] for row in read_rows(data / SLOTS_FILE, ["slot", "longest", "meaning"])},
    )
    folder = data / "guidelines"
    documents = {file: read_toml(file) for file in sorted(folder.glob("*.toml"))}
    if not documents:
        raise KnowledgeError(folder, None, "holds no profile", "put at least one .toml file there")
    profiles = [_profile(file, document, books) for file, document in documents.items()]
    for name in ("name", "number"):
        values = [getattr(profile, name) for profile in profiles]
        if len(set(values)) != len(values):
            raise KnowledgeError(folder, None, f"two profiles share a {name}", "give each its own, never re-used")
    for file, document in documents.items():
        _check_complete(file, document, documents)
    silent = sorted(set(books.rules) - {code for profile in profiles for code in profile.rules})
    if silent:
        raise KnowledgeError(folder, None, f"no profile holds the rules {silent}", "add them, or drop their rows")
    return {profile.name: profile for profile in profiles}


def _check_complete(file: Path, document: Mapping[str, Any], others: Mapping[Path, Mapping[str, Any]]) -> None:
    """A profile has each number, list, switch and text that another one has, or says under ``unsaid`` that it has not.

    A rule that it does not name is off as a whole.
    """
    own, rules = _entries(document), document["rules"]
    for other, richer in others.items():
        for entry in sorted(_entries(richer) - own):
            if entry[0] == "rules" and (entry[1] not in rules or entry[-1] in rules[entry[1]].get("unsaid", ())):
                continue
            raise KnowledgeError(
                file,
                None,
                f"entry {'.'.join(entry)} is missing",
                f"add it as in {other.name}, or name a text as unsaid",
            )


def _entries(document: Mapping[str, Any]) -> set[tuple[str, ...]]:
    entries = {(part, name) for part in ("definitions", "lists", "switches") for name in document[part]}
    return entries | {
        ("rules", code, part, name)
        for code, table in document["rules"].items()
        for part in ("numbers", "lists", "texts")
        for name in table.get(part, ())
    }


def _profile(file: Path, data: Mapping[str, Any], books: _Books) -> Profile:
    try:
        profile = Profile(
            name=data["name"],
            number=data["number"],
            title=data["title"],
            year=data["year"],
            statement=data["statement"],
            definitions={k: Decimal(v) for k, v in data["definitions"].items()},
            lists={k: tuple(v) for k, v in data["lists"].items()},
            switches=dict(data["switches"]),
            rules={code: _evidence(file, data, code, books) for code in data["rules"]},
            reviewer=data["review"]["reviewer"],
            reviewed=data["review"]["reviewed"],
            next_review=data["review"]["next_review"],
            footer=data["footer"],
            sentences=data.get("sentences", {}),
        )
    except KeyError as missing:
        raise KnowledgeError(file, None, f"entry {missing} is missing", "add it; all profiles carry it") from None
    if not 0 < profile.number <= MOST_NUMBER:
        raise KnowledgeError(file, None, f"number {profile.number} does not fit", f"use 1 to {MOST_NUMBER}")
    if DATA_RULE not in profile.rules:
        raise KnowledgeError(file, None, f"rule '{DATA_RULE}' is missing", "add it: what was not checked must be said")
    return profile


def _evidence(file: Path, data: Mapping[str, Any], code: str, books: _Books) -> Evidence:
    table, review = data["rules"][code], data["review"]
    if code not in books.rules:
        raise KnowledgeError(file, None, f"rule '{code}' does not exist", "name a code of rules.csv")
    strangers = sorted(set(table.get("override_reasons", ())) - books.override_codes)
    if strangers:
        raise KnowledgeError(file, None, f"{code}: override reasons {strangers} unknown", "see override-reasons.csv")
    url = table.get("source_url", "")
    if url and not url.startswith("https://"):
        raise KnowledgeError(file, None, f"{code}: source_url is not https", "give an https address or leave it out")
    try:
        evidence = Evidence(
            rule=books.rules[code],
            when=table["when"],
            numbers={k: Decimal(v) for k, v in table.get("numbers", {}).items()},
            lists={k: tuple(v) for k, v in table.get("lists", {}).items()},
            bands=tuple(table.get("bands", ())),
            texts={name: _text(file, data, code, name, books) for name in table["texts"]},
            source_label=table["source_label"],
            source_url=url,
            year=table["year"],
            grade=table.get("grade", ""),
            checked=table["checked"],
            override_reasons=tuple(table.get("override_reasons", ())),
            reviewer=table.get("reviewer", review["reviewer"]),
            reviewed=table.get("reviewed", review["reviewed"]),
            next_review=table.get("next_review", review["next_review"]),
        )
    except KeyError as missing:
        raise KnowledgeError(file, None, f"{code}: entry {missing} is missing", "add it") from None
    _check_texts(file, code, evidence, table)
    return evidence


def _check_texts(file: Path, code: str, evidence: Evidence, table: Mapping[str, Any]) -> None:
    """Bands name texts that are there; a text named as unsaid is not."""
    named = {band[key] for band in evidence.bands for key in ("text", "text_if_already") if band.get(key)}
    unknown = sorted(named - set(evidence.texts))
    if unknown:
        raise KnowledgeError(file, None, f"{code}: bands name texts {unknown} that are missing", "add or correct them")
    both = sorted(set(table.get("unsaid", ())) & set(evidence.texts))
    if both:
        raise KnowledgeError(file, None, f"{code}: texts {both} are there and named as unsaid", "drop one of the two")


def _text(file: Path, data: Mapping[str, Any], code: str, name: str, books: _Books) -> Text:
    entry, sentences = data["rules"][code]["texts"][name], data.get("sentences", {})
    where = f"{code}, text {name}"
    indicators = [urgency.indicator for urgency in Urgency]
    if entry["indicator"] not in indicators:
        raise KnowledgeError(
            file, None, f"{where}: indicator '{entry['indicator']}' unknown", f"use {', '.join(indicators)}"
        )
    unknown = [key for key in entry.get("today", ()) if key not in sentences]
    if unknown:
        raise KnowledgeError(file, None, f"{where}: sentences {unknown} unknown", "add them under [sentences]")
    text = Text(
        urgency=Urgency[entry["indicator"].upper()],
        summary=entry["summary"],
        advice=tuple(entry.get("advice", ())),
        today=tuple(sentences[key] for key in entry.get("today", ())),
        appended=bool(entry.get("appended", False)),
    )
    strangers = sorted(text.slots - set(books.longest))
    if strangers:
        raise KnowledgeError(file, None, f"{where}: slots {strangers} unknown", f"see {SLOTS_FILE}")
    try:
        longest = text.summary.format_map(books.longest)
        _ = [line.format_map(books.longest) for line in text.advice]
    except (ValueError, LookupError):
        raise KnowledgeError(file, None, f"{where}: braces that are no slot", "write {name}, or no brace") from None
    length = units(longest) + (units(MARK_OF_DOUBT) if books.rules[code].softened else 0)
    if length > SUMMARY_UNITS:
        raise KnowledgeError(
            file, None, f"{where}: summary can have {length} characters", f"shorten it to {SUMMARY_UNITS} at most"
        )
    return text
