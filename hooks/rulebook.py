"""The list of rules, ``data/rules.csv``: permanent numbers, hooks, populations, and how the rules live together."""

from dataclasses import dataclass
from pathlib import Path

from hooks.tables import DATA, KnowledgeError, Row, read_rows

POPULATIONS = frozenset({"cat", "remission", "unusual-site", "unknown"})
HOOKS = frozenset({"patient-view", "order-select", "order-sign"})
RULES_FILE = "rules.csv"
MOST_NUMBER = 4095
"""What fits into the uuid of a card."""
_COLUMNS = [
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


def load_rules(data: Path = DATA) -> tuple[RuleRow, ...]:
    """The list of rules, in the order in which they are evaluated and shown.

    Raises:
        KnowledgeError: a number or code is used twice, a hook, population or group is unknown, or a number does
            not fit into a card's uuid.
    """
    file = data / RULES_FILE
    rows = tuple(_rule_row(row) for row in read_rows(file, _COLUMNS))
    for name in ("number", "rule", "code"):
        values = [getattr(row, name) for row in rows]
        twice = sorted({str(v) for v in values if values.count(v) > 1})
        if twice:
            raise KnowledgeError(file, None, f"{name} {', '.join(twice)} is used twice", "give it a new one")
    codes = {row.code for row in rows}
    for row in rows:
        strangers = (row.suppressed_by | row.absorbed_by) - codes
        if strangers:
            raise KnowledgeError(file, None, f"{row.code} names unknown rules {sorted(strangers)}", "correct it")
    return rows


def _rule_row(row: Row) -> RuleRow:
    def parts(column: str) -> frozenset[str]:
        return frozenset(filter(None, row[column].split("|")))

    hooks, population = parts("hooks"), parts("population")
    if not hooks or hooks - HOOKS:
        raise row.error(f"hooks '{row['hooks']}' unknown", f"use {sorted(HOOKS)}")
    if not population or population - POPULATIONS:
        raise row.error(f"population '{row['population']}' unknown", f"use {sorted(POPULATIONS)}")
    if not 0 < row.integer("number") <= MOST_NUMBER:
        raise row.error(f"number {row['number']} does not fit", f"use 1 to {MOST_NUMBER}")
    return RuleRow(
        number=row.integer("number"),
        rule=row["rule"],
        code=row["code"],
        display=row["display"],
        hooks=hooks,
        population=population,
        softened=row.one_of("softened", ("yes", "no")) == "yes",
        group=row["group"],
        step=row.integer("step"),
        rank=row.integer("rank"),
        suppressed_by=parts("suppressed_by"),
        absorbed_by=parts("absorbed_by"),
        source=row["source"],
    )
