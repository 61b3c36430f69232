"""The door of the service over a real socket: statuses, errors as OperationOutcome, CORS, the Host of a demo."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from app.settings import Settings
from tests.app.service import Service, call, running
from tests.cds_hooks_validator import discovery_faults, operation_outcome_faults

SANDBOX = "https://sandbox.cds-hooks.org"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(Settings(demo=True, max_body_bytes=100_000)) as one:
        yield one


def issue(answer: requests.Response) -> dict[str, Any]:
    """The one issue of an error answer, once it is known to be a proper OperationOutcome."""
    assert answer.headers["Content-Type"] == "application/fhir+json"
    content = answer.json()
    assert operation_outcome_faults(content) == []
    assert content["id"]
    (only,) = content["issue"]
    assert isinstance(only, dict)
    return only


def send(service: Service, body: bytes, **headers: str) -> requests.Response:
    sent = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return service.http.post(f"{service.url}/cds-services/cat-patient-view", data=body, headers=sent, timeout=10)


# Discovery


def test_discovery_lists_one_service_per_hook_with_templates(service: Service) -> None:
    answer = service.get("/cds-services")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    assert discovery_faults(answer.json()) == []
    services = answer.json()["services"]
    assert {one["hook"]: one["id"] for one in services} == {
        "patient-view": "cat-patient-view",
        "order-select": "cat-order-select",
        "order-sign": "cat-order-sign",
    }
    for one in services:
        assert list(one["prefetch"]) == [
            "patient", "conditions", "medications", "creatinine", "platelets",
            "weight", "height", "pregnancy", "procedures", "allergies",
        ]  # fmt: skip
        assert all(len(template) <= 1500 for template in one["prefetch"].values())
        assert one["prefetch"]["platelets"].endswith("&_sort=-date&_count=10")
        assert "http://loinc.org|777-3" in one["prefetch"]["platelets"]


def test_discovery_is_found_with_a_slash_at_the_end_too(service: Service) -> None:
    assert service.get("/cds-services/").json() == service.get("/cds-services").json()


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_is_told(service: Service, path: str) -> None:
    answer = service.get(path)
    assert answer.status_code == 200
    assert answer.json()["status"] == path.rpartition("/")[2]


def test_readiness_names_the_knowledge(service: Service) -> None:
    assert service.get("/health/ready").json()["knowledge"]


# Errors


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("POST", "/cds-services/unknown", 404, "not-found"),
        ("POST", "/cds-services", 405, "not-supported"),
        ("GET", "/cds-services/cat-patient-view", 405, "not-supported"),
        ("PUT", "/cds-services/cat-patient-view", 405, "not-supported"),
        ("DELETE", "/health/live", 405, "not-supported"),
    ],
)
def test_wrong_addresses_and_methods_get_an_operation_outcome(
    service: Service, method: str, path: str, status: int, code: str
) -> None:
    connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=10)
    connection.request(method, path, b"{}" if method != "GET" else None, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    assert operation_outcome_faults(content) == []
    assert (answer.status, content["issue"][0]["code"]) == (status, code)
    assert answer.headers["Content-Type"] == "application/fhir+json"
    assert (answer.headers["Allow"] is not None) is (status == 405)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"hook": NaN}', b'{"hook": 1,}', b"{" * 5000])
def test_a_body_that_is_no_json_object_is_refused(service: Service, body: bytes) -> None:
    answer = send(service, body)
    assert answer.status_code == 400
    assert issue(answer)["code"] == "invalid"


def test_a_refusal_names_the_element(service: Service) -> None:
    answer = service.post(call("patient-view", context={"userId": "Practitioner/p1"}))
    assert answer.status_code == 400
    assert issue(answer)["expression"] == ["context.patientId"]


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", "application/fhir+json"],
)
def test_json_is_taken_under_its_names(service: Service, content_type: str) -> None:
    body = json.dumps(call("patient-view")).encode()
    assert send(service, body, Content_Type=content_type).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/xml"}, 415),
        ({"Content_Type": "application/json; charset=latin-1"}, 415),
        ({"Content_Type": ""}, 415),
        ({"Content_Encoding": "gzip"}, 415),
    ],
)
def test_other_bodies_are_not_taken(service: Service, headers: dict[str, str], status: int) -> None:
    answer = send(service, b"{}", **headers)
    assert answer.status_code == status
    assert issue(answer)["code"] == "not-supported"


@pytest.mark.spec("J-9")
def test_a_body_that_is_too_long_is_refused_announced_or_not(service: Service) -> None:
    announced = send(service, b" " * 100_001)
    assert (announced.status_code, issue(announced)["code"]) == (413, "too-long")

    chunked = service.http.post(
        f"{service.url}/cds-services/cat-patient-view",
        data=iter([b" " * 10_000] * 11),
        headers={"Content-Type": "application/json"},
        timeout=10,
    )
    assert (chunked.status_code, issue(chunked)["code"]) == (413, "too-long")
    assert service.log[-1].status == 413


def test_a_body_in_pieces_is_read(service: Service) -> None:
    body = json.dumps(call("patient-view")).encode()
    pieces = (body[at : at + 1000] for at in range(0, len(body), 1000))
    answer = service.http.post(
        f"{service.url}/cds-services/cat-patient-view",
        data=pieces,
        headers={"Content-Type": "application/json"},
        timeout=10,
    )
    assert answer.status_code == 200


@pytest.mark.spec("E-5")
def test_a_failure_of_ours_tells_nothing_and_is_found_in_the_log(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("canary: Jane Doe, born 1958")

    monkeypatch.setattr("app.routes.delivery.decide", fail)
    answer = service.post(call("order-sign"))
    assert answer.status_code == 500
    assert issue(answer)["code"] == "exception"
    assert "canary" not in answer.text
    assert "Traceback" not in answer.text
    log = service.log[-1]
    assert log.status == 500
    assert log.correlation_id == answer.json()["id"]
    assert log.error.startswith("RuntimeError at ")
    assert "canary" not in repr(log)
    printed = capsys.readouterr()
    assert "canary" not in printed.out + printed.err


# Browsers


@pytest.mark.spec("S-16")
@pytest.mark.parametrize("origin", [SANDBOX, "http://localhost:3000", "http://127.0.0.1:8000", "http://[::1]:8080"])
@pytest.mark.parametrize("path", ["/cds-services", "/cds-services/cat-order-sign", "/fhir/Patient"])
def test_a_preflight_needs_no_token_and_opens_the_private_network(service: Service, origin: str, path: str) -> None:
    answer = service.http.options(
        service.url + path,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST" if "cat-" in path else "GET",
            "Access-Control-Request-Headers": "authorization,content-type",
            "Access-Control-Request-Private-Network": "true",
        },
        timeout=10,
    )
    assert answer.ok
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert answer.headers["Access-Control-Allow-Private-Network"] == "true"
    assert {"authorization", "content-type"} <= set(answer.headers["Access-Control-Allow-Headers"].lower().split(", "))
    assert {"GET", "POST", "OPTIONS"} <= set(answer.headers["Access-Control-Allow-Methods"].split(", "))
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://sandbox.cds-hooks.org.evil.example",
        "http://localhost.evil.example",
        "null",
        "http://sandbox.cds-hooks.org",
        "https://sandboxAcds-hooks.org",
    ],
)
def test_other_origins_are_not_let_in(service: Service, origin: str) -> None:
    answer = service.get("/cds-services", headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.spec("E-7")
def test_every_answer_can_be_read_by_a_browser_errors_too(service: Service) -> None:
    headers = {"Origin": SANDBOX}
    answers = [
        service.get("/cds-services", headers=headers),
        service.get("/nowhere", headers=headers),
        service.get("/cds-services/cat-order-sign", headers=headers),
        service.post(call("order-sign", prefetch=...), headers=headers),
        service.post(call("patient-view"), "unknown", headers=headers),
        service.post(call("order-sign"), headers=headers),
        send(service, b" " * 100_001, Origin=SANDBOX),
    ]
    assert [answer.status_code for answer in answers] == [200, 404, 405, 412, 404, 200, 413]
    assert {answer.headers.get("Access-Control-Allow-Origin") for answer in answers} == {SANDBOX}


# The Host of a demo


@pytest.mark.parametrize(("host", "status"), [("localhost:1", 200), ("127.0.0.1", 200), ("[::1]:80", 200)])
def test_a_demo_answers_under_the_names_of_this_machine(service: Service, host: str, status: int) -> None:
    assert service.get("/cds-services", headers={"Host": host}).status_code == status


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.7:8000"])
@pytest.mark.parametrize("path", ["/cds-services", "/fhir/Patient", "/nowhere"])
def test_and_under_no_other(service: Service, host: str, path: str) -> None:
    answer = service.get(path, headers={"Host": host})
    assert (answer.status_code, issue(answer)["code"]) == (421, "security")


def test_a_public_demo_answers_under_any_name() -> None:
    with running(Settings(demo=True, demo_public=True)) as public:
        assert public.get("/cds-services", headers={"Host": "demo.example"}).status_code == 200
