"""The OpenAPI description: valid, complete, open to everybody, and true of the real answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from app import create_app, openapi
from hooks.services import SERVICES
from tests.app.hospital import listed
from tests.app.service import Service, call, running

DOCUMENT = openapi.document("https://cds.example", demo=False)
STATIC = {"/static/<path:filename>"}


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running() as one:
        yield one


def faults(content: object, schema: str) -> list[str]:
    """What is wrong with ``content`` by a schema of the description."""
    registry: Any = Registry().with_resource("urn:api", Resource(DOCUMENT, DRAFT202012))
    validator = OAS31Validator({"$ref": f"urn:api#/components/schemas/{schema}"}, registry=registry)
    return [error.message for error in validator.iter_errors(content)]


@pytest.mark.parametrize("demo", [True, False])
def test_it_is_valid(demo: bool) -> None:
    assert list(OpenAPIV31SpecValidator(openapi.document("https://cds.example", demo=demo)).iter_errors()) == []


def test_it_is_served_openly_also_where_clients_must_prove_who_they_are(service: Service, tmp_path: Path) -> None:
    answer = service.get("/openapi.json")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json() == openapi.document("http://127.0.0.1:8000", demo=True)
    with running(listed(tmp_path)) as hospital:
        assert hospital.get("/openapi.json").json()["paths"]["/cds-services/cat-order-sign"]["post"]["security"] == [
            {"client": []}
        ]


def test_every_address_of_the_service_is_described_and_no_other(tmp_path: Path) -> None:
    app = create_app(listed(tmp_path))
    served = {
        (method, described(rule.rule, service.id))
        for rule in app.url_map.iter_rules()
        for service in SERVICES
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule not in STATIC
    }
    app.extensions["cat-cds"].close()
    assert served == {
        (method.upper(), path)
        for path, item in DOCUMENT["paths"].items()
        for method in item
        if method in ("get", "post", "put", "delete")
    }


def described(rule: str, service: str) -> str:
    """An address of the framework as the description writes it."""
    named = rule.replace("<service_id>/", "{service}/").replace("<service_id>", service)
    return named.replace("<code>", "{code}")


def test_operations_have_names_of_their_own() -> None:
    names = [
        one["operationId"] for item in DOCUMENT["paths"].values() for one in item.values() if isinstance(one, dict)
    ]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("hook", ["patient-view", "order-select", "order-sign"])
def test_real_calls_and_answers_are_as_described(service: Service, hook: str) -> None:
    body = call(hook)
    answer = service.post(body).json()
    assert answer["cards"]
    assert faults(body, "HookCall") == []
    assert faults(answer, "Cards") == []
    card = answer["cards"][0]["uuid"]
    outcome = {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-03-10T08:00:00Z"}
    feedback = {"feedback": [outcome]}
    assert faults(feedback, "Feedback") == []
    told = service.http.post(f"{service.url}/cds-services/cat-{hook}/feedback", json=feedback, timeout=10)
    assert told.status_code == 200


@pytest.mark.parametrize(
    ("path", "schema"), [("/cds-services", "Discovery"), ("/health/live", "Health"), ("/health/ready", "Health")]
)
def test_what_is_read_is_as_described(service: Service, path: str, schema: str) -> None:
    assert faults(service.get(path).json(), schema) == []


def test_a_refusal_is_as_described(service: Service) -> None:
    assert faults(service.post(call("order-sign", prefetch=...)).json(), "OperationOutcome") == []


def test_a_fault_would_be_seen(service: Service) -> None:
    answer = service.post(call("order-sign")).json()
    answer["cards"][0]["mood"] = "grave"
    assert faults(answer, "Cards") != []
    assert faults({"cards": [{}]}, "Cards") != []


def test_the_description_of_a_demo_asks_nobody_for_a_token() -> None:
    paths = openapi.document("http://127.0.0.1:8000", demo=True)["paths"]
    assert paths["/cds-services/cat-order-sign"]["post"]["security"] == [{}]
