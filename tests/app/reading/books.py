"""A little knowledge for the reading tests, and FHIR resources without ceremony."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from app.gather import Got
from app.reading.record import PatientRead, read_patient
from hooks.facts import Coding, Drug, Gap, Meaning, PartialDate

AS_OF = date(2026, 3, 15)
SNOMED = "http://snomed.info/sct"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
LOINC = "http://loinc.org"

DVT = Meaning(topic="vte", kind="acute", tags=frozenset({"leg"}))
CANCER = Meaning(topic="malignancy", kind="primary")
HIT = Meaning(topic="hit", kind="contraindication")
NON_IMMUNE_HIT = Meaning(topic="hit", kind="non-immune")
FILTER = Meaning(topic="procedure", kind="ivc-filter")
STOCKINGS = Meaning(topic="procedure", kind="stockings")
ULTRASOUND = Meaning(topic="procedure", kind="leg-ultrasound")
BED_REST = Meaning(topic="procedure", kind="bed-rest")
BLEEDING = Meaning(topic="bleeding", kind="major")

_MEANINGS = {
    (ICD10, "I82.412"): DVT,
    (ICD10, "C18.7"): CANCER,
    (ICD10, "K92.1"): BLEEDING,
    (SNOMED, "443719001"): CANCER,
    (SNOMED, "73397007"): HIT,
    (ICD10, "D75.821"): NON_IMMUNE_HIT,
    (SNOMED, "397913009"): FILTER,
    (SNOMED, "1142010007"): STOCKINGS,
    (SNOMED, "61746007"): ULTRASOUND,
}

APIXABAN_5 = Drug(name="apixaban", anticoagulant="DOAC-Xa", strength=Decimal(5), strength_unit="mg")
APIXABAN = Drug(name="apixaban", anticoagulant="DOAC-Xa", matched_by="name")
ENOXAPARIN_80 = Drug(
    name="enoxaparin",
    anticoagulant="LMWH",
    strength=Decimal(80),
    strength_unit="mg",
    product="0.8 ML enoxaparin sodium 100 MG/ML Prefilled Syringe",
)
ENOXAPARIN = Drug(name="enoxaparin", anticoagulant="LMWH", matched_by="name")
DALTEPARIN_15000 = Drug(name="dalteparin", anticoagulant="LMWH", strength=Decimal(15000), strength_unit="IU")
HEPARIN = Drug(name="heparin", anticoagulant="UFH", matched_by="name")
ALTEPLASE = Drug(name="alteplase", thrombolytic=True)
ASPIRIN = Drug(name="aspirin", antiplatelet=True)

_DRUGS = {
    (RXNORM, "1364445"): APIXABAN_5,
    (RXNORM, "854245"): ENOXAPARIN_80,
    (RXNORM, "978746"): DALTEPARIN_15000,
    (RXNORM, "8410"): ALTEPLASE,
    (RXNORM, "1191"): ASPIRIN,
}
_DRUG_NAMES = {"apixaban": APIXABAN, "eliquis": APIXABAN, "enoxaparin": ENOXAPARIN, "heparin": HEPARIN, "aspirin": ASPIRIN}


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeCodes:
    asked: list[tuple[Coding, ...]] = field(default_factory=list)

    def canonical_system(self, system: str) -> str:
        return {"urn:oid:2.16.840.1.113883.6.96": SNOMED}.get(system, system)

    def meanings(self, codings: Iterable[Coding]) -> tuple[Meaning, ...]:
        asked = tuple(codings)
        self.asked.append(asked)
        return tuple(_MEANINGS[c.system, c.code] for c in asked if (c.system, c.code) in _MEANINGS)

    def named(self, topic: str, text: str) -> tuple[Meaning, ...]:
        names = {"ivc filter": FILTER, "bed rest": BED_REST, "compression stockings": STOCKINGS}
        return tuple(m for name, m in names.items() if name in text.lower() and m.topic == topic)


class FakeDrugs:
    def match(self, codings: Iterable[Coding], text: str) -> Drug | None:
        coded = next((_DRUGS[c.system, c.code] for c in codings if (c.system, c.code) in _DRUGS), None)
        return coded or next((drug for name, drug in _DRUG_NAMES.items() if name in text.lower()), None)
