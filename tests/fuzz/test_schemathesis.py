"""Schemathesis reads the OpenAPI description and tries what it allows, and what it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from app import openapi
from app.settings import Settings
from tests.app.service import Service, running
from tests.fuzz.effort import EXAMPLES, Tried

DOCUMENT = openapi.document("http://127.0.0.1:8000", demo=True)
ADDRESSES = [(path, method) for path, item in DOCUMENT["paths"].items() for method in item if method in ("get", "post")]
ATTEMPTS = [
    pytest.param(path, method, mode, id=f"{method} {path} {words}")
    for path, method in ADDRESSES
    for mode, words in ((GenerationMode.POSITIVE, "as described"), (GenerationMode.NEGATIVE, "otherwise"))
    if mode is GenerationMode.POSITIVE or method == "post"  # in the others nothing can be wrong
]
CHECKED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(Settings(demo=True)) as one:
        yield one


@pytest.mark.parametrize(("path", "method", "mode"), ATTEMPTS)
def test_every_address_keeps_to_its_description(
    service: Service, path: str, method: str, mode: GenerationMode, record_property: Callable[[str, object], None]
) -> None:
    load_all_checks()
    operation = schemathesis.openapi.from_dict(DOCUMENT)[path][method]
    tried = Tried()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    def attempt(case: Any) -> None:
        answer = case.call(base_url=service.url, timeout=10)
        tried.count(answer.status_code)
        case.validate_response(answer, checks=[CHECKS.get_one(name) for name in CHECKED])

    attempt()
    record_property("fuzz", dict(tried.statuses))
