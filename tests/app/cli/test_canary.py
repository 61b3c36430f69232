"""Canaries in every place of a request, and every output of the real service searched for them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from app import settings
from tests.app.hospital import PUBLIC, bearer, listed
from tests.app.service import APIXABAN, call, record
from tests.app.tls import certify
from tests.fake_ehr import FakeEhr, Reply, bundle, failing, saying, serving

BIRD = "kanarienvogel"
STAFF = "s" * 32
SIGN = "/cds-services/cat-order-sign"

SERVE_AND_BREAK = f"""
from app import wire
from app.cli import main
answer = wire.response
def breaks(*given, **named):
    if named["patient_id"].endswith("500"):
        raise RuntimeError("{BIRD}", given, named)
    return answer(*given, **named)
wire.response = breaks
main()
"""


@dataclass
class Told:
    """What came back from the service, by what was sent."""

    answers: dict[str, bytes] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def ehr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeEhr, Path]]:
    ca_file, context = certify(tmp_path_factory.mktemp("tls"), "127.0.0.1")
    with serving(context) as server:
        yield server, ca_file


@pytest.fixture(scope="module")
def outputs(
    ehr: tuple[FakeEhr, Path], tmp_path_factory: pytest.TempPathFactory, project_root: Path
) -> Iterator[tuple[Told, dict[str, bytes]]]:
    """All that was sent back, and all that was written anywhere."""
    server, ca_file = ehr
    folder = tmp_path_factory.mktemp("canary")
    entry = f'fhir_servers = ["{server.base}"]\ninternal_network = true\n'
    listed(folder, entry=entry)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(settings.PREFIX)} | {
        "CAT_CDS_CLIENTS_FILE": str(folder / "clients.toml"),
        "CAT_CDS_CARD_KEY": "k" * 32,
        "CAT_CDS_PUBLIC_URL": PUBLIC,
        "CAT_CDS_CA_FILE": str(ca_file),
        "CAT_CDS_STAFF_TOKEN": STAFF,
        "CAT_CDS_STATE_DIR": str(folder),
        "CAT_CDS_STORE_COMMENTS": "false",
        "CAT_CDS_LOG_LEVEL": "debug",
        "TMPDIR": str(folder),
    }
    command = [sys.executable, "-c", SERVE_AND_BREAK, "serve", "--port", str(port), "--workers", "2"]
    with subprocess.Popen(
        command, cwd=project_root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(url, process)
            told = Told()
            _plant(url, port, server, told)
            written = {"metrics": _metrics(url)}
        finally:
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=30)
    written |= {"stdout": out, "stderr": err}
    written |= {f"file {path.name}": path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    yield told, written


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            requests.get(f"{url}/health/live", timeout=5)
        except requests.ConnectionError:
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        else:
            return


def _metrics(url: str) -> bytes:
    return requests.get(f"{url}/metrics", headers={"Authorization": f"Bearer {STAFF}"}, timeout=10).content


def _person(identity: str) -> dict[str, Any]:
    name = {"family": f"{BIRD}-family", "given": [f"{BIRD}-given"], "text": f"{BIRD}-name"}
    return {
        "resourceType": "Patient",
        "id": identity,
        "gender": "female",
        "birthDate": "1958-03-11",
        "name": [name],
        "identifier": [{"system": "urn:mrn", "value": f"{BIRD}-mrn"}],
        "text": {"status": "generated", "div": f"<div>{BIRD}-narrative</div>"},
    }


def _body(identity: str = f"{BIRD}-patient", **changes: Any) -> dict[str, Any]:
    """An order signed, with a bird in every text that a record may hold."""

    def owned(value: Any) -> Any:
        if isinstance(value, dict):
            kept = {name: owned(one) for name, one in value.items()}
            return kept | ({"subject": {"reference": f"Patient/{identity}"}} if "subject" in value else {})
        return [owned(one) for one in value] if isinstance(value, list) else value

    prefetch: dict[str, Any] = owned(record())
    prefetch["patient"] = _person(identity)
    for bundled in ("conditions", "weight", "creatinine"):
        for one in prefetch[bundled]["entry"]:
            one["resource"]["note"] = [{"text": f"{BIRD}-note"}]
    prefetch[f"{BIRD}-key"] = {"resourceType": "Patient", "id": f"{BIRD}-other"}
    stranger = owned(record())["weight"]["entry"][0]["resource"] | {"subject": {"reference": f"Patient/{BIRD}-other"}}
    prefetch["weight"]["entry"].append({"resource": stranger})
    draft = owned(APIXABAN) | {
        "id": f"{BIRD}-order",
        "note": [{"text": f"{BIRD}-note"}],
        "requester": {"reference": f"Practitioner/{BIRD}", "display": f"{BIRD}-doctor"},
    }
    body = call("order-sign", draft, prefetch=prefetch)
    body["context"] |= {
        "patientId": identity,
        "userId": f"Practitioner/{BIRD}-user",
        "encounterId": f"{BIRD}-encounter",
        f"{BIRD}-field": BIRD,
    }
    return body | changes


def _access() -> dict[str, Any]:
    return {
        "access_token": f"{BIRD}-access-token",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": f"patient/*.rs {BIRD}/scope",
        "subject": f"{BIRD}-subject",
        "patient": f"{BIRD}-patient",
    }


def _plant(url: str, port: int, ehr: FakeEhr, told: Told) -> None:
    def post(what: str, body: Any, path: str = SIGN, *, signed: bool = True, **headers: str) -> None:
        sent = {"Content-Type": "application/json", "X-Request-Id": f"{BIRD}-request", "Cookie": BIRD, **headers}
        if signed:
            sent |= bearer(path.partition("?")[0])
            told.tokens.append(sent["Authorization"].split()[1])
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = requests.post(url + path, data=content, headers=sent, timeout=20)
        told.answers[what], told.statuses[what] = answer.content + str(answer.headers).encode(), answer.status_code

    ehr.on("Patient", saying(_person(f"{BIRD}-patient")))
    fetched = {"prefetch": {}, "fhirServer": ehr.base, "fhirAuthorization": _access()}
    post("a call", _body())
    post("a call with a query", _body(), f"{SIGN}?patient={BIRD}")
    post("a call that fetches", _body(**fetched))
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "diagnostics": f"{BIRD}-issue"}]}
    ehr.on("Condition", saying(outcome, 500))
    post("a fetch that fails", _body(**fetched))
    ehr.on("Condition", saying(bundle(following=f"https://{BIRD}.test/next")))
    post("a page elsewhere", _body(**fetched))
    odd = {f"{BIRD}-header": f"{BIRD}\r\n {BIRD}\r\n{BIRD} without a colon"}
    ehr.on("Condition", lambda _: Reply(b"{}", headers=odd))
    post("headers that are none", _body(**fetched))
    ehr.on("Patient", failing(401))
    post("a fetch that is refused", _body(**fetched))
    post("a server that is not listed", _body(**{**fetched, "fhirServer": f"https://{BIRD}.test/fhir"}))
    post("a token that is no text", _body(**{**fetched, "fhirAuthorization": {"access_token": [BIRD]}}))
    post("a call that breaks", _body(identity=f"{BIRD}-500"))
    post("broken JSON", json.dumps(_body()).encode()[:-20])
    post("no JSON", f"<patient>{BIRD}</patient>".encode())
    post("a list", [BIRD])
    post("another hook", _body(hook=BIRD))
    post("an instance that is no UUID", _body(hookInstance=f"{BIRD}-instance"))
    post("an instance of another kind", _body(hookInstance=[BIRD]))
    post("an id that is none", _body() | {"context": {"patientId": f"{BIRD} jane", "userId": BIRD}})
    post("prefetch of another kind", _body(prefetch=BIRD))
    post("an odd server", _body(fhirServer=f"javascript:{BIRD}"))
    post("drafts of another kind", _body() | {"context": {**_body()["context"], "draftOrders": BIRD}})
    post("a stranger's resource", _body(prefetch={**record(), "patient": _person(f"{BIRD}-other")}))
    post("another content type", _body(), Content_Type=f"text/{BIRD}", **{"Content-Type": f"text/{BIRD}"})
    post("another encoding", _body(), **{"Content-Encoding": BIRD})
    post("another service", _body(), f"/cds-services/{BIRD}")
    post("nowhere", _body(), f"/{BIRD}/{BIRD}?name={BIRD}")
    for what, authorization in (
        ("no scheme", BIRD),
        ("another scheme", f"Basic {BIRD}"),
        ("no token of ours", f"Bearer {BIRD}"),
        ("three parts", f"Bearer {BIRD}.{BIRD}.{BIRD}"),
        ("a long token", f"Bearer {BIRD * 1500}"),
        ("tenant", bearer(SIGN, tenant=f"{BIRD} jane")["Authorization"] + "x"),
    ):
        post(what, _body(), signed=False, Authorization=authorization)
    feedback = {
        "card": f"{BIRD}-card",
        "outcome": "overridden",
        "outcomeTimestamp": "2026-03-10T10:00:00Z",
        "overrideReason": {
            "reason": {"code": f"{BIRD} jane", "system": f"urn:{BIRD}"},
            "userComment": f"{BIRD}-comment",
        },
    }
    post("feedback", {"feedback": [feedback]}, f"{SIGN}/feedback")
    post("odd feedback", {"feedback": [feedback | {"outcome": BIRD}]}, f"{SIGN}/feedback")
    for what, raw in (
        ("a header with a space", f"GET /health/live HTTP/1.1\r\nHost: x\r\nX {BIRD}: {BIRD}\r\n\r\n"),
        ("a header without a colon", f"GET /health/live HTTP/1.1\r\nHost: x\r\n{BIRD}\r\n\r\n"),
        ("a request line that is none", f"{BIRD} {BIRD} {BIRD}\r\n\r\n"),
        ("a method that is none", f"{BIRD.upper()} /health/live HTTP/1.1\r\nHost: {BIRD}\r\n\r\n"),
        ("a version that is none", f"GET /{BIRD} HTTP/{BIRD}\r\nHost: x\r\n\r\n"),
        ("a length that is none", f"POST {SIGN} HTTP/1.1\r\nHost: x\r\nContent-Length: {BIRD}\r\n\r\n"),
        ("pieces that are none", f"POST {SIGN} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{BIRD}\r\n"),
        ("an encoding that is none", f"POST {SIGN} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {BIRD}\r\n\r\n"),
        ("a long request line", f"GET /{BIRD * 700} HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("a long header", f"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Long: {BIRD * 4000}\r\n\r\n"),
    ):
        told.answers[what] = _raw(port, raw.encode())
        told.statuses[what] = int([*told.answers[what].split(b" "), b"0", b"0"][1])


def _raw(port: int, content: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while piece := connection.recv(65_536):
                answer += piece
        except ConnectionResetError:
            pass
        return answer


def birds(content: bytes) -> list[str]:
    text = content.decode("utf-8", "replace")
    return [found[0] for found in re.finditer(rf".{{0,60}}{BIRD}.{{0,30}}", text, re.IGNORECASE)]


def test_the_requests_reached_what_they_were_meant_for(outputs: tuple[Told, dict[str, bytes]]) -> None:
    told, written = outputs
    assert told.statuses["a call"] == 200
    assert b'"cards":[{' in told.answers["a call"]
    assert told.statuses["a call that breaks"] == 500
    assert told.statuses["feedback"] == 200
    assert {told.statuses[what] for what in ("three parts", "tenant", "a long token")} == {401}
    assert {told.statuses[what] for what in ("broken JSON", "another hook", "an id that is none")} == {400}
    assert written["stderr"].count(b'"event":"call"') > 25
    assert b"RuntimeError at " in written["stderr"]


def test_no_bird_is_in_any_log_metric_or_file(outputs: tuple[Told, dict[str, bytes]]) -> None:
    told, written = outputs
    assert len([name for name in written if name.startswith("file ")]) > 2
    assert {name: found for name, content in written.items() if (found := birds(content))} == {}
    for token in told.tokens:
        for piece in token.split("."):
            assert [name for name, content in written.items() if piece.encode() in content] == []


def test_no_bird_is_in_any_answer_that_refuses(outputs: tuple[Told, dict[str, bytes]]) -> None:
    told, _ = outputs
    refused = {what: told.answers[what] for what, status in told.statuses.items() if status >= 400}
    assert len(refused) > 25
    assert {what: found for what, content in refused.items() if (found := birds(content))} == {}


def test_cards_hold_ids_of_the_record_and_neither_names_nor_tokens(outputs: tuple[Told, dict[str, bytes]]) -> None:
    told, _ = outputs
    for what, status in told.statuses.items():
        if status == 200:
            found = set(re.findall(rf"{BIRD}-[a-z]+", told.answers[what].decode("utf-8", "replace")))
            assert found <= {f"{BIRD}-{one}" for one in ("patient", "order", "encounter", "user")}, what


def test_counters_are_those_of_all_workers(outputs: tuple[Told, dict[str, bytes]]) -> None:
    _, written = outputs
    text = written["metrics"].decode()
    counted = sum(float(value) for value in re.findall(r"^cat_cds_calls_total\{.*\} (\S+)$", text, re.MULTILINE))
    assert counted == written["stderr"].count(b'"event":"call"')
    assert 'cat_cds_auth_failures_total{cause="malformed"}' in text


def test_every_refusal_is_json_or_nothing(outputs: tuple[Told, dict[str, bytes]]) -> None:
    told, _ = outputs
    assert [what for what, content in told.answers.items() if b"<html" in content.lower()] == []
