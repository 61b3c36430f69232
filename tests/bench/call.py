"""The call to be timed: a whole record in prefetch, as an EHR would send it, and the same without."""

from datetime import date, timedelta
from typing import Any

import requests

from app.cli.drafts import draft, wish

Json = dict[str, Any]

PATIENT = "brief"
ORDER = "apixaban"
USER = "Practitioner/example"
RESOURCES = 300
SECONDS = 10


def service(url: str, hook: str) -> tuple[str, dict[str, str]]:
    """Address of the service for ``hook``, and its prefetch templates filled in for the patient."""
    services = requests.get(f"{url}/cds-services", timeout=SECONDS).json()["services"]
    found = next(one for one in services if one["hook"] == hook)
    queries = {key: text.replace("{{context.patientId}}", PATIENT) for key, text in found["prefetch"].items()}
    return f"{url}/cds-services/{found['id']}", queries


def record(url: str, queries: dict[str, str]) -> Json:
    """The answer to each query from the demo FHIR server of the service, lengthened to ``RESOURCES`` in all."""
    answers = {key: requests.get(f"{url}/fhir/{query}", timeout=SECONDS).json() for key, query in queries.items()}
    bundles = [answer for answer in answers.values() if answer["resourceType"] == "Bundle"]
    count = len(answers) - len(bundles) + sum(len(bundle.get("entry", ())) for bundle in bundles)
    histories = [bundle["entry"] for bundle in bundles if _is_history(bundle)]
    for number in range(RESOURCES - count):
        entries = histories[number % len(histories)]
        entries.append({"resource": _older(entries[-1]["resource"], number)})
    return answers


def body(hook: str, day: date, **rest: object) -> Json:
    """A call about a draft written on ``day``; ``rest`` is ``prefetch`` or ``fhirServer``."""
    order = draft(wish(ORDER), draft_id="draft-1", patient_id=PATIENT, user_id=USER, day=day)
    return {
        "hook": hook,
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {
            "userId": USER,
            "patientId": PATIENT,
            "selections": ["MedicationRequest/draft-1"],
            "draftOrders": {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": order}]},
        },
        **rest,
    }


def _is_history(bundle: Json) -> bool:
    entries = bundle.get("entry") or [{}]
    return "effectiveDateTime" in entries[-1].get("resource", {})


def _older(observation: Json, number: int) -> Json:
    taken = date.fromisoformat(observation["effectiveDateTime"][:10]) - timedelta(days=1)
    return observation | {"id": f"{PATIENT}-older-{number}", "effectiveDateTime": taken.isoformat()}
