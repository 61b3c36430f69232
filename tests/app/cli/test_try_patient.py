"""cat-cds try against a service on a real socket: what it asks, and what it shows."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli.try_patient import try_patient
from tests.app.card_samples import answer

Json = dict[str, Any]

PATIENTS = [
    {"resourceType": "Patient", "id": "mara", "name": [{"given": ["Mara"], "family": "Holm"}], "gender": "female"},
    {"resourceType": "Patient", "id": "marek", "name": [{"text": "Marek Kos"}], "birthDate": "1960"},
]
SERVICES = [
    {
        "hook": "patient-view",
        "id": "view",
        "description": "d",
        "prefetch": {"patient": "Patient/{{context.patientId}}"},
    },
    {"hook": "order-select", "id": "select", "description": "d"},
    {"hook": "order-sign", "id": "sign", "description": "d"},
]


class Service(ThreadingHTTPServer):
    """A service that plays back ``answers`` (status, body) by path, and remembers the calls it got."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.calls: list[Json] = []
        self.answers: dict[str, tuple[int, object]] = {
            "/cds-services": (200, {"services": SERVICES}),
            "/fhir/Patient?_count=200": (200, self.page(PATIENTS[:1], following="/fhir/Patient?page=2")),
            "/fhir/Patient?page=2": (200, self.page(PATIENTS[1:])),
            "/fhir/Patient/mara": (200, PATIENTS[0]),
            "/cds-services/view": (200, {"cards": []}),
            "/cds-services/select": (200, answer()),
            "/cds-services/sign": (200, answer(replace_form="update")),
        }

    def page(self, patients: list[Json], following: str | None = None) -> Json:
        links = [{"relation": "next", "url": f"{self.url}{following}"}] if following else []
        return {"resourceType": "Bundle", "entry": [{"resource": patient} for patient in patients], "link": links}


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        self.reply()

    def do_POST(self) -> None:
        self.server.calls.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.reply()

    def reply(self) -> None:
        status, body = self.server.answers.get(self.path, (404, {}))
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def run(service: Service) -> Callable[..., Result]:
    return lambda *arguments: CliRunner().invoke(
        try_patient, [*arguments, "--url", service.url], env={"COLUMNS": "160"}
    )


def test_without_an_order_it_asks_on_opening_the_chart(service: Service, run: Callable[..., Result]) -> None:
    result = run("mara")
    assert result.exit_code == 0, result.output
    (call,) = service.calls
    assert call["hook"] == "patient-view"
    assert call["context"] == {"userId": "Practitioner/example", "patientId": "mara"}
    assert call["fhirServer"] == f"{service.url}/fhir"
    assert "prefetch" not in call
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", call["hookInstance"])
    assert "No cards: checked, nothing to say (view, mara)" in result.output
    assert re.search(r"in \d+ ms", result.output)


def test_a_patient_named_by_id_is_found_on_a_server_that_is_too_large_to_be_listed(
    service: Service, run: Callable[..., Result]
) -> None:
    del service.answers["/fhir/Patient?_count=200"]
    assert run("mara").exit_code == 0
    assert run("holm").exit_code == 1


def test_an_order_is_a_selected_draft(service: Service, run: Callable[..., Result]) -> None:
    result = run("mara", "--order", "apixaban", "--order", "dalteparin:12500")
    assert result.exit_code == 0, result.output
    (call,) = service.calls
    assert call["hook"] == "order-select"
    drafts = [entry["resource"] for entry in call["context"]["draftOrders"]["entry"]]
    assert [draft["medicationCodeableConcept"]["coding"][0]["code"] for draft in drafts] == ["1364445", "978740"]
    assert call["context"]["selections"] == [f"MedicationRequest/{draft['id']}" for draft in drafts]


def test_the_card_is_shown_with_all_that_it_carries(run: Callable[..., Result]) -> None:
    shown = run("mara", "--order", "apixaban").output
    for words in (
        "WARNING",
        "Cancer-associated DVT: LMWH is preferred to apixaban",
        "• 1 < 2",
        "▶ Replace apixaban by dalteparin",
        "create: Order dalteparin 15 000 IU subcutaneously once daily, from 2026-03-02 to 2026-03-31",
        "15000 [iU] each time",
        "12500 [iU] each time",
        "70 kg on 2026-03-01 x 200 IU/kg",
        "delete: Delete the draft order: apixaban 5 mg",
        "The patient prefers tablets [patient-choice]",
        "Source: Guidance 2014",
        "https://cds.example.org/cat/rules/doac-in-cancer",
        "1 card (select, mara, apixaban 5 mg, 2 x a day) in ",
    ):
        assert words in shown


def test_signing_sends_no_selections(service: Service, run: Callable[..., Result]) -> None:
    result = run("mara", "--order", "apixaban", "--hook", "order-sign")
    assert result.exit_code == 0, result.output
    assert "selections" not in service.calls[0]["context"]
    assert "update: Change the draft order to dalteparin" in result.output


def test_prefetch_is_filled_from_the_templates_and_names_no_server(
    service: Service, run: Callable[..., Result]
) -> None:
    assert run("mara", "--prefetch").exit_code == 0
    assert service.calls[0]["prefetch"] == {"patient": PATIENTS[0]}
    assert "fhirServer" not in service.calls[0]


def test_json_is_the_answer_as_it_came(run: Callable[..., Result]) -> None:
    assert json.loads(run("mara", "--order", "apixaban", "--json").output) == answer()


def test_a_part_of_the_name_is_enough_when_only_one_has_it(service: Service, run: Callable[..., Result]) -> None:
    assert run("kos").exit_code == 0
    assert service.calls[0]["context"]["patientId"] == "marek"


def test_the_list_of_patients(run: Callable[..., Result]) -> None:
    shown = run("--list").output
    assert re.search(r"mara .* Mara Holm .* female", shown)
    assert re.search(r"marek .* Marek Kos .* 1960", shown)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nobody"], "Error: There is no patient nobody. There are: mara, marek"),
        (["mar"], "Error: mar could be several patients: mara, marek"),
        (["mara", "--order", "aspirin"], "Error: aspirin is no order that I can write."),
        (["mara", "--hook", "order-sign"], "Error: order-sign is about orders: add --order"),
        (["mara", "--hook", "encounter-start", "--order", "apixaban"], "Error: No service for encounter-start at"),
        ([], "Error: Name a patient, or see them with: cat-cds try --list"),
    ],
)
def test_mistakes_get_one_clear_line(arguments: list[str], line: str, run: Callable[..., Result]) -> None:
    result = run(*arguments)
    assert result.exit_code != 0
    assert line in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (
            412,
            {"issue": [{"code": "required", "details": {"text": "No data."}, "diagnostics": "key patient"}]},
            "412: No data. key patient",
        ),
        (500, b"<html>", "500: no JSON that I understand."),
        (200, b"[]", "200: no JSON that I understand."),
        (404, {"issue": [{"code": "not-found"}]}, "404: not-found"),
    ],
)
def test_a_failed_call_is_told_in_one_line(
    status: int, body: object, words: str, service: Service, run: Callable[..., Result]
) -> None:
    service.answers["/cds-services/view"] = (status, body)
    result = run("mara")
    assert result.exit_code == 1
    assert f"Error: {service.url}/cds-services/view answered {words}" in result.output


def test_a_service_that_is_not_running_is_told_with_the_remedy(service: Service) -> None:
    with Service() as other:
        gone = other.url
    result = CliRunner().invoke(try_patient, ["mara", "--url", gone])
    assert result.exit_code == 1
    assert (
        result.output
        == f"Error: Nothing answers at {gone}/cds-services. Start the service with make run (or cat-cds serve --demo); "
        "if it listens elsewhere, say where: --url http://127.0.0.1:9000\n"
    )


@pytest.mark.parametrize("more", [(), ("--prefetch",), ("--list",)])
def test_a_fhir_server_that_does_not_answer_is_not_taken_for_the_service(
    service: Service, run: Callable[..., Result], more: tuple[str, ...]
) -> None:
    with Service() as other:
        gone = other.url
    result = run("mara", "--fhir", f"{gone}/fhir", *more)
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: Nothing answers at {gone}/fhir/")
    assert "That is the FHIR server of --fhir" in result.output
    assert "make run" not in result.output
