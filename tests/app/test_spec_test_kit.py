"""The Inferno CRD test kit in our words: called as it calls, asserted what it asserts (base CDS Hooks part)."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fhir.resources.R4B import get_fhir_model_class
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from app.settings import Settings
from tests.app.hospital import PUBLIC
from tests.app.service import APIXABAN, CT, Service, call, running

Json = dict[str, Any]
ISSUER = "https://inferno.example/custom/crd_server"
JKU = f"{ISSUER}/jwks.json"
EC_KEY = ec.generate_private_key(ec.SECP384R1())
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEYS: dict[str, Any] = {"ES384": EC_KEY, "RS384": RSA_KEY}
ORDER_TYPES = {"DeviceRequest", "MedicationRequest", "NutritionOrder", "ServiceRequest", "VisionPrescription"}
WARFARIN = APIXABAN | {"id": "d3", "medicationCodeableConcept": {"text": "warfarin 5 MG Oral Tablet"}}
ACCESS = {
    "access_token": "opaque", "token_type": "Bearer", "expires_in": 300, "scope": "patient/*.rs",
    "subject": "cat-cds", "patient": "pt-1",
}  # fmt: skip
BODIES = [
    call("order-select", APIXABAN, CT),
    call("order-sign", APIXABAN, WARFARIN, CT),
    call("order-sign", fhirServer="https://ehr.example/fhir", fhirAuthorization=ACCESS),
]
ENTRY = f"""[[client]]
name = "kit"
issuer = "{ISSUER}"
jwks_file = "keys.json"
jku = ["{JKU}"]
jti_reuse = true
system_actions_key = true
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with the entry that a run of the kit needs."""
    folder = tmp_path_factory.mktemp("kit")
    keys = [ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True) | {"kid": "ES384"}]
    keys.append(RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True) | {"kid": "RS384"})
    (folder / "keys.json").write_text(json.dumps({"keys": keys}))
    (folder / "clients.toml").write_text(ENTRY)
    settings = Settings(clients_file=folder / "clients.toml", card_key="k" * 32, public_url=PUBLIC, state_dir=folder)
    with running(settings) as one:
        yield one


def token(path: str, algorithm: str = "ES384") -> dict[str, str]:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": PUBLIC + path, "exp": now + 300, "iat": now, "jti": secrets.token_hex(32)}
    head = {"kid": algorithm, "typ": "JWT", "jku": JKU}
    return {"Authorization": f"Bearer {jwt.encode(claims, KEYS[algorithm], algorithm=algorithm, headers=head)}"}


def offers(service: Service, **headers: str) -> list[Json]:
    answer = service.get("/cds-services", headers={"Accept": "application/json", **headers})
    assert answer.status_code == 200
    services: list[Json] = answer.json()["services"]
    return services


@pytest.fixture(scope="module")
def answers(service: Service) -> list[Json]:
    """The answer to each body, in the order of BODIES, all of a hook with one token."""
    tokens = {hook: token(f"/cds-services/cat-{hook}") for hook in ("order-select", "order-sign")}
    found = []
    for body in BODIES:
        id_ = next(one["id"] for one in offers(service) if one["hook"] == body["hook"])
        sent = {"Content-type": "application/json", "Accept": None, **tokens[body["hook"]]}
        address = f"{service.url}/cds-services/{id_}"
        answer = service.http.post(address, data=json.dumps(body), headers=sent, timeout=10)
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
    return found


@pytest.fixture(scope="module")
def cards(answers: list[Json]) -> list[Json]:
    return [card for answer in answers for card in answer["cards"]]


@pytest.fixture(scope="module")
def suggestions(cards: list[Json]) -> list[Json]:
    found = [one for card in cards for one in card.get("suggestions", [])]
    assert found
    return found


@pytest.fixture(scope="module")
def actions(suggestions: list[Json]) -> list[Json]:
    return [action for suggestion in suggestions for action in suggestion["actions"]]


def is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


# How it calls


@pytest.mark.spec("K-1", "K-2", "T-2", "T-3", "T-4", "T-5", "T-6")
@pytest.mark.parametrize("algorithm", [None, "ES384", "RS384"])
def test_discovery_with_and_without_a_token(service: Service, algorithm: str | None) -> None:
    services = offers(service, **(token("/cds-services", algorithm) if algorithm else {}))
    assert isinstance(services, list)
    assert services
    assert all(is_text(one[name]) for one in services for name in ("hook", "description", "id"))


@pytest.mark.spec("K-1", "K-3", "K-4", "K-5", "T-10", "T-11")
@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_every_call_of_a_run_with_one_token_is_answered(service: Service, algorithm: str) -> None:
    headers = {"Content-type": "application/json", "Accept": None, **token("/cds-services/cat-order-sign", algorithm)}
    for body in [one for one in BODIES if one["hook"] == "order-sign"]:
        answer = service.http.post(
            f"{service.url}/cds-services/cat-order-sign", data=json.dumps(body), headers=headers, timeout=10
        )
        assert (answer.status_code, answer.json()["cards"] != []) == (200, True)


# The answer


@pytest.mark.spec("T-20", "T-21", "T-22")
def test_there_are_cards(answers: list[Json]) -> None:
    assert all(isinstance(answer["cards"], list) and answer["cards"] for answer in answers)


@pytest.mark.spec("T-23", "T-24")
def test_the_key_of_system_actions_is_there(answers: list[Json]) -> None:
    assert all(answer["systemActions"] == [] for answer in answers)


@pytest.mark.spec("T-30", "T-31", "T-32", "T-33", "T-34", "T-35")
def test_what_a_card_must_have(cards: list[Json]) -> None:
    for card in cards:
        assert is_text(card["summary"])
        assert len(card["summary"]) < 140
        assert card["indicator"] in ("info", "warning", "critical")
        assert is_text(card["source"]["label"])
        assert is_text(card["source"]["topic"]["code"])
        assert is_text(card["source"]["topic"]["system"])


@pytest.mark.spec("T-40", "T-41", "T-42")
def test_what_a_card_may_have(cards: list[Json]) -> None:
    kinds = {"uuid": str, "detail": str, "suggestions": list, "overrideReasons": list, "links": list}
    for card in cards:
        assert all(isinstance(card[name], kind) and card[name] for name, kind in kinds.items() if name in card)
        assert "suggestions" not in card or card["selectionBehavior"] in ("at-most-one", "any")
        for reason in card.get("overrideReasons", []):
            assert all(is_text(reason[name]) for name in ("code", "system", "display"))


@pytest.mark.spec("T-43", "T-44", "T-45", "T-62")
def test_links_are_absolute_and_each_card_is_an_external_reference(cards: list[Json]) -> None:
    for card in cards:
        assert card["links"]
        for link in card["links"]:
            assert is_text(link["label"])
            assert link["type"] == "absolute"
            assert "appContext" not in link
            parts = urlsplit(link["url"])
            assert (parts.scheme in ("http", "https"), bool(parts.hostname), link["url"].isascii()) == (True,) * 3


@pytest.mark.spec("T-46", "T-47")
def test_suggestions_have_a_label_and_actions(suggestions: list[Json]) -> None:
    assert all(is_text(one["label"]) and isinstance(one["actions"], list) and one["actions"] for one in suggestions)


@pytest.mark.spec("T-50", "T-51", "T-52", "T-53", "T-54")
def test_actions_create_update_or_delete(actions: list[Json]) -> None:
    assert {action["type"] for action in actions} == {"create", "delete"}
    for action in actions:
        assert is_text(action["description"])
        if action["type"] == "delete":
            assert re.fullmatch(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}", action["resourceId"])
        else:
            get_fhir_model_class(action["resource"]["resourceType"]).model_validate(action["resource"])


@pytest.mark.spec("T-60")
def test_an_alternative_deletes_a_draft_of_the_call_and_creates_one_of_its_type(suggestions: list[Json]) -> None:
    drafts = {f"MedicationRequest/{one['id']}" for one in (APIXABAN, WARFARIN)}
    replacing = [one for one in suggestions if {"create", "delete"} <= {action["type"] for action in one["actions"]}]
    assert replacing
    for suggestion in replacing:
        deleted = {action["resourceId"] for action in suggestion["actions"] if action["type"] == "delete"}
        created = {action["resource"]["resourceType"] for action in suggestion["actions"] if action["type"] == "create"}
        assert deleted <= drafts
        assert created == {"MedicationRequest"}


# What it asks of the requests of the tester: ours are such


@pytest.mark.spec("T-70", "T-71")
@pytest.mark.parametrize("body", BODIES)
def test_our_requests_are_complete(body: Json) -> None:
    assert is_text(body["hook"])
    assert re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", body["hookInstance"])
    assert body["context"]


@pytest.mark.spec("T-72", "T-73")
def test_the_authorization_of_our_request_is_complete() -> None:
    body = BODIES[-1]
    assert is_text(body["fhirServer"])
    assert body["prefetch"]
    texts = ("access_token", "token_type", "scope", "subject")
    assert all(is_text(body["fhirAuthorization"][name]) for name in texts)
    assert body["fhirAuthorization"]["token_type"] == "Bearer"
    assert isinstance(body["fhirAuthorization"]["expires_in"], int)


@pytest.mark.spec("T-74", "T-75", "T-76")
@pytest.mark.parametrize("body", BODIES)
def test_the_context_of_our_requests_is_complete(body: Json) -> None:
    context = body["context"]
    assert context["userId"].partition("/")[0] in ("Practitioner", "PractitionerRole")
    assert "/" not in context["patientId"]
    assert context["draftOrders"]["resourceType"] == "Bundle"
    orders = [entry["resource"] for entry in context["draftOrders"]["entry"]]
    assert all(order["id"] and order["resourceType"] in ORDER_TYPES for order in orders)
    named = {f"{order['resourceType']}/{order['id']}" for order in orders}
    assert ("selections" in context) == (body["hook"] == "order-select")
    assert set(context.get("selections", [])) <= named
