"""hooks.proposal.ProposedOrder -> MedicationRequest as JSON, validated with fhir.resources R4B."""

import re
from collections.abc import Mapping
from copy import deepcopy
from datetime import date
from decimal import Decimal
from typing import Any

from fhir.resources.R4B.medicationrequest import MedicationRequest
from pydantic import ValidationError

from hooks.proposal import ProposedOrder

Json = dict[str, Any]

_RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
_SNOMED = "http://snomed.info/sct"
_UCUM = "http://unitsofmeasure.org"
_DOSE_TYPE = "http://terminology.hl7.org/CodeSystem/dose-rate-type"

_ROUTES = {"subcutaneous": ("34206005", "Subcutaneous route"), "oral": ("26643006", "Oral route")}
_ADVERBS = {"subcutaneous": "subcutaneously", "oral": "by mouth"}
_UCUM_CODES = {"mg": "mg", "IU": "[iU]"}
_TIMES = {1: "once daily", 2: "twice daily"}

_PRESCRIBER = re.compile(r"(?:Practitioner|PractitionerRole)/[A-Za-z0-9\-.]{1,64}")

# Elements of a draft that speak of the medicine it had, and so do not outlive it.
_OF_THE_PRODUCT = ("text", "detectedIssue", "dosageInstruction", "dispenseRequest", "substitution")
_PRODUCT_EXTENSION = re.compile(
    r"medication(?!request)|drug|product|dos[ae]|dispens|supply|substitut|formulary|package|strength|coverage|price",
    re.IGNORECASE,
)
# Elements that R4 repeats; some clients send a lone object instead of a list of one.
_REPEATING = (
    "identifier",
    "category",
    "supportingInformation",
    "reasonCode",
    "reasonReference",
    "basedOn",
    "insurance",
    "note",
    "eventHistory",
)
_KEPT_AT_ALL_COSTS = frozenset({"id", "status", "intent", "subject"})


def created(
    order: ProposedOrder,
    *,
    order_id: str,
    patient_id: str,
    as_of: date,
    encounter_id: str | None = None,
    user_id: str | None = None,
) -> Json:
    """A complete new draft of ``order`` for one patient.

    ``user_id`` ("Practitioner/1") becomes the requester when it names a prescriber.
    Raises pydantic.ValidationError when the values do not make a valid resource.
    """
    resource: Json = {
        "resourceType": "MedicationRequest",
        "id": order_id,
        "status": "draft",
        "intent": "order",
        **_medicine(order),
        "subject": {"reference": f"Patient/{patient_id}"},
        "authoredOn": as_of.isoformat(),
    }
    if encounter_id:
        resource["encounter"] = {"reference": f"Encounter/{encounter_id}"}
    if user_id and _PRESCRIBER.fullmatch(user_id):
        resource["requester"] = {"reference": user_id}
    if order.reason:
        resource["reasonReference"] = [_named(order.reason, order.reason_label)]
    resource |= _directions(order)
    if order.note.strip():
        resource["note"] = [{"text": order.note}]
    MedicationRequest.model_validate(resource)
    return resource


def updated(draft: Mapping[str, Any], order: ProposedOrder) -> Json | None:
    """The whole ``draft`` with the medicine and the dosage of ``order`` in place of its own.

    Who, for whom, where and why are kept, and so is what the client added beyond them; what speaks of
    the old medicine goes. An element that is not valid FHIR is put right or left out, because the
    answer must be. None when even that does not make a valid resource, or the draft is no draft.
    """
    if draft.get("resourceType") != "MedicationRequest" or draft.get("status") != "draft":
        return None
    resource = _without_product(draft)
    resource.setdefault("intent", "order")
    resource |= _medicine(order) | _directions(order)
    if order.note.strip():
        resource["note"] = [*resource.get("note", []), {"text": order.note}]
    if order.reason and not (resource.get("reasonReference") or resource.get("reasonCode")):
        resource["reasonReference"] = [_named(order.reason, order.reason_label)]
    try:
        MedicationRequest.model_validate(resource)
    except ValidationError as refused:
        odd = {str(error["loc"][0]) for error in refused.errors() if error["loc"]}
        if not odd or odd & _KEPT_AT_ALL_COSTS:
            return None
        resource = {name: value for name, value in resource.items() if name not in odd}
        try:
            MedicationRequest.model_validate(resource)
        except ValidationError:
            return None
    return resource


def in_words(order: ProposedOrder) -> str:
    """The order in one plain line: what, how much, which way, how often, from when to when."""
    return f"{order.drug} {_dosage_text(order)}"


def warm() -> None:
    """Build one order, so that the first call does not pay for building the models."""
    day = date(2000, 1, 1)
    sample = ProposedOrder(
        drug="warm",
        product_code="0",
        product_display="warm",
        product_text="warm",
        amount=Decimal(1),
        unit="IU",
        times_per_day=1,
        route="subcutaneous",
        first_day=day,
        last_day=day,
        note="warm",
        reason="Condition/warm",
        reason_label="warm",
    )
    created(sample, order_id="warm", patient_id="warm", as_of=day, encounter_id="warm", user_id="Practitioner/warm")


def _medicine(order: ProposedOrder) -> Json:
    coding = {"system": _RXNORM, "code": order.product_code, "display": order.product_display}
    return {"medicationCodeableConcept": {"coding": [coding], "text": order.product_text}}


def _directions(order: ProposedOrder) -> Json:
    period = {"start": order.first_day.isoformat(), "end": order.last_day.isoformat()}
    code, display = _ROUTES[order.route]
    quantity = {
        "value": _number(order.amount),
        "unit": order.unit,
        "system": _UCUM,
        "code": _UCUM_CODES[order.unit],
    }
    ordered = {"coding": [{"system": _DOSE_TYPE, "code": "ordered", "display": "Ordered"}]}
    dosage = {
        "sequence": 1,
        "text": _dosage_text(order),
        "timing": {
            "repeat": {"boundsPeriod": period, "frequency": order.times_per_day, "period": 1, "periodUnit": "d"}
        },
        "route": {"coding": [{"system": _SNOMED, "code": code, "display": display}], "text": order.route},
        "doseAndRate": [{"type": ordered, "doseQuantity": quantity}],
    }
    return {"dosageInstruction": [dosage], "dispenseRequest": {"validityPeriod": dict(period)}}


def _dosage_text(order: ProposedOrder) -> str:
    times = _TIMES.get(order.times_per_day, f"{order.times_per_day} times daily")
    amount = f"{_number(order.amount):,}".replace(",", " ")
    return (
        f"{amount} {order.unit} {_ADVERBS[order.route]} {times}, "
        f"from {order.first_day.isoformat()} to {order.last_day.isoformat()}"
    )


def _number(amount: Decimal) -> int | float:
    """A JSON number without a needless point: 15000, 67.5."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def _named(reference: str, label: str) -> Json:
    return {"reference": reference, "display": label} if label.strip() else {"reference": reference}


def _without_product(draft: Mapping[str, Any]) -> Json:
    kept: Json = {}
    for name, value in draft.items():
        plain = name.lstrip("_")
        if plain in _OF_THE_PRODUCT or plain.startswith("medication") or value in (None, "", [], {}):
            continue
        alone = name in _REPEATING and isinstance(value, Mapping)
        kept[name] = [deepcopy(value)] if alone else deepcopy(value)
    for name in ("extension", "contained"):
        if isinstance(kept.get(name), list):
            kept[name] = [part for part in kept[name] if not _is_of_the_product(part)]
            if not kept[name]:
                del kept[name]
    if not isinstance(kept.get("note", []), list):
        del kept["note"]
    return kept


def _is_of_the_product(part: object) -> bool:
    if not isinstance(part, Mapping):
        return True
    if part.get("resourceType"):
        return bool(part["resourceType"] == "Medication")
    return bool(_PRODUCT_EXTENSION.search(str(part.get("url", "")).rsplit("/", 1)[-1]))
