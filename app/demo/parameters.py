"""The search parameters that the demo FHIR server knows: one row each, by resource type."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["token", "date", "string", "reference"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """How a search parameter is compared (``kind``) and the elements that it looks at, dotted."""

    kind: Kind
    paths: tuple[str, ...]


def _token(*paths: str) -> Parameter:
    return Parameter("token", paths)


def _date(*paths: str) -> Parameter:
    return Parameter("date", paths)


def _string(*paths: str) -> Parameter:
    return Parameter("string", paths)


def _reference(*paths: str) -> Parameter:
    return Parameter("reference", paths)


_EVERY = {
    "_id": _token("id"),
    "_lastUpdated": _date("meta.lastUpdated"),
    "identifier": _token("identifier"),
}
_ABOUT_SUBJECT = _EVERY | {
    "patient": _reference("subject"),
    "subject": _reference("subject"),
    "encounter": _reference("encounter"),
    "status": _token("status"),
}
_ABOUT_PATIENT = _EVERY | {"patient": _reference("patient"), "status": _token("status")}
_ORDER = _ABOUT_SUBJECT | {"intent": _token("intent"), "requester": _reference("requester")}
_STATUSES = {
    "clinical-status": _token("clinicalStatus"),
    "verification-status": _token("verificationStatus"),
}

PARAMETERS: Mapping[str, Mapping[str, Parameter]] = {
    "AllergyIntolerance": _EVERY
    | _STATUSES
    | {
        "patient": _reference("patient"),
        "code": _token("code", "reaction.substance"),
        "category": _token("category"),
        "criticality": _token("criticality"),
        "date": _date("recordedDate"),
        "onset": _date("reaction.onset"),
    },
    "CarePlan": _ABOUT_SUBJECT | {"category": _token("category"), "date": _date("period"), "intent": _token("intent")},
    "Condition": {name: row for name, row in _ABOUT_SUBJECT.items() if name != "status"}
    | _STATUSES
    | {
        "code": _token("code"),
        "category": _token("category"),
        "onset-date": _date("onsetDateTime", "onsetPeriod"),
        "abatement-date": _date("abatementDateTime", "abatementPeriod"),
        "recorded-date": _date("recordedDate"),
    },
    "DeviceRequest": _ORDER | {"code": _token("codeCodeableConcept"), "authored-on": _date("authoredOn")},
    "DiagnosticReport": _ABOUT_SUBJECT
    | {
        "code": _token("code"),
        "category": _token("category"),
        "date": _date("effectiveDateTime", "effectivePeriod"),
        "issued": _date("issued"),
    },
    "Encounter": {name: row for name, row in _ABOUT_SUBJECT.items() if name != "encounter"}
    | {"class": _token("class"), "type": _token("type"), "date": _date("period")},
    "FamilyMemberHistory": _ABOUT_PATIENT
    | {"code": _token("condition.code"), "relationship": _token("relationship"), "date": _date("date")},
    "Immunization": _ABOUT_PATIENT | {"vaccine-code": _token("vaccineCode"), "date": _date("occurrenceDateTime")},
    "Medication": _EVERY | {"code": _token("code"), "status": _token("status")},
    "MedicationAdministration": _ABOUT_SUBJECT
    | {
        "code": _token("medicationCodeableConcept"),
        "medication": _reference("medicationReference"),
        "effective-time": _date("effectiveDateTime", "effectivePeriod"),
    },
    "MedicationRequest": _ORDER
    | {
        "code": _token("medicationCodeableConcept"),
        "medication": _reference("medicationReference"),
        "category": _token("category"),
        "authoredon": _date("authoredOn"),
        "date": _date("dosageInstruction.timing.event"),
    },
    "MedicationStatement": _ABOUT_SUBJECT
    | {"code": _token("medicationCodeableConcept"), "effective": _date("effectiveDateTime", "effectivePeriod")},
    "Observation": _ABOUT_SUBJECT
    | {
        "code": _token("code"),
        "combo-code": _token("code", "component.code"),
        "component-code": _token("component.code"),
        "category": _token("category"),
        "date": _date("effectiveDateTime", "effectivePeriod", "effectiveInstant"),
        "value-concept": _token("valueCodeableConcept"),
    },
    "Patient": _EVERY
    | {
        "name": _string("name"),
        "family": _string("name.family"),
        "given": _string("name.given"),
        "birthdate": _date("birthDate"),
        "gender": _token("gender"),
    },
    "Procedure": _ABOUT_SUBJECT
    | {
        "code": _token("code"),
        "category": _token("category"),
        "date": _date("performedDateTime", "performedPeriod"),
    },
    "ServiceRequest": _ORDER
    | {
        "code": _token("code"),
        "category": _token("category"),
        "authored": _date("authoredOn"),
        "occurrence": _date("occurrenceDateTime", "occurrencePeriod"),
    },
}
"""Resource type -> parameter name -> how it works. The types listed are those that can be searched."""

SORT_ONLY_BY: Mapping[str, Mapping[str, Parameter]] = {
    "MedicationRequest": {"date": _date("authoredOn")},
}
"""Where sorting by a name must look elsewhere than searching: ``date`` sorts orders by the day they were written."""
