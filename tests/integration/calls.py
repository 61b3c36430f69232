"""Calls of the service with leave to read at a FHIR server, or with everything in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.app.service import Service
from tests.integration.sekmet import TOKEN, Sekmet

Json = dict[str, Any]
Filled = Mapping[str, Json]


def reading(body: Json, server: Sekmet, *, token: str = TOKEN, scope: str = "system/*.rs") -> Json:
    """The call with a token to read at the server; no prefetch."""
    leave = {"access_token": token, "token_type": "Bearer", "expires_in": 300, "scope": scope, "subject": "cat-cds"}
    return body | {"fhirServer": server.base, "fhirAuthorization": leave}


def sent(body: Json, prefetch: Json) -> Json:
    """The call with everything in it; no server named."""
    return {name: value for name, value in body.items() if name != "fhirServer"} | {"prefetch": prefetch}


def asked(service: Service, body: Json) -> Json:
    answer = service.post(body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def rules(answer: Json) -> set[str]:
    return {rule for card in answer["cards"] for rule in card["extension"]["cat-cds"]["rules"]}
