"""The real code lists for the reading tests, a few drugs, and FHIR resources without ceremony."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from app.gather import Got
from app.reading.lookup import Lookup
from app.reading.record import PatientRead, read_patient
from hooks.codes import CodeBook, load_codes
from hooks.dates import PartialDate
from hooks.drugs import DrugBook, load_drugs
from hooks.facts import Drug
from hooks.labs import LabBook, load_labs

AS_OF = date(2026, 3, 15)
SNOMED = "http://snomed.info/sct"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
ICD9 = "http://hl7.org/fhir/sid/icd-9-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
LOINC = "http://loinc.org"

APIXABAN = Drug(name="apixaban", anticoagulant="DOAC-Xa", matched_by="name")
APIXABAN_5 = Drug(name="apixaban", anticoagulant="DOAC-Xa", strength=Decimal(5), strength_unit="mg")
DALTEPARIN_15000 = Drug(name="dalteparin", anticoagulant="LMWH", strength=Decimal(15000), strength_unit="IU")
ENOXAPARIN_80 = Drug(
    name="enoxaparin",
    anticoagulant="LMWH",
    strength=Decimal(80),
    strength_unit="mg",
    product="0.8 ML enoxaparin sodium 100 MG/ML Prefilled Syringe",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingBooks:
    """What reading needs of ``hooks.knowledge.Knowledge``."""

    codes: CodeBook
    drugs: DrugBook
    labs: LabBook


@cache
def books() -> ReadingBooks:
    return ReadingBooks(codes=load_codes(), drugs=load_drugs(), labs=load_labs())


def lookup() -> Lookup:
    return Lookup(books=books())


def day(text: str) -> PartialDate:
    return PartialDate.on(date.fromisoformat(text))


def concept(code: str, system: str, **more: Any) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}], **more}


def resource(kind: str, identity: str = "x1", patient: str = "p1", **elements: Any) -> dict[str, Any]:
    return {"resourceType": kind, "id": identity, "subject": {"reference": f"Patient/{patient}"}, **elements}


def condition(code: Any = "I82.412", identity: str = "c1", **elements: Any) -> dict[str, Any]:
    """A Condition; a string is an ICD-10-CM code, anything else stands as ``code`` itself."""
    return resource("Condition", identity, code=concept(code, ICD10) if isinstance(code, str) else code, **elements)


def observation(
    code: str = "2160-0",
    value: Any = 0.8,
    unit: str = "mg/dL",
    identity: str = "o1",
    on: str = "2026-03-10",
    **elements: Any,
) -> dict[str, Any]:
    given = {"status": "final", "code": concept(code, LOINC), "effectiveDateTime": on}
    if value is not None:
        given["valueQuantity"] = {"value": value, "unit": unit, "code": unit, "system": "http://unitsofmeasure.org"}
    return resource("Observation", identity, **{**given, **elements})


def medication_request(code: str | None = "1364445", identity: str = "m1", **elements: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"status": "active", "intent": "order"}
    if code is not None:
        given["medicationCodeableConcept"] = concept(code, RXNORM)
    return resource("MedicationRequest", identity, **{**given, **elements})


def read(*resources: dict[str, Any], key: str = "conditions", **more: tuple[dict[str, Any], ...]) -> PatientRead:
    """What is read when the resources came under ``key``."""
    kinds = {key: resources, **more}
    return read_patient({k: Got(key=k, resources=v, origin="prefetch") for k, v in kinds.items()}, "p1", AS_OF, books())
