"""CDS Hooks, discovery and prefetch templates: each row of the specification over a real socket."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from app import wire
from app.settings import Settings
from tests.app.service import Service, call, running
from tests.cds_hooks_validator import discovery_faults

Json = dict[str, Any]
TOKEN = re.compile(r"\{\{(.*?)\}\}")
TOKENS_OF_EVERY_HOOK = {"context.userId", "context.patientId", "context.encounterId"}
KEYS = [
    "patient", "conditions", "medications", "creatinine", "platelets",
    "weight", "height", "pregnancy", "procedures", "allergies",
]  # fmt: skip


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running() as one:
        yield one


@pytest.fixture(scope="module")
def offers(service: Service) -> list[Json]:
    answer = service.get("/cds-services")
    assert answer.status_code == 200
    found: list[Json] = answer.json()["services"]
    assert found
    return found


@pytest.fixture(scope="module")
def templates(offers: list[Json]) -> list[str]:
    return [template for offer in offers for template in offer["prefetch"].values()]


@pytest.mark.spec("D-1", "D-2", "D-15", "J-1")
def test_discovery_is_an_object_with_services_that_no_cache_keeps(service: Service) -> None:
    for address in ("/cds-services", "/cds-services/"):
        answer = service.get(address)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
        assert answer.headers["Cache-Control"] == "no-store"
        assert isinstance(answer.json()["services"], list)
    assert service.get("/cds-services").content == service.get("/cds-services").content


@pytest.mark.spec("D-3", "J-6")
def test_without_services_the_list_is_empty() -> None:
    assert wire.discovery([], public_url="https://cds.example", prefetch={}) == {"services": []}


@pytest.mark.spec("D-4", "D-5", "D-7")
@pytest.mark.parametrize("name", ["hook", "id", "description", "title", "usageRequirements"])
def test_each_service_says_what_it_is(offers: list[Json], name: str) -> None:
    assert all(isinstance(offer[name], str) and offer[name].strip() for offer in offers)


@pytest.mark.spec("D-6", "PT-10")
def test_prefetch_is_an_object_of_texts_under_keys_that_stay_the_same(offers: list[Json]) -> None:
    for offer in offers:
        assert list(offer["prefetch"]) == KEYS
        assert all(isinstance(template, str) for template in offer["prefetch"].values())
        assert all(re.fullmatch(r"\S+", key) for key in offer["prefetch"])


@pytest.mark.spec("D-8", "A-1")
def test_the_version_of_cds_hooks_is_told_and_can_be_set(offers: list[Json]) -> None:
    assert {offer["version"] for offer in offers} == {"2.0.1"}
    with running(Settings(demo=True, spec_version="3.0.0")) as newer:
        assert {offer["version"] for offer in newer.get("/cds-services").json()["services"]} == {"3.0.0"}


@pytest.mark.spec("D-9", "A-2")
def test_no_version_of_a_hook_is_claimed(offers: list[Json]) -> None:
    assert all("hookVersion" not in offer for offer in offers)


@pytest.mark.spec("D-10", "D-11")
def test_id_and_hook_are_unique_and_a_call_is_routed_by_both(service: Service, offers: list[Json]) -> None:
    pairs = [(offer["id"], offer["hook"]) for offer in offers]
    assert len(pairs) == len(set(pairs))
    for own in offers:
        for hook in ("patient-view", "order-select", "order-sign"):
            status = service.post(call(hook), own["id"]).status_code
            assert status == (200 if hook == own["hook"] else 400)


@pytest.mark.spec("D-13")
def test_the_id_of_an_offer_leads_to_its_service(service: Service, offers: list[Json]) -> None:
    for offer in offers:
        assert re.fullmatch(r"[A-Za-z0-9._~-]+", offer["id"])
        assert service.post(call(offer["hook"]), offer["id"]).status_code == 200


@pytest.mark.spec("D-14", "R-8")
def test_people_are_told_the_fhir_version_and_where_the_documentation_is(service: Service, offers: list[Json]) -> None:
    for offer in offers:
        assert "FHIR R4" in offer["usageRequirements"]
        address = re.search(r"https?://\S+", offer["usageRequirements"])
        assert address is not None
        page = service.get(address[0].removeprefix("http://127.0.0.1:8000"), headers={"Accept": "text/html"})
        assert (page.status_code, page.headers["Content-Type"].partition(";")[0]) == (200, "text/html")
    assert service.get("/rules").status_code == 200


@pytest.mark.spec("J-5", "J-6", "J-7", "X-4")
def test_discovery_has_no_fault(service: Service) -> None:
    assert discovery_faults(service.get("/cds-services").json()) == []


# Templates


@pytest.mark.spec("PT-1")
def test_a_template_is_a_read_or_a_search_below_the_base(templates: list[str]) -> None:
    read_or_search = re.compile(r"[A-Z][A-Za-z]+(?:/\{\{[^{}]+\}\}|\?\S+)")
    assert [one for one in templates if not read_or_search.fullmatch(one)] == []


@pytest.mark.spec("PT-2", "PT-3", "PT-4", "PT-7", "PT-8")
def test_tokens_are_plain_fields_of_the_context_of_every_hook(templates: list[str]) -> None:
    tokens = {token for template in templates for token in TOKEN.findall(template)}
    assert tokens
    assert tokens <= TOKENS_OF_EVERY_HOOK
    assert "%" not in "".join(tokens)  # no template needs another key


@pytest.mark.spec("PT-5", "PT-6")
def test_templates_keep_to_what_clients_support(templates: list[str]) -> None:
    for template in templates:
        pairs = [pair.partition("=")[::2] for pair in template.partition("?")[2].split("&") if pair]
        assert {name for name, _ in pairs} <= {"patient", "code", "_sort", "_count"}
        assert not any(":" in name or value.startswith("ne") for name, value in pairs)
        assert all(value == "-date" for name, value in pairs if name == "_sort")
        assert all(value.isdigit() for name, value in pairs if name == "_count")


@pytest.mark.spec("PT-9")
def test_templates_fit_an_address(templates: list[str]) -> None:
    for template in templates:
        assert len(template) <= 1500
        assert not re.search(r"[\s{}]", TOKEN.sub("", template))
