"""Codings by system, in as few letters as a test needs."""

from hooks.facts import Coding, Meaning
from hooks.tables import ATC, ICD_9_CM, ICD_10_CM, RXNORM, SNOMED_CT


def icd(code: str) -> Coding:
    return Coding(system=ICD_10_CM, code=code)


def icd9(code: str) -> Coding:
    return Coding(system=ICD_9_CM, code=code)


def snomed(code: str, display: str = "") -> Coding:
    return Coding(system=SNOMED_CT, code=code, display=display)


def rx(code: str, display: str = "") -> Coding:
    return Coding(system=RXNORM, code=code, display=display)


def atc(code: str) -> Coding:
    return Coding(system=ATC, code=code)


def loinc(code: str) -> Coding:
    return Coding(system="http://loinc.org", code=code)


def said(meanings: tuple[Meaning, ...], topic: str) -> list[tuple[str, set[str]]]:
    """Kind and tags of what ``meanings`` say about ``topic``."""
    return [(m.kind, set(m.tags)) for m in meanings if m.topic == topic]
