"""The service outside demo mode, over a real socket: who may call, and what a stranger learns."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import orjson
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from app import create_app
from app.clients import ClientsError
from app.settings import Settings
from tests.app.service import Service, call, running
from tests.cds_hooks_validator import operation_outcome_faults
from tests.fake_ehr import serving

PUBLIC = "https://cds.example"
KEY = ec.generate_private_key(ec.SECP384R1())
ENTRY = """
[[client]]
name = "north"
issuer = "https://ehr.example"
jwks_file = "north.json"
tenants = ["a"]
origins = ["https://ehr.example"]
services = ["cat-order-sign", "cat-order-select"]
[client.prefetch]
weight = "Observation?patient={{context.patientId}}&code=local-weight"
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("clients")
    public = ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    (folder / "north.json").write_bytes(orjson.dumps({"keys": [{**public, "kid": "k1"}]}))
    (folder / "clients.toml").write_text(ENTRY)
    return Settings(clients_file=folder / "clients.toml", card_key="k" * 32, public_url=PUBLIC)


@pytest.fixture(scope="module")
def service(settings: Settings) -> Iterator[Service]:
    with running(settings) as one:
        yield one


def bearer(path: str = "/cds-services/cat-order-sign", **changes: Any) -> dict[str, str]:
    now = int(time.time())
    claims = {"iss": "https://ehr.example", "aud": PUBLIC + path, "iat": now, "exp": now + 60, "tenant": "a"}
    jti = f"{time.monotonic_ns()}"
    token = jwt.encode({**claims, "jti": jti, **changes}, KEY, algorithm="ES384", headers={"kid": "k1"})
    return {"Authorization": f"Bearer {token}"}


def outcome(answer: requests.Response) -> dict[str, Any]:
    assert answer.headers["Content-Type"] == "application/fhir+json"
    content: dict[str, Any] = answer.json()
    assert operation_outcome_faults(content) == []
    return content


@pytest.mark.spec("S-1", "S-18")
def test_a_listed_client_is_answered_and_named_in_the_log(service: Service) -> None:
    answer = service.post(call("order-sign"), headers=bearer())
    assert answer.json()["cards"]
    assert (service.log[-1].client, service.log[-1].tenant) == ("north", "a")


@pytest.mark.spec("E-6", "A-7", "S-1")
def test_all_failures_to_prove_who_calls_look_alike(service: Service) -> None:
    used = bearer()
    service.post(call("order-sign"), headers=used)
    answers = [
        service.post(call("order-sign"), headers=headers)
        for headers in (
            {},
            used,
            bearer(exp=1),
            bearer("/cds-services/cat-order-select"),
            bearer(tenant="b"),
            bearer(tenant=7),
            {"Authorization": "Basic dTpw"},
        )
    ]
    assert [answer.status_code for answer in answers] == [401] * 7
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {"Bearer"}
    assert len({orjson.dumps({**outcome(answer), "id": ""}) for answer in answers}) == 1
    assert service.log[-1].status == 401


def test_a_stranger_is_refused_before_the_body_is_looked_at(service: Service) -> None:
    answer = service.http.post(f"{service.url}/cds-services/cat-order-sign", data=b"{", timeout=10)
    assert answer.status_code == 401


def test_a_known_client_without_right_to_the_service_is_refused(service: Service) -> None:
    answer = service.post(call("patient-view"), headers=bearer("/cds-services/cat-patient-view"))
    assert (answer.status_code, outcome(answer)["issue"][0]["code"]) == (403, "forbidden")


@pytest.mark.spec("D-15")
def test_discovery_is_open_and_shows_a_client_its_own_templates(service: Service) -> None:
    def weight(**headers: str) -> str:
        template: str = service.get("/cds-services", headers=headers).json()["services"][0]["prefetch"]["weight"]
        return template

    assert "29463-7" in weight()
    assert "29463-7" in weight(Authorization="Bearer nonsense")
    assert weight(**bearer("/cds-services")).endswith("code=local-weight")


@pytest.mark.spec("S-16")
def test_browsers_of_listed_origins_only_are_let_in(service: Service) -> None:
    allowed = {
        origin: service.get("/cds-services", headers={"Origin": origin}).headers.get("Access-Control-Allow-Origin")
        for origin in ("https://ehr.example", "https://sandbox.cds-hooks.org", "http://localhost:8000")
    }
    expected = {"https://ehr.example": "https://ehr.example", "https://sandbox.cds-hooks.org": None}
    assert allowed == {**expected, "http://localhost:8000": None}


def test_a_server_on_this_machine_is_not_asked_and_there_is_no_demo(service: Service) -> None:
    with serving() as local:
        body = call("order-sign", prefetch={}, fhirServer=local.base)
        assert service.post(body, headers=bearer()).status_code == 412
        assert local.asked == []
    assert service.get("/fhir/Patient").status_code == 404


def test_a_client_with_an_unknown_profile_stops_the_start(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "north.json").write_text('{"keys": []}')
    (tmp_path / "clients.toml").write_text(ENTRY.replace("services =", 'profile = "chest-1950"\nservices ='))
    with pytest.raises(ClientsError, match="line 8: client 1, profile: there is no chest-1950"):
        create_app(settings.model_copy(update={"clients_file": tmp_path / "clients.toml"}))
