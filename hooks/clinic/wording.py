"""How facts are put in words: short plain lines, units and dates in them, no Markdown."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from hooks.dates import DayRange, PartialDate
from hooks.facts import Diagnosis, MedicationOrder, Patient
from hooks.guidelines import SUMMARY_UNITS, units

ITEM_UNITS = 80
"""UTF-16 units of one line where only a part of it is to be told."""


def number(value: Decimal, places: int = 1) -> str:
    """A number for reading: rounded half up, no trailing zeros, thousands set apart."""
    quantum = Decimal(1).scaleb(-places)
    text = f"{value.quantize(quantum, rounding=ROUND_HALF_UP) + 0:f}"  # + 0 leaves no minus before a zero
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    whole, dot, rest = text.partition(".")
    sign = "-" if whole.startswith("-") else ""
    digits = whole.lstrip("-")
    if len(digits) > len("999"):
        digits = f"{int(digits):,}".replace(",", " ")
    return f"{sign}{digits}{dot}{rest}"


def dose(value: Decimal, unit: str) -> str:
    """A dose: ``15 000 IU``, ``7.5 mg``."""
    return f"{number(value, 2)} {unit}"


def day_of(day: PartialDate) -> str:
    """A date, marked when it is only known to the month or year."""
    return str(day) if day.is_exact else f"about {day}"


def ago(days: DayRange | None) -> str:
    """How long ago, in days."""
    if days is None:
        return "date not recorded"
    if not days.is_exact:
        return f"about {days} days ago"
    if days.fewest == 0:
        return "today"
    count = f"{abs(days.fewest)} day{'' if abs(days.fewest) == 1 else 's'}"
    return f"in {count}" if days.fewest < 0 else f"{count} ago"


def diagnosis(found: Diagnosis, patient: Patient) -> str:
    """A diagnosis with its code, status and date."""
    code = f" ({', '.join(found.codes)})" if found.codes else ""
    status = f", {found.clinical_status}" if found.clinical_status not in (None, "active") else ""
    if found.since is None:
        return f"{found.label}{code}{status}, date not recorded"
    word = "since" if found.onset else "recorded"
    days = found.since.days_before(patient.as_of)
    return f"{found.label}{code}{status}, {word} {day_of(found.since)} ({ago(days)})"


def order(found: MedicationOrder) -> str:
    """A medication order: its label, status and start."""
    start = f", from {day_of(found.starts)}" if found.starts else ""
    by_name = ", matched by name" if found.drug and found.drug.matched_by == "name" else ""
    return f"{found.label} ({found.status or 'draft'}{start}{by_name})"


def drug_name(found: MedicationOrder) -> str:
    """The name of the drug for a sentence."""
    return found.drug.name if found.drug else found.label


def listed(items: tuple[str, ...] | list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(items) <= 1:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def one_line(text: str) -> str:
    """Text in one line, each run of white space or of characters that cannot be shown as one space."""
    shown = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    return " ".join(shown.split())


def shorten(text: str, most: int = SUMMARY_UNITS) -> str:
    """Plain text cut at a word to at most so many UTF-16 units (by default what a summary may have)."""
    flat = one_line(text[: 8 * most])
    if units(flat) <= most and len(text) <= 8 * most:
        return flat
    flat = flat[:most]
    while flat and units(flat) > most - 1:
        flat = flat.rsplit(" ", 1)[0] if " " in flat else flat[:-1]
    return f"{flat.rstrip(' ,;')}…"


def in_brief(lines: Sequence[str]) -> str:
    """The first line, cut where it is long, and how many more there are."""
    more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
    return shorten(lines[0], ITEM_UNITS) + more
