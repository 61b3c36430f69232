"""Builds hook requests from the short words of the vignette tables, so that a row reads like a patient.

Conditions   ``C49.21+443719001 recurrence d-100``  codes, status words, ``d-100`` onset, ``r-5`` recorded,
             ``a-90`` abated, ``@2026-01`` partial onset; several are separated by ``;``
Medicines    ``dalteparin 15000 IU x1 d-35 to d-5 stopped for I48.0 because K92.1``; ``q12h`` is ``x2``;
             ``rx 1364445`` picks a product, ``named Eliquis_5_mg`` gives only a name, ``infusion`` a rate,
             ``for atrial_fibrillation`` a reason in words, ``donotperform`` forbids it, ``as proposal`` is its
             intent, ``@2025-07`` a partial date,
             ``refills 5``, ``supply 30`` days each, ``note renew_in_clinic``, ``saying not_needed`` why stopped,
             ``days 7 then 5 mg x2`` the next step of the dosage
Values       ``45000 /uL d-3 preliminary``, ``<20``; unit and day may be left out
Allergies    ``heparin causing HIT r-20``: substance, reaction, day recorded; ``refuted``, ``resolved``
Services     ``filter``, ``filter-pcs``, ``filter-device``, ``filter-removal``, ``stockings``, ``stockings-device``,
             ``bed-rest``, ``lysis``; ``for I63.9``, a status
A cell ``-`` means none; an empty cell the default of the table reader.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

Json = dict[str, Any]
TODAY = date(2026, 1, 15)
SYSTEMS = {
    "icd10": "http://hl7.org/fhir/sid/icd-10-cm",
    "icd9": "http://hl7.org/fhir/sid/icd-9-cm",
    "sct": "http://snomed.info/sct",
    "rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "loinc": "http://loinc.org",
    "ucum": "http://unitsofmeasure.org",
}
CLINICAL = {"active", "recurrence", "relapse", "remission", "resolved", "inactive"}
VERIFICATION = {"confirmed", "unconfirmed", "provisional", "refuted", "entered-in-error", "differential"}
PRODUCTS = {
    "apixaban": "1364445",
    "rivaroxaban": "1232082",
    "edoxaban": "1599538",
    "dabigatran": "1037045",
    "betrixaban": "1927864",
    "warfarin": "855332",
    "dalteparin": "67109",
    "enoxaparin": "67108",
    "tinzaparin": "69646",
    "fondaparinux": "321208",
    "heparin": "5224",
}
HCPCS = "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
SERVICES: dict[str, Json] = {
    "filter": {"coding": [{"system": SYSTEMS["sct"], "code": "397913009"}], "text": "IVC filter"},
    "filter-pcs": {"coding": [{"system": "http://www.cms.gov/Medicare/Coding/ICD10", "code": "06H03DZ"}]},
    "filter-device": {"coding": [{"system": HCPCS, "code": "C1880"}], "text": "Vena cava filter"},
    "filter-removal": {"coding": [{"system": SYSTEMS["sct"], "code": "233439000"}], "text": "Remove IVC filter"},
    "stockings-device": {"coding": [{"system": SYSTEMS["sct"], "code": "348681001"}], "text": "Compression hosiery"},
    "stockings": {"text": "Graduated compression stockings"},
    "bed-rest": {"text": "Bed rest"},
    "lysis": {"text": "Catheter-directed thrombolysis"},
}
LOINC = {
    "platelets": ("777-3", "10*3/uL"),
    "creatinine": ("2160-0", "mg/dL"),
    "weight": ("29463-7", "kg"),
    "height": ("8302-2", "cm"),
}
SUBJECT = {"reference": "Patient/p1"}


def day(word: str, today: date = TODAY) -> str:
    """``d-10`` is ten days before today."""
    return (today + timedelta(days=int(word[1:] or 0))).isoformat()


@dataclass(kw_only=True)
class Chart:
    """A patient in the words of the tables."""

    sex: str = "female"
    age: str = "50"
    conditions: list[str] = field(default_factory=list)
    values: dict[str, list[str]] = field(default_factory=dict)
    drugs: list[str] = field(default_factory=list)
    procedures: list[str] = field(default_factory=list)
    allergies: list[str] = field(default_factory=list)
    pregnant: str = ""
    today: date = TODAY

    def prefetch(self) -> Json:
        """The record as prefetch."""
        patient: Json = {"resourceType": "Patient", "id": "p1"}
        if self.sex:
            patient["gender"] = self.sex
        if self.age:
            patient["birthDate"] = birth_date(self.age, self.today)
        got: Json = {
            "patient": patient,
            "conditions": bundle(condition(c, f"c{i}", self.today) for i, c in enumerate(self.conditions)),
            "medications": bundle(medication(d, f"m{i}", self.today, "active") for i, d in enumerate(self.drugs)),
            "procedures": bundle(procedure(p, f"pr{i}", self.today) for i, p in enumerate(self.procedures)),
            "allergies": bundle(allergy(a, f"al{i}", self.today) for i, a in enumerate(self.allergies)),
            "pregnancy": bundle([pregnancy(self.pregnant, self.today)] if self.pregnant else []),
        }
        for name in LOINC:
            got[name] = bundle(
                observation(name, v, f"{name}{i}", self.today) for i, v in enumerate(self.values.get(name, []))
            )
        return got


def birth_date(age: str, today: date) -> str:
    """A birth date for an age in years; ``~1950`` is a year only."""
    if age.startswith("~"):
        return age[1:]
    return (today - timedelta(days=30)).replace(year=today.year - int(age) - (today.month == 1)).isoformat()


def bundle(resources: Any) -> Json:
    """A searchset."""
    entries = [{"resource": r, "search": {"mode": "match"}} for r in resources]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}


def coding(code: str) -> Json:
    """A coding whose system is plain from the form of the code."""
    if re.fullmatch(r"\d{6,}", code):
        return {"system": SYSTEMS["sct"], "code": code}
    if re.fullmatch(r"\d{3}(\.\d+)?", code):
        return {"system": SYSTEMS["icd9"], "code": code}
    return {"system": SYSTEMS["icd10"], "code": code}


def concept(codes: str) -> Json:
    """A CodeableConcept of codes joined by ``+``."""
    return {"coding": [coding(c) for c in codes.split("+")]}


def reason(word: str) -> Json:
    """Why something is ordered: codes, or plain words joined by ``_``."""
    return {"text": word.replace("_", " ")} if re.search("[a-z]", word) else concept(word)


def condition(words: str, identifier: str, today: date = TODAY) -> Json:
    """A Condition."""
    codes, *rest = words.split()
    resource: Json = {
        "resourceType": "Condition",
        "id": identifier,
        "code": concept(codes) | {"text": f"Diagnosis {codes}"},
        "subject": SUBJECT,
        "clinicalStatus": status("condition-clinical", "active"),
        "verificationStatus": status("condition-ver-status", "confirmed"),
    }
    for word in rest:
        if word in CLINICAL:
            resource["clinicalStatus"] = status("condition-clinical", word)
        elif word in VERIFICATION:
            resource["verificationStatus"] = status("condition-ver-status", word)
        elif word == "nostatus":
            del resource["clinicalStatus"]
        elif word.startswith("@"):
            resource["onsetDateTime"] = word[1:]
        else:
            element = {"d": "onsetDateTime", "r": "recordedDate", "a": "abatementDateTime"}[word[0]]
            resource[element] = day(word, today)
    return resource


def status(system: str, code: str) -> Json:
    """A status as a CodeableConcept."""
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}


def observation(name: str, words: str, identifier: str, today: date = TODAY) -> Json:
    """An Observation: value, unit, day, status."""
    code, unit = LOINC[name]
    parts = words.split()
    resource: Json = {
        "resourceType": "Observation",
        "id": identifier,
        "status": "final",
        "code": {"coding": [{"system": SYSTEMS["loinc"], "code": code}]},
        "subject": SUBJECT,
        "effectiveDateTime": day("d-1", today),
    }
    comparator = re.match("[<>]=?", parts[0])
    quantity: Json = {"value": float(parts[0].lstrip("<>="))}
    if comparator:
        quantity["comparator"] = comparator[0]
    for word in parts[1:]:
        if re.fullmatch(r"d-?\d*(T\S+)?", word):
            stamp, _, clock = word.partition("T")
            resource["effectiveDateTime"] = day(stamp, today) + (f"T{clock}:00Z" if clock else "")
        elif word in ("preliminary", "entered-in-error", "amended", "corrected", "registered", "cancelled"):
            resource["status"] = word
        elif word == "nounit":
            unit = ""
        else:
            unit = word
    if unit:
        quantity |= {"unit": unit, "system": SYSTEMS["ucum"], "code": unit}
    resource["valueQuantity"] = quantity
    return resource


def pregnancy(word: str, today: date = TODAY) -> Json:
    """Pregnancy status: ``d-10`` pregnant, ``not d-10`` not."""
    value = "60001007" if word.startswith("not") else "77386006"
    return {
        "resourceType": "Observation",
        "id": "preg",
        "status": "final",
        "subject": SUBJECT,
        "code": {"coding": [{"system": SYSTEMS["loinc"], "code": "82810-3"}]},
        "effectiveDateTime": day(word.rsplit(maxsplit=1)[-1], today),
        "valueCodeableConcept": {"coding": [{"system": SYSTEMS["sct"], "code": value}]},
    }


def procedure(words: str, identifier: str, today: date = TODAY) -> Json:
    """A completed Procedure: name and day."""
    name, when = words.rsplit(" ", 1)
    return {
        "resourceType": "Procedure",
        "id": identifier,
        "status": "completed",
        "code": {"text": name},
        "subject": SUBJECT,
        "performedDateTime": day(when, today),
    }


def allergy(words: str, identifier: str, today: date = TODAY) -> Json:
    """An AllergyIntolerance: substance, reaction, day recorded, status."""
    substance, _, reaction = words.partition(" causing ")
    resource: Json = {
        "resourceType": "AllergyIntolerance",
        "id": identifier,
        "patient": SUBJECT,
        "clinicalStatus": status("allergyintolerance-clinical", "active"),
    }
    said: dict[str, list[str]] = {"substance": [], "reaction": []}
    for part, words_of in (("substance", substance), ("reaction", reaction)):
        for word in words_of.split():
            if re.fullmatch(r"r-\d+", word):
                resource["recordedDate"] = day(word, today)
            elif word in VERIFICATION:
                resource["verificationStatus"] = status("allergyintolerance-verification", word)
            elif word in CLINICAL:
                resource["clinicalStatus"] = status("allergyintolerance-clinical", word)
            else:
                said[part].append(word)
    resource["code"] = {"text": " ".join(said["substance"])}
    if said["reaction"]:
        resource["reaction"] = [{"manifestation": [{"text": " ".join(said["reaction"])}]}]
    return resource


def service(kind: str, words: list[str], identifier: str, state: str) -> Json:
    """A ServiceRequest, or a DeviceRequest for a device."""
    device = kind.endswith("-device")
    resource: Json = {
        "resourceType": "DeviceRequest" if device else "ServiceRequest",
        "id": identifier,
        "status": state,
        "intent": "order",
        "codeCodeableConcept" if device else "code": SERVICES[kind],
        "subject": SUBJECT,
    }
    words_left = iter(words)
    for word in words_left:
        if word == "for":
            resource["reasonCode"] = [concept(next(words_left))]
        else:
            resource["status"] = word
    return resource


class _Order:
    """A MedicationRequest that grows word by word."""

    def __init__(self, name: str, identifier: str, state: str, today: date) -> None:
        self.today = today
        self.medicine: Json = {"text": name}
        if name in PRODUCTS:
            self.product(PRODUCTS[name])
        self.steps: list[Json] = []
        self.dosage: Json = {}
        self.repeat: Json = {}
        self.resource: Json = {
            "resourceType": "MedicationRequest",
            "id": identifier,
            "status": state,
            "intent": "order",
            "subject": SUBJECT,
            "authoredOn": day("d0", today),
        }

    def product(self, code: str) -> None:
        self.medicine["coding"] = [{"system": SYSTEMS["rxnorm"], "code": code}]

    def named(self, words: str) -> None:
        self.medicine = {"text": words.replace("_", " ")}

    def dose(self, amount: str, unit: str) -> None:
        code = {"IU": "[iU]"}.get(unit, unit)
        quantity = {"value": float(amount), "unit": unit, "system": SYSTEMS["ucum"], "code": code}
        self.dosage["doseAndRate"] = [{"doseQuantity": quantity}]

    def infusion(self) -> None:
        rate = {"value": 1000, "unit": "U/h", "system": SYSTEMS["ucum"], "code": "U/h"}
        self.dosage["doseAndRate"] = [{"rateQuantity": rate}]

    def often(self, word: str) -> None:
        daily = {"frequency": int(word[1:]), "period": 1, "periodUnit": "d"} if word[0] == "x" else {}
        self.repeat |= daily or {"frequency": 1, "period": int(word[1:-1]), "periodUnit": "h"}

    def until(self, last: str) -> None:
        self.repeat["boundsPeriod"] = {"start": self.resource["authoredOn"], "end": day(last, self.today)}

    def lasting(self, days: str) -> None:
        self.repeat["boundsDuration"] = {"value": int(days), "system": SYSTEMS["ucum"], "code": "d"}

    def then(self) -> None:
        self.steps.append(self.dosage | {"sequence": len(self.steps) + 1, "timing": {"repeat": self.repeat}})
        self.dosage, self.repeat = {"sequence": len(self.steps) + 1}, {}

    def dispense(self, element: str, value: int | Json) -> None:
        self.resource.setdefault("dispenseRequest", {})[element] = value

    def supply(self, days: str) -> None:
        length = {"value": int(days), "unit": "days", "system": SYSTEMS["ucum"], "code": "d"}
        self.dispense("expectedSupplyDuration", length)

    def finished(self) -> Json:
        if self.repeat:
            self.dosage["timing"] = {"repeat": self.repeat}
        if self.dosage:
            self.resource["dosageInstruction"] = [*self.steps, self.dosage]
        return self.resource | {"medicationCodeableConcept": self.medicine}


_WITH_A_WORD: dict[str, Callable[[_Order, str], None]] = {
    "rx": _Order.product,
    "named": _Order.named,
    "for": lambda order, word: order.resource.update(reasonCode=[reason(word)]),
    "because": lambda order, word: order.resource.update(statusReason=concept(word)),
    "saying": lambda order, word: order.resource.update(statusReason={"text": word.replace("_", " ")}),
    "note": lambda order, word: order.resource.update(note=[{"text": word.replace("_", " ")}]),
    "refills": lambda order, word: order.dispense("numberOfRepeatsAllowed", int(word)),
    "supply": _Order.supply,
    "days": _Order.lasting,
    "to": _Order.until,
    "as": lambda order, word: order.resource.update(intent=word),
}
_ALONE: dict[str, Callable[[_Order], None]] = {
    "then": _Order.then,
    "infusion": _Order.infusion,
    "donotperform": lambda order: order.resource.update(doNotPerform=True),
    "inpatient": lambda order: order.resource.update(category=[{"coding": [{"code": "inpatient"}]}]),
}


def medication(words: str, identifier: str, today: date = TODAY, state: str = "draft") -> Json:
    """A MedicationRequest, on record or under the pen; or a ServiceRequest or DeviceRequest for a service word."""
    name, *rest = words.split()
    if name in SERVICES:
        return service(name, rest, identifier, state)
    order = _Order(name, identifier, state, today)
    while rest:
        word = rest.pop(0)
        if word in _WITH_A_WORD:
            _WITH_A_WORD[word](order, rest.pop(0))
        elif word in _ALONE:
            _ALONE[word](order)
        elif re.fullmatch(r"[\d.]+", word):
            order.dose(word, rest.pop(0))
        elif re.fullmatch(r"d-?\d+|@.+", word):
            order.resource["authoredOn"] = word[1:] if word[0] == "@" else day(word, today)
        elif re.fullmatch(r"x\d+|q\d+h", word):
            order.often(word)
        else:
            order.resource["status"] = word
    return order.finished()


def request(hook: str, chart: Chart, orders: list[str], others: list[str]) -> Json:
    """A whole hook request with everything in prefetch."""
    context: Json = {"userId": "Practitioner/dr1", "patientId": "p1"}
    if hook != "patient-view":
        selected = [medication(o, f"draft-{i}", chart.today) for i, o in enumerate(orders)]
        rest = [medication(o, f"other-{i}", chart.today) for i, o in enumerate(others)]
        drafts = [{"resource": r} for r in (*selected, *rest)]
        context["draftOrders"] = {"resourceType": "Bundle", "type": "collection", "entry": drafts}
        if hook == "order-select":
            context["selections"] = [f"{r['resourceType']}/{r['id']}" for r in selected]
    return {
        "hook": hook,
        "hookInstance": "6f2b8d0e-3c1a-4e55-9d6b-2a7f0c9e41b7",
        "context": context,
        "prefetch": chart.prefetch(),
    }
