"""CDS Hooks, what comes: transport, the request, errors; each row of the specification over a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from app.settings import Settings, SettingsError, load
from app.store.report import lines, totals
from tests.app.hospital import PUBLIC, bearer, listed
from tests.app.service import APIXABAN, CLOT, CT, Service, call, condition, record, running, searchset
from tests.cds_hooks_validator import operation_outcome_faults
from tests.fake_ehr import serving

Json = dict[str, Any]
HOOKS = ("patient-view", "order-select", "order-sign")
ADDRESS = "/cds-services/cat-order-sign"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(Settings(demo=True, max_body_bytes=100_000)) as one:
        yield one


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service outside demo mode, with one listed client."""
    entry = 'services = ["cat-order-sign"]\norigins = ["https://ehr.example"]'
    with running(listed(tmp_path_factory.mktemp("hospital"), entry=entry)) as one:
        yield one


def refusal(answer: requests.Response) -> tuple[int, str, list[str]]:
    """Status, issue code and named elements of an error, once it is known to be a proper OperationOutcome."""
    assert answer.headers["Content-Type"] == "application/fhir+json"
    assert operation_outcome_faults(answer.json()) == []
    (issue,) = answer.json()["issue"]
    return answer.status_code, issue["code"], issue.get("expression", [])


def raw(service: Service, body: bytes, method: str = "POST", path: str = ADDRESS, **headers: str) -> requests.Response:
    sent = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return service.http.request(method, service.url + path, data=body, headers=sent, timeout=10)


def without(body: Json, path: str) -> Json:
    copy: Json = json.loads(json.dumps(body))
    *steps, last = path.split(".")
    holder = copy
    for step in steps:
        holder = holder[step]
    del holder[last]
    return copy


# Transport


@pytest.mark.spec("J-2")
def test_outside_a_demo_the_service_is_reached_by_https(tmp_path: Path) -> None:
    settings = listed(tmp_path)
    given = {"clients_file": settings.clients_file, "card_key": "k" * 32, "state_dir": tmp_path}
    assert load(**given, public_url="https://cds.example").public_url == "https://cds.example"
    with pytest.raises(SettingsError, match=r"CAT_CDS_PUBLIC_URL.*https"):
        load(**given, public_url="http://cds.example")


@pytest.mark.spec("J-4", "J-9", "E-1", "E-2", "E-3", "E-4", "A-6")
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b'{"hook": "order-sign",}', b"{} // x", b"\xff"])
def test_what_is_no_json_object_is_400(service: Service, body: bytes) -> None:
    status, code, _ = refusal(raw(service, body))
    assert (status, code) == (400, "invalid")


@pytest.mark.spec("J-9", "E-2", "E-3", "E-4", "A-6", "A-10")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", ADDRESS, 405),
        ("PUT", ADDRESS, 405),
        ("DELETE", "/cds-services", 405),
        ("POST", "/cds-services/none", 404),
        ("POST", "/cds-services/none/feedback", 404),
        ("GET", "/none", 404),
    ],
)
def test_wrong_methods_and_addresses_are_405_and_404(service: Service, method: str, path: str, status: int) -> None:
    assert refusal(raw(service, b"{}", method, path))[0] == status


@pytest.mark.spec("J-9", "J-10", "E-2", "E-3")
def test_bodies_that_are_too_long_or_of_another_type_are_413_and_415(service: Service) -> None:
    assert refusal(raw(service, b" " * 100_001))[0] == 413
    for kind in ("text/plain", "application/xml", "multipart/form-data"):
        assert refusal(raw(service, b"{}", Content_Type=kind))[0] == 415
    for kind in ("application/json", "application/json; charset=utf-8", "application/fhir+json"):
        assert raw(service, json.dumps(call("order-sign")).encode(), Content_Type=kind).status_code == 200


@pytest.mark.spec("E-2", "S-1", "S-2", "F-9", "A-7")
def test_strangers_are_401_with_a_challenge_and_clients_without_right_403(hospital: Service) -> None:
    for path in (ADDRESS, f"{ADDRESS}/feedback"):
        answer = raw(hospital, b"{}", path=path)
        assert refusal(answer)[:2] == (401, "login")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    answer = hospital.post(call("patient-view"), headers=bearer("/cds-services/cat-patient-view"))
    assert refusal(answer)[:2] == (403, "forbidden")
    assert hospital.post(call("order-sign"), headers=bearer(ADDRESS)).status_code == 200


@pytest.mark.spec("S-2")
def test_in_a_demo_an_unknown_token_is_passed_over(service: Service) -> None:
    for token in ("nonsense", "a.b.c", bearer(ADDRESS)["Authorization"].partition(" ")[2]):
        answer = service.post(call("order-sign"), headers={"Authorization": f"Bearer {token}"})
        assert answer.json() == service.post(call("order-sign")).json()


@pytest.mark.spec("S-5", "A-5")
def test_the_audience_is_the_address_called_alone_or_in_a_list_by_the_configured_base(hospital: Service) -> None:
    def status(audience: object, path: str = ADDRESS, body: Json | None = None, **headers: str) -> int:
        sent = {"Content-Type": "application/json", **bearer("", aud=audience), **headers}
        content = json.dumps(body or call("order-sign")).encode()
        return hospital.http.post(hospital.url + path, data=content, headers=sent, timeout=10).status_code

    here = PUBLIC + ADDRESS
    assert [status(one) for one in (here, f"{here}/", [here], ["https://other.example", here])] == [200] * 4
    wrong = (
        PUBLIC,
        f"{PUBLIC}/cds-services",
        here.replace("sign", "select"),
        hospital.url + ADDRESS,
        ["https://x.test"],
    )
    assert [status(one) for one in wrong] == [401] * 5
    assert status("https://evil.test" + ADDRESS, Host="evil.test") == 401
    entry = {"card": "c", "outcome": "overridden", "outcomeTimestamp": "2026-03-10T12:00:00Z"}
    for audience in (here, f"{here}/", f"{here}/feedback", f"{here}/feedback/"):
        assert status(audience, f"{ADDRESS}/feedback", {"feedback": [entry]}) == 200
    assert status(PUBLIC, f"{ADDRESS}/feedback", {"feedback": [entry]}) == 401


@pytest.mark.spec("S-16", "E-7")
def test_browsers_of_listed_origins_may_call_and_read_errors(hospital: Service) -> None:
    for path in ("/cds-services", ADDRESS, f"{ADDRESS}/feedback"):
        headers = {
            "Origin": "https://ehr.example",
            "Access-Control-Request-Method": "GET" if path == "/cds-services" else "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        preflight = hospital.http.options(hospital.url + path, headers=headers, timeout=10)
        assert preflight.ok
        assert preflight.headers["Access-Control-Allow-Origin"] == "https://ehr.example"
        assert "Origin" in preflight.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in preflight.headers
    refused = raw(hospital, b"{}", Origin="https://ehr.example")
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, "https://ehr.example")
    assert "Access-Control-Allow-Origin" not in raw(hospital, b"{}", Origin="https://evil.test").headers


@pytest.mark.spec("E-5")
def test_an_error_of_ours_has_an_id_that_leads_to_the_log_and_nothing_else(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr("app.routes.delivery.decide", fail)
    answer = service.post(call("order-sign"))
    assert refusal(answer)[:2] == (500, "exception")
    assert "canary" not in answer.text
    assert answer.json()["id"] == service.log[-1].correlation_id


# The request


@pytest.mark.spec("R-1", "R-2", "R-5")
@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("path", ["hook", "hookInstance", "context", "context.userId", "context.patientId"])
def test_what_every_request_must_have_is_named_when_it_is_missing(service: Service, hook: str, path: str) -> None:
    answer = service.post(without(call(hook), path), f"cat-{hook}")
    assert refusal(answer) == (400, "required", [path])


@pytest.mark.spec("R-5")
@pytest.mark.parametrize(
    ("hook", "name"), [("order-select", "selections"), ("order-select", "draftOrders"), ("order-sign", "draftOrders")]
)
def test_what_a_hook_must_have_in_its_context_is_named_when_it_is_missing(
    service: Service, hook: str, name: str
) -> None:
    assert refusal(service.post(without(call(hook), f"context.{name}"))) == (400, "required", [f"context.{name}"])


@pytest.mark.spec("R-1", "A-10")
def test_a_hook_of_another_service_is_400_and_an_unknown_service_404(service: Service) -> None:
    assert refusal(service.post(call("patient-view"), "cat-order-sign"))[0] == 400
    assert refusal(service.post(call("patient-view"), "cat-none"))[0] == 404


@pytest.mark.spec("R-2")
@pytest.mark.parametrize(
    "instance",
    ["6F2B8D0E-3C1A-4E55-9D6B-2A7F0C9E41B7", "urn:uuid:6f2b8d0e-3c1a-4e55-9d6b-2a7f0c9e41b7", "request 17"],
)
def test_a_hook_instance_is_taken_in_any_spelling(service: Service, instance: str) -> None:
    assert service.post(call("order-sign", hookInstance=instance)).status_code == 200


@pytest.mark.spec("R-3", "R-4")
def test_an_authorization_needs_a_server_and_null_is_none(service: Service) -> None:
    access = {"access_token": "t", "token_type": "Bearer", "scope": "patient/*.rs", "subject": "us", "expires_in": 60}
    assert refusal(service.post(call("order-sign", fhirAuthorization=access))) == (400, "required", ["fhirServer"])
    assert service.post(call("order-sign", fhirAuthorization=None)).json() == service.post(call("order-sign")).json()


@pytest.mark.spec("R-6", "PF-2", "PF-5", "E-1")
def test_prefetch_is_an_object_of_any_part_of_the_keys(service: Service) -> None:
    assert refusal(service.post(call("order-sign", prefetch=[])))[::2] == (400, ["prefetch"])
    for nothing in (..., None, {}):
        status, _, named = refusal(service.post(call("order-sign", prefetch=nothing)))
        assert (status, named) == (412, ["prefetch.patient", "prefetch.conditions"])


@pytest.mark.spec("R-7")
def test_the_same_instance_with_another_context_is_answered_afresh(service: Service) -> None:
    assert service.post(call("order-sign")).json()["cards"]
    assert service.post(call("order-sign", CT)).json() == {"cards": []}
    assert service.post(call("order-sign")).json()["cards"]


@pytest.mark.spec("R-8")
@pytest.mark.parametrize("kind", ["MedicationOrder", "ProcedureRequest"])
def test_orders_of_another_fhir_version_are_not_misread(service: Service, kind: str) -> None:
    assert refusal(service.post(call("order-sign", APIXABAN | {"resourceType": kind})))[0] == 400


@pytest.mark.spec("J-8", "R-9", "PF-9")
def test_unknown_members_and_keys_change_nothing(service: Service) -> None:
    with serving() as ehr:
        access = {"access_token": "t", "token_type": "Bearer", "scope": "patient/*.rs", "subject": "us"}
        plain = call("order-sign", fhirServer=ehr.base, fhirAuthorization=access)
        odd: Json = json.loads(json.dumps(plain))
        for holder in (odd, odd["context"], odd["fhirAuthorization"]):
            holder |= {"zzz": 1, "extension": {"com.example.x": {"y": [1]}}}
        odd["prefetch"] |= {"unheard-of": searchset(CLOT), "zzz": 7}
        assert service.post(odd).json() == service.post(plain).json()


@pytest.mark.spec("PF-10")
@pytest.mark.parametrize("status", ["entered-in-error", "refuted"])
def test_what_is_wrong_or_refuted_does_not_count(service: Service, status: str) -> None:
    wrong = condition("c1", "C18.9", onsetDateTime="2026-01-05", verificationStatus={"coding": [{"code": status}]})
    assert service.rules(call("order-sign", prefetch={**record(), "conditions": searchset(wrong, CLOT)})) == []


@pytest.mark.spec("F-8")
def test_a_card_that_nobody_answered_counts_as_shown_and_not_as_overridden(tmp_path: Path) -> None:
    with running(Settings(demo=True, state_dir=tmp_path)) as fresh:
        assert fresh.post(call("order-sign")).json()["cards"]
        assert fresh.ledger.notes.flush()
        told = totals(lines(fresh.ledger.database))
        assert sum(line.shown for line in told) > 0
        assert sum(line.accepted + line.overridden for line in told) == 0
