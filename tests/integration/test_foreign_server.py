"""Against a FHIR server that nobody here wrote, every promised call gets the same cards as by prefetch."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import requests

from app.demo.charts import Charts
from app.errors import MissingDataError
from tests.app.service import Service
from tests.app.test_every_patient import HAS_A_MEDICATION_REFERENCE
from tests.app.test_promised_cards import INDEX, call
from tests.integration.calls import Filled, asked, reading, rules, sent
from tests.integration.sekmet import Sekmet

pytestmark = pytest.mark.xdist_group("sekmet")

Json = dict[str, Any]
PATIENTS = {patient["id"]: patient for patient in INDEX["patients"]}
PROMISES = [
    pytest.param((patient, hook, set(codes)), id=f"{patient['id']}, {hook}")
    for patient in INDEX["patients"]
    for hook, codes in patient["expect"].items()
]


def test_the_server_takes_every_resource_of_the_charts(server_of: dict[str, Sekmet], charts: Charts) -> None:
    """It checks each against the R4 models; a chart with one bad resource would be refused whole."""
    put = Counter(one["resourceType"] for patient in charts.patient_ids() for one in charts.chart(patient))
    servers = {server.base: server for server in server_of.values()}.values()
    assert put.total() > 10_000
    assert put == {kind: sum(one.read(f"{kind}?_summary=count")["total"] for one in servers) for kind in put}


@pytest.mark.parametrize("promise", PROMISES)
def test_cards_by_prefetch_and_by_reading_are_equal(
    service: Service, server_of: dict[str, Sekmet], prefetch_of: Filled, promise: tuple[Json, str, set[str]]
) -> None:
    patient, hook, codes = promise
    body = call(patient, hook, "")
    by_reading = asked(service, reading(body, server_of[patient["id"]]))
    assert service.log[-1].gaps == []
    assert set(service.log[-1].origins.values()) <= {"fetched"}
    assert rules(by_reading) == codes

    by_prefetch = asked(service, sent(body, prefetch_of[patient["id"]]))
    assert set(service.log[-1].origins.values()) <= {"prefetch"}
    if patient["id"] == HAS_A_MEDICATION_REFERENCE:
        by_prefetch = known_by_its_code(by_prefetch, by_reading)
    assert by_prefetch == by_reading


def known_by_its_code(by_prefetch: Json, by_reading: Json) -> Json:
    """What prefetch cannot carry: the templates bring no Medication resource, so that the medicine of an order that
    refers to one is known by its display. The card says so; its id is made from what it says. Nothing else differs.
    """
    (card,), (read,) = by_prefetch["cards"], by_reading["cards"]
    assert card["detail"].count(", matched by name)") == 1
    assert card["uuid"] != read["uuid"]
    return {"cards": [card | {"detail": card["detail"].replace(", matched by name)", ")"), "uuid": read["uuid"]}]}


def test_a_medication_that_came_along_is_as_good_as_one_that_was_read(
    service: Service, server_of: dict[str, Sekmet], prefetch_of: Filled, templates: dict[str, str]
) -> None:
    """An EHR that adds `_include` to its query sends it; the foreign server does, too."""
    server = server_of[HAS_A_MEDICATION_REFERENCE]
    query = templates["medications"].replace("{{context.patientId}}", HAS_A_MEDICATION_REFERENCE)
    with_medication = server.read(f"{query}&_include=MedicationRequest:medication")
    modes = Counter((e["resource"]["resourceType"], e["search"]["mode"]) for e in with_medication["entry"])
    assert modes["Medication", "include"] == 1

    body = call(PATIENTS[HAS_A_MEDICATION_REFERENCE], "patient-view", "")
    prefetch = prefetch_of[HAS_A_MEDICATION_REFERENCE] | {"medications": with_medication}
    assert asked(service, sent(body, prefetch)) == asked(service, reading(body, server))


@pytest.mark.parametrize("patient", PATIENTS)
def test_prefetch_filled_by_the_foreign_server_gives_the_same_cards(
    service: Service, server_of: dict[str, Sekmet], prefetch_of: Filled, templates: dict[str, str], patient: str
) -> None:
    filled = {
        key: server_of[patient].read(template.replace("{{context.patientId}}", patient))
        for key, template in templates.items()
    }
    body = call(PATIENTS[patient], "patient-view", "")
    assert asked(service, sent(body, filled)) == asked(service, sent(body, prefetch_of[patient]))
    assert service.log[-1].gaps == []


def test_absolute_references_give_the_same_cards(
    service: Service, server_of: dict[str, Sekmet], absolute: tuple[Sekmet, list[str]]
) -> None:
    """Some servers write `http://host/fhir/Patient/p` where others write `Patient/p`."""
    server, patients = absolute
    assert HAS_A_MEDICATION_REFERENCE in patients
    assert len(patients) > 10
    condition = server.read(f"Condition?patient={HAS_A_MEDICATION_REFERENCE}")["entry"][0]["resource"]
    assert condition["subject"]["reference"] == f"{server.base}/Patient/{HAS_A_MEDICATION_REFERENCE}"
    for patient in patients:
        body = call(PATIENTS[patient], "patient-view", "")
        assert asked(service, reading(body, server)) == asked(service, reading(body, server_of[patient])), patient
        assert asked(service, body | {"fhirServer": server.base}), "this one asks nobody for a token"


def refusal(service: Service, body: Json) -> str:
    answer = service.post(body)
    assert answer.status_code == MissingDataError.status, answer.text
    return str(answer.json()["issue"][0]["diagnostics"])


def test_a_server_that_wants_a_token_is_not_read_without_one(service: Service, server_of: dict[str, Sekmet]) -> None:
    server, body = server_of["brief"], call(PATIENTS["brief"], "patient-view", "")
    assert requests.get(f"{server.base}/Patient/brief", timeout=10).status_code == 401
    assert "the FHIR server refused access" in refusal(service, body | {"fhirServer": server.base})
    assert "the FHIR server refused access" in refusal(service, reading(body, server, token="of-somebody-else"))


def test_a_smart_token_reads_what_its_scopes_cover(service: Service, server_of: dict[str, Sekmet]) -> None:
    server, body = server_of["brief"], call(PATIENTS["brief"], "patient-view", "")
    whole = asked(service, reading(body, server))
    for scope in ("system/*.read", "system/*.rs"):  # SMART 1 and 2
        token = server.smart_token(scope)
        assert asked(service, reading(body, server, token=token, scope=scope)) == whole

    narrow = "system/Patient.read system/Condition.read system/MedicationRequest.read"
    answer = asked(service, reading(body, server, token=server.smart_token(narrow), scope=narrow))
    assert "weight: not sent by the EHR, and the access it gave does not cover it" in str(answer)

    told_too_much = reading(body, server, token=server.smart_token(narrow), scope="system/*.read")
    assert "weight: the FHIR server refused access" in str(asked(service, told_too_much))


def test_a_patient_who_is_not_there_is_refused(service: Service, server_of: dict[str, Sekmet]) -> None:
    body = call(PATIENTS["brief"] | {"id": "nobody"}, "patient-view", "")
    assert refusal(service, reading(body, server_of["brief"])) == (
        "patient: the FHIR server answered with an error (HTTP 404)"
    )
