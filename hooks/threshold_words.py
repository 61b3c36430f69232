"""Thresholds in words: what the names of numbers, lists and bands mean, with their units, from threshold-words.csv."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hooks.tables import DATA, read_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the names of thresholds, lists and bands mean, and their units in words."""

    rows: Mapping[str, tuple[str, str]]

    def label(self, name: str) -> str:
        """The name in words; one without words of its own is spelled out."""
        words, _ = self.rows.get(name, ("", ""))
        return words or spelled(name.rpartition("/")[2])

    def name(self, name: str) -> str:
        """A name that stands in a list: a class of drugs or a kind of diagnosis, in words."""
        return self.rows.get(f"name/{name}", ("", ""))[0] or spelled(name)

    def unit(self, name: str) -> str:
        """The unit in words, "" when there is none."""
        return self.rows.get(name, ("", ""))[1]


def load_words() -> Words:
    """The words of ``threshold-words.csv``. Raises KnowledgeError when it is wrong."""
    rows = read_rows(DATA / "threshold-words.csv", ("name", "words", "unit"))
    return Words(rows={row["name"]: (row["words"], row["unit"]) for row in rows})


def band_in_words(band: Mapping[str, Any], unit: str, words: Words) -> str:
    """One band as a sentence: whom it is about, its range, what follows."""
    moments = {"order": "when ordered", "view": "when the chart is opened", "any": ""}
    classes = [words.name(name) for name in band.get("classes", ())]
    about = ", ".join(filter(None, (band.get("drug", ""), " or ".join(classes), moments[band.get("when", "any")])))
    rest = [
        _said(key, value, words)
        for key, value in band.items()
        if key not in ("drug", "classes", "when", "from", "below", "through")
    ]
    return ": ".join(filter(None, (about, _range(band, unit), ", ".join(filter(None, rest)))))


def _range(band: Mapping[str, Any], unit: str) -> str:
    low = Decimal(band.get("from", 0))
    if "below" in band:
        return f"below {band['below']} {unit}" if not low else f"{_plain(low)} to below {band['below']} {unit}"
    return f"{_plain(low)} to {band['through']} {unit}" if "through" in band else ""


def _said(key: str, value: object, words: Words) -> str:
    label, unit = words.rows.get(f"band/{key}", (spelled(key), ""))
    if not label and not unit:
        return ""
    shown = str(value)
    if key.startswith("text"):
        shown = f"“{spelled(shown)}”" if shown else "no card"
    return " ".join(filter(None, (label, shown, unit)))


def amount(value: Decimal | None, unit: str) -> tuple[str, ...]:
    """A number with its unit in words; nothing for none."""
    return () if value is None else (" ".join(filter(None, (_plain(value), unit))),)


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f")


def listed(names: Sequence[str], words: Words) -> str:
    """The names of a list in one line."""
    return ", ".join(words.name(name) for name in names)


def spelled(name: str) -> str:
    """A name without its hyphens and underlines."""
    return name.replace("_", " ").replace("-", " ")
