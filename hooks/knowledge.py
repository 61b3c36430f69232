"""All the knowledge, loaded once at start and never changed: codes, drugs, labs, doses, rules, profiles."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hooks.card import OverrideReason
from hooks.codes import CodeBook, load_codes
from hooks.dosing import Dosing, load_dosing
from hooks.drugs import DrugBook, load_drugs
from hooks.guideline_files import load_profiles
from hooks.guidelines import Profile
from hooks.labs import LabBook, load_labs
from hooks.rulebook import RuleRow, load_rules
from hooks.tables import DATA, read_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What the service knows. ``version`` names the content of every data file in it."""

    codes: CodeBook
    drugs: DrugBook
    labs: LabBook
    dosing: Dosing
    rules: tuple[RuleRow, ...]
    profiles: Mapping[str, Profile]
    override_reasons: Mapping[str, OverrideReason]
    version: str

    def rule(self, code: str) -> RuleRow:
        """The row of a rule.

        Raises:
            KeyError: there is no such rule.
        """
        for row in self.rules:
            if row.code == code:
                return row
        raise KeyError(code)


def load(packs: frozenset[str] | None = None, local_codes: Path | None = None) -> Knowledge:
    """Load and check everything under ``hooks/data``; ``packs`` leaves licensed code lists out.

    Raises:
        KnowledgeError: a file is wrong; the message names file, line and remedy.
    """
    reasons = {
        row["code"]: OverrideReason(code=row["code"], display=row["display"])
        for row in read_rows(DATA / "override-reasons.csv", ["code", "display"])
    }
    rules = load_rules()
    profiles = load_profiles(rules, frozenset(reasons))
    return Knowledge(
        codes=load_codes(packs, local_codes),
        drugs=load_drugs(packs, local_codes),
        labs=load_labs(packs, local_codes),
        dosing=load_dosing(),
        rules=rules,
        profiles=profiles,
        override_reasons=reasons,
        version=_version(),
    )


def _version() -> str:
    """A short name for the content of all data files."""
    digest = hashlib.sha256()
    for path in sorted(DATA.rglob("*")):
        if path.suffix in (".csv", ".toml"):
            digest.update(path.relative_to(DATA).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
