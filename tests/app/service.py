"""The service of the tests over a real socket, and requests to it that are complete unless a test says otherwise."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import flask
import requests
from werkzeug.serving import make_server

from app import create_app
from app.audit import CallLog
from app.settings import Settings
from app.store.opening import Ledger

TODAY = date(2026, 3, 10)
PATIENT_ID = "pt-1"
SUBJECT = {"reference": f"Patient/{PATIENT_ID}"}

PERSON = {"resourceType": "Patient", "id": PATIENT_ID, "gender": "female", "birthDate": "1958-03-11"}
APIXABAN = {
    "resourceType": "MedicationRequest",
    "id": "d1",
    "status": "draft",
    "intent": "order",
    "subject": SUBJECT,
    "medicationCodeableConcept": {
        "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "1364445"}],
        "text": "apixaban 5 MG Oral Tablet",
    },
}
CT = {"resourceType": "ServiceRequest", "id": "d2", "status": "draft", "code": {"text": "CT chest"}, "subject": SUBJECT}


def condition(identity: str, icd: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "id": identity,
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": icd}]},
        "subject": SUBJECT,
        "onsetDateTime": "2026-03-01",
        **more,
    }


COLON_CANCER = condition("c1", "C18.9", onsetDateTime="2026-01-05")
CLOT = condition("c2", "I82.412")


def observation(identity: str, loinc: str, value: float, unit: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": identity,
        "status": "final",
        "subject": SUBJECT,
        "code": {"coding": [{"system": "http://loinc.org", "code": loinc}]},
        "effectiveDateTime": "2026-03-08",
        "valueQuantity": {"value": value, "unit": unit, "code": unit, "system": "http://unitsofmeasure.org"},
    }


def searchset(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": r} for r in resources]}


def record() -> dict[str, Any]:
    """A whole prefetch: colon cancer, a fresh clot, usable laboratory values, no drug."""
    return {
        "patient": PERSON,
        "conditions": searchset(COLON_CANCER, CLOT),
        "medications": searchset(),
        "creatinine": searchset(observation("o1", "2160-0", 0.9, "mg/dL")),
        "platelets": searchset(observation("o2", "777-3", 240, "10*3/uL")),
        "weight": searchset(observation("o3", "29463-7", 70, "kg")),
        "height": searchset(observation("o4", "8302-2", 168, "cm")),
        "pregnancy": None,
        "procedures": None,
        "allergies": None,
    }


def call(hook: str, *drafts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A request of a hook; without ``drafts`` it is about apixaban. ``...`` leaves an element out."""
    context: dict[str, Any] = {"userId": "Practitioner/p1", "patientId": PATIENT_ID}
    if hook != "patient-view":
        orders = drafts or (APIXABAN,)
        context["draftOrders"] = {"resourceType": "Bundle", "entry": [{"resource": order} for order in orders]}
    if hook == "order-select":
        context["selections"] = [f"{orders[0]['resourceType']}/{orders[0]['id']}"]
    instance = "6f2b8d0e-3c1a-4e55-9d6b-2a7f0c9e41b7"
    body = {"hook": hook, "hookInstance": instance, "context": context, "prefetch": record(), **changes}
    return {name: value for name, value in body.items() if value is not ...}


class Service:
    """The running service: its address, its log, and short ways to ask."""

    def __init__(self, url: str, app: flask.Flask, log: list[CallLog]) -> None:
        self.url = url
        self.app = app
        self.log = log
        self.http = requests.Session()

    @property
    def ledger(self) -> Ledger:
        """What the service keeps."""
        ledger: Ledger = self.app.extensions["cat-cds"]
        return ledger

    def post(self, body: dict[str, Any], service: str = "", **more: Any) -> requests.Response:
        address = f"{self.url}/cds-services/{service or 'cat-' + str(body.get('hook'))}"
        return self.http.post(address, json=body, timeout=10, **more)

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.http.get(self.url + path, timeout=10, **more)

    def rules(self, body: dict[str, Any]) -> list[str]:
        answer = self.post(body)
        assert answer.status_code == 200, answer.text
        return [card["source"]["topic"]["code"] for card in answer.json()["cards"]]


@contextmanager
def running(settings: Settings | None = None, **parts: Any) -> Iterator[Service]:
    """The service in demo mode (or as set) on a free port of this machine, on the day TODAY."""
    log: list[CallLog] = []
    given = {"today": lambda _zone: TODAY, "write": log.append, **parts}
    app = create_app(settings or Settings(demo=True), **given)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    service = Service(f"http://127.0.0.1:{server.port}", app, log)
    try:
        yield service
    finally:
        service.http.close()
        server.shutdown()
        server.server_close()
        thread.join(5)
        service.ledger.close()
