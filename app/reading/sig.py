"""A dosage given only in words: a small strict grammar. What it does not understand in full, it does not read."""

import re
from dataclasses import dataclass, field
from decimal import Decimal

from app.reading.elements import Quantity

_NUMBER = r"[0-9]{1,3}(?:[, ][0-9]{3})+|[0-9]+(?:\.[0-9]+)?|one|two|three|half"
_NUMBER_WORDS = {"half": "0.5", "one": "1", "two": "2", "three": "3"}
_MEASURE = (
    r"(?:mg|mcg|ug|µg|μg|micrograms?|milligrams?|grams?|g|i\.?u\.?|int'l units|international units?"
    r"|anti-xa (?:iu|units?)|units?|u)(?:\s*/\s*kg)?"
)
_PIECE = r"(?:tablets?|tabs?|capsules?|caps?|syringes?|pre-?filled syringes?)"
_ROUTES = (
    (r"by mouth|orally|oral|p\.?o\.?|per os", "oral"),
    (r"subcutaneous(?:ly)?|sub-?cut|sub-?q|s\.?c\.?|s\.?q\.?|under the skin", "subcutaneous"),
    (r"intravenous(?:ly)?|i\.?v\.?", "intravenous"),
)
_FREQUENCIES = (
    (
        r"once (?:a |per |every )?(?:day|daily)|(?:1|one) time (?:a day|daily)|daily|(?:every|each|a|per) day"
        r"|q\.?d\.?|o\.?d\.?|(?:every|q) ?24 ?h(?:ours?|rs?)?"
        r"|nightly|at bedtime|every (?:morning|evening|night)|in the (?:morning|evening)",
        Decimal(1),
    ),
    (
        r"(?:twice|two times|2 times|2x) ?(?:a |per )?(?:day|daily)|b\.?i\.?d\.?|b\.?d\.?"
        r"|(?:every|q) ?12 ?h(?:ours?|rs?)?",
        Decimal(2),
    ),
    (
        r"(?:three times|3 times|3x) ?(?:a |per )?(?:day|daily)|t\.?i\.?d\.?|t\.?d\.?s\.?"
        r"|(?:every|q) ?8 ?h(?:ours?|rs?)?",
        Decimal(3),
    ),
    (
        r"(?:four times|4 times|4x) ?(?:a |per )?(?:day|daily)|q\.?i\.?d\.?|q\.?d\.?s\.?"
        r"|(?:every|q) ?6 ?h(?:ours?|rs?)?",
        Decimal(4),
    ),
)
_TOKENS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(rf"(?:{pattern})(?![a-z0-9])", re.IGNORECASE))
    for name, pattern in (
        (
            "pieces",
            rf"(?P<count>{_NUMBER})\s*(?P<piece>{_PIECE})"
            rf"(?:\s*\(\s*(?P<inner>{_NUMBER})\s*(?P<innerunit>{_MEASURE})(?P<total>\s+total)?\s*\))?",
        ),
        ("measure", rf"(?P<value>{_NUMBER})\s*(?P<unit>{_MEASURE})"),
        ("days", r"(?:for|x) (?P<length>[0-9]{1,3}) (?P<span>days?|weeks?|months?)"),
        *((f"route {word}", pattern) for pattern, word in _ROUTES),
        *((f"times {often}", pattern) for pattern, often in _FREQUENCIES),
        ("prn", r"as needed|p\.?r\.?n\.?"),
        ("filler", r"take|inject|give|administer|dose|with (?:food|(?:the )?(?:evening )?meals?|water)|injection"),
    )
)
_ROUTE_PATTERNS = tuple((re.compile(pattern, re.IGNORECASE), word) for pattern, word in _ROUTES)
_FREQUENCY_PATTERNS = tuple((re.compile(pattern, re.IGNORECASE), often) for pattern, often in _FREQUENCIES)
_STEP = re.compile(r"\s*[,;.]?\s*\b(?:and )?(?:then|followed by)\b\s*[,:]?\s*", re.IGNORECASE)
_GLUE = " ,;.\t\n\r"
_LONGEST_TEXT = 300


@dataclass(slots=True, kw_only=True)
class Step:
    """One step of a dosage in words. ``pieces`` counts the product where a ``quantity`` stands beside it."""

    quantity: Quantity | None = None
    pieces: Decimal | None = None
    times_per_day: Decimal | None = None
    route: str = ""
    as_needed: bool = False
    length: tuple[Decimal, str] | None = None
    said: set[str] = field(default_factory=set)


def read_sig(text: str, drug: str = "") -> tuple[Step, ...]:
    """The steps of a dosage ("10 mg by mouth twice daily for 7 days, then 5 mg twice daily"); () if not understood.

    The name of the ``drug`` itself may stand before the dose.
    """
    if not text or len(text) > _LONGEST_TEXT:
        return ()
    if drug:
        text = re.sub(rf"^\W*{re.escape(drug)}(?: sodium)?\b", "", text, flags=re.IGNORECASE)
    steps = tuple(_read_step(part) for part in _STEP.split(text))
    understood = tuple(step for step in steps if step is not None)
    if len(understood) != len(steps) or any(step.length is None for step in understood[:-1]):
        return ()
    return understood


def read_frequency(text: str) -> Decimal | None:
    """How often a day a text says, as a whole ("twice a day")."""
    return next((often for pattern, often in _FREQUENCY_PATTERNS if pattern.fullmatch(text.strip(_GLUE))), None)


def read_route(text: str) -> str:
    """The route that a text names as a whole ("s.c."), or ""."""
    return next((word for pattern, word in _ROUTE_PATTERNS if pattern.fullmatch(text.strip(_GLUE))), "")


def _read_step(text: str) -> Step | None:
    step, rest = Step(), text.strip(_GLUE)
    while rest:
        found = next(((name, match) for name, pattern in _TOKENS if (match := pattern.match(rest))), None)
        if found is None or not _take(step, *found):
            return None
        rest = rest[found[1].end() :].lstrip(_GLUE)
    return step if step.quantity is not None else None


def _take(step: Step, name: str, match: re.Match[str]) -> bool:
    """Adds what a token says; False when it says a thing a second time."""
    kind = name.partition(" ")[0]
    topic = "dose" if kind in ("pieces", "measure") else kind
    if topic in step.said and topic != "filler":
        return topic == "times" and step.times_per_day == Decimal(name.partition(" ")[2])
    step.said.add(topic)
    if kind == "pieces":
        whole = _quantity(match["count"], match["piece"])
        step.quantity = whole
        if match["inner"] is not None:
            step.quantity = _quantity(match["inner"], match["innerunit"])
            step.pieces = None if match["total"] else whole.value
    elif kind == "measure":
        step.quantity = _quantity(match["value"], match["unit"])
    elif kind == "days":
        step.length = (Decimal(match["length"]), {"d": "d", "w": "wk", "m": "mo"}[match["span"][0].lower()])
    elif kind == "route":
        step.route = name.partition(" ")[2]
    elif kind == "times":
        step.times_per_day = Decimal(name.partition(" ")[2])
    elif kind == "prn":
        step.as_needed = True
    return True


def _quantity(value: str, unit: str) -> Quantity:
    plain = _NUMBER_WORDS.get(value.lower(), value.replace(",", "").replace(" ", ""))
    word = unit.lower().replace(".", "").replace("prefilled ", "").replace("pre-filled ", "")
    return Quantity(value=Decimal(plain), unit=" ".join(word.split()))
