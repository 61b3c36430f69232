"""The demo FHIR server as a client sees it: reads, searches, pages, errors."""

import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from threading import Thread
from typing import Any

import flask
import pytest
import requests
from fhir.resources.R4B import get_fhir_model_class
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from app.demo import anchor, blueprint

EHR = Path(__file__).resolve().parents[3] / "fixtures" / "ehr"
ANCHOR = date(2026, 1, 15)
LOINC = "http://loinc.org"
Resource = dict[str, Any]


def server(today: date = ANCHOR) -> flask.Flask:
    app = flask.Flask("demo")
    app.register_blueprint(blueprint(EHR, lambda: today))
    return app


@pytest.fixture
def client() -> FlaskClient:
    return server().test_client()


def found(client: FlaskClient, query: str, **options: Any) -> list[Resource]:
    answer = client.get(f"/fhir/{query}", **options)
    assert answer.status_code == 200, answer.text
    bundle = answer.get_json()
    get_fhir_model_class("Bundle").model_validate(bundle)
    assert bundle["type"] == "searchset"
    return [entry["resource"] for entry in bundle.get("entry", ()) if entry["search"]["mode"] == "match"]


def ids(client: FlaskClient, query: str, **options: Any) -> list[str]:
    return [resource["id"] for resource in found(client, query, **options)]


def refused(client: FlaskClient, query: str, status: int, method: str = "GET", **options: Any) -> Resource:
    answer = client.open(f"/fhir/{query}", method=method, **options)
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/fhir+json"
    outcome: Resource = answer.get_json()
    get_fhir_model_class("OperationOutcome").model_validate(outcome)
    return outcome


# Reading -----------------------------------------------------------------------------------------------------------


def test_a_read_gives_the_resource_as_fhir_json(client: FlaskClient) -> None:
    answer = client.get("/fhir/Patient/brief")
    assert answer.status_code == 200
    assert answer.mimetype == "application/fhir+json"
    assert answer.get_json()["name"][0]["family"] == "Marchetti"


def test_a_part_of_a_chart_is_read_by_its_own_id(client: FlaskClient) -> None:
    assert client.get("/fhir/Condition/brief-dvt").get_json()["subject"] == {"reference": "Patient/brief"}


@pytest.mark.parametrize(
    "path",
    [
        "Patient/nobody",
        "Patient/brief-dvt",
        "Condition/brief",
        "Patient/..%2Fanchor",
        "Nothing/brief",
        "Patient/brief/x",
        "",
    ],
)
def test_what_is_not_there_is_404(client: FlaskClient, path: str) -> None:
    assert refused(client, path, 404)["issue"][0]["code"] == "not-found"


def test_errors_do_not_repeat_what_the_client_sent(client: FlaskClient) -> None:
    assert "secret" not in str(refused(client, "Patient/secret", 404))
    assert "secret" not in str(refused(client, "Condition?onset-date=secret", 400))


def test_the_capability_statement_is_valid_and_names_the_searches(client: FlaskClient) -> None:
    statement = client.get("/fhir/metadata").get_json()
    get_fhir_model_class("CapabilityStatement").model_validate(statement)
    assert statement["fhirVersion"] == "4.0.1"
    observation = next(row for row in statement["rest"][0]["resource"] if row["type"] == "Observation")
    assert {"patient", "code", "date", "category"} <= {row["name"] for row in observation["searchParam"]}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "Patient"),
        ("PUT", "Patient/brief"),
        ("PATCH", "Patient/brief"),
        ("DELETE", "Patient/brief"),
        ("POST", ""),
        ("PUT", "metadata"),
    ],
)
def test_nothing_can_be_changed(client: FlaskClient, method: str, path: str) -> None:
    answer = client.open(f"/fhir/{path}", method=method, json={"resourceType": "Patient"})
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert refused(client, path, 405, method)["issue"][0]["code"] == "not-supported"


# Searching ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "who", ["patient=brief", "patient=Patient/brief", "subject=Patient/brief", "subject:Patient=brief"]
)
def test_the_patient_can_be_named_in_every_usual_way(client: FlaskClient, who: str) -> None:
    conditions = found(client, f"Condition?{who}")
    assert "brief-dvt" in [condition["id"] for condition in conditions]
    assert {condition["subject"]["reference"] for condition in conditions} == {"Patient/brief"}


def test_an_absolute_reference_names_the_patient_too(client: FlaskClient) -> None:
    assert ids(client, "Condition?patient=http://localhost/fhir/Patient/brief") == ids(
        client, "Condition?patient=brief"
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Condition?patient=brief&code=I82.412", ["brief-dvt"]),
        ("Condition?patient=brief&code=http://hl7.org/fhir/sid/icd-10-cm|I82.412", ["brief-dvt"]),
        ("Condition?patient=brief&code=http://snomed.info/sct|443719001,I82.412", ["brief-sarcoma", "brief-dvt"]),
        ("Condition?patient=brief&code=http://snomed.info/sct|I82.412", []),
        ("Condition?patient=brief&code=|I82.412", []),
        ("Condition?patient=brief&code=443719001&code=C49.21", ["brief-sarcoma"]),
        ("Condition?patient=brief&code=443719001&code=I82.412", []),
        ("Condition?patient=brief&code:text=Leiomyo", ["brief-sarcoma"]),
        ("Condition?patient=brief&clinical-status=recurrence", ["brief-sarcoma"]),
        ("Condition?patient=brief&clinical-status:not=active,resolved", ["brief-sarcoma"]),
        ("Condition?patient=brief&_id=brief-dvt", ["brief-dvt"]),
        ("Condition?_id=brief-dvt,colon-rivaroxaban-pe", ["brief-dvt", "colon-rivaroxaban-pe"]),
        ("Condition?patient=brief,brief-treated&code=I82.412", ["brief-dvt", "brief-treated-dvt"]),
        ("Condition?patient=endometrium-edoxaban&clinical-status:missing=true", ["endometrium-edoxaban-uterus"]),
        ("Condition?patient=nobody", []),
        ("MedicationRequest?patient=breast-stopped&status=stopped", ["breast-stopped-dalteparin"]),
        ("MedicationRequest?patient=brief-treated&intent=order&code=978744", ["brief-treated-dalteparin"]),
        (
            "MedicationRequest?patient=sarcoma-day-170&medication=Medication/sarcoma-day-170-syringe",
            ["sarcoma-day-170-dalteparin"],
        ),
        ("Patient?_id=brief", ["brief"]),
        ("Patient?name=march", ["brief", "brief-treated"]),
        ("Patient?name:exact=Elena", ["brief"]),
        ("Patient?name:contains=CHETT&given=lu", ["brief-treated"]),
        ("Patient?identifier=MRN-brief", ["brief"]),
        ("Patient?birthdate=1948", ["prostate-creatinine-final", "prostate-no-creatinine"]),
        ("Observation?patient=hodgkin-pregnant&value-concept=77386006", ["hodgkin-pregnant-pregnancy-status"]),
        ("DeviceRequest?patient=brief", []),
    ],
)
def test_what_a_search_finds(client: FlaskClient, query: str, expected: list[str]) -> None:
    assert ids(client, query) == expected


def test_the_category_of_a_search_may_have_a_system(client: FlaskClient) -> None:
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    laboratory = ids(client, "Observation?patient=brief&category=laboratory")
    assert laboratory == ids(client, f"Observation?patient=brief&category={system}|laboratory")
    assert len(laboratory) > len(ids(client, "Observation?patient=brief&category=vital-signs")) > 0


def test_a_component_is_found_by_the_combined_code_only(client: FlaskClient) -> None:
    assert ids(client, "Observation?patient=brief&code=8480-6") == []
    assert len(ids(client, "Observation?patient=brief&combo-code=8480-6")) == 12


@pytest.mark.parametrize(
    ("asked", "is_found"),
    [
        ("2026-01-15", True),
        ("eq2026-01", True),
        ("2026", True),
        ("2026-01-14", False),
        ("ne2026-01-15", False),
        ("ge2026-01-15", True),
        ("gt2026-01-15", False),
        ("gt2026-01-14", True),
        ("le2026-01-15", True),
        ("lt2026-01-15", False),
        ("lt2026-01-16", True),
        ("sa2026-01-14", True),
        ("eb2026-01-15", False),
        ("ge2026-01-15T00:00:00Z", True),
        ("ap2026-01-15", True),
    ],
)
def test_an_onset_today_and_the_date_prefixes(client: FlaskClient, asked: str, is_found: bool) -> None:
    assert ("brief-dvt" in ids(client, f"Condition?patient=brief&onset-date={asked}")) is is_found


def test_a_search_date_without_zone_means_the_date_as_written_and_with_zone_the_instant(client: FlaskClient) -> None:
    # authoredOn is 2026-01-15T14:05:00-05:00
    first = {"patient": "brief-treated", "authoredon": "2026-01-15", "code": "978744"}
    assert ids(client, "MedicationRequest", query_string=first) == ["brief-treated-dalteparin"]
    for prefix, is_found in (("ge", True), ("gt", False), ("le", True), ("lt", False)):
        asked = {"patient": "brief-treated", "code": "978744", "authoredon": f"{prefix}2026-01-15T19:05:00Z"}
        assert bool(ids(client, "MedicationRequest", query_string=asked)) is is_found, prefix


def test_a_period_of_dates_is_two_parameters(client: FlaskClient) -> None:
    query = {"patient": "brief", "date": ["ge2025-10-01", "lt2025-12-01"]}
    days = [report["effectiveDateTime"][:10] for report in found(client, "DiagnosticReport", query_string=query)]
    assert days
    assert all("2025-10-01" <= day < "2025-12-01" for day in days)


def test_sorting_by_date_both_ways_and_by_several_names(client: FlaskClient) -> None:
    query = f"Observation?patient=lung-renal&code={LOINC}|14682-9&_sort="
    down = [observation["effectiveDateTime"] for observation in found(client, query + "-date")]
    assert down == sorted(down, reverse=True)
    assert down[0] == "2026-01-14T07:55:00+01:00"
    assert ids(client, query + "date") == ids(client, query + "-date")[::-1]
    both = [(c["code"]["text"], c["id"]) for c in found(client, "Condition?patient=brief&_sort=code,-_id")]
    assert len(both) == len(found(client, "Condition?patient=brief"))
    by_status = found(client, "MedicationRequest?patient=brief&_sort=status,-date")
    assert [order["status"] for order in by_status] == sorted(order["status"] for order in by_status)
    active = [order["authoredOn"] for order in by_status if order["status"] == "active"]
    assert active == sorted(active, reverse=True)


def test_what_has_no_date_goes_last_either_way(client: FlaskClient) -> None:
    for name in ("onset-date", "-onset-date"):
        assert ids(client, f"Condition?patient=family-history&_sort={name}")[-1] == "family-history-family-history"


def test_pages_follow_each_other_on_the_same_origin_until_all_is_seen(client: FlaskClient) -> None:
    whole = ids(client, "Observation?patient=brief&_sort=-date")
    seen: list[str] = []
    url: str | None = "http://ehr.localhost:8123/fhir/Observation?patient=brief&_sort=-date&_count=50"
    pages = 0
    while url:
        assert url.startswith("http://ehr.localhost:8123/fhir/Observation?")
        bundle = client.get(url).get_json()
        assert bundle["total"] == len(whole)
        assert len(bundle["entry"]) <= 50
        seen += [entry["resource"]["id"] for entry in bundle["entry"]]
        url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)
        pages += 1
    assert seen == whole
    assert pages == -(-len(whole) // 50)


def test_a_search_by_post_is_the_same_and_pages_by_get(client: FlaskClient) -> None:
    form = {"patient": "brief", "code": f"{LOINC}|777-3,{LOINC}|2160-0", "_count": "3", "_sort": "-date"}
    posted = client.post("/fhir/Observation/_search", data=form).get_json()
    assert posted == client.get("/fhir/Observation", query_string=form).get_json()
    following = next(link["url"] for link in posted["link"] if link["relation"] == "next")
    assert len(client.get(following).get_json()["entry"]) == 3


def test_the_count_alone(client: FlaskClient) -> None:
    for query in ("_summary=count", "_count=0"):
        bundle = client.get(f"/fhir/Condition?patient=brief&{query}").get_json()
        assert bundle["total"] == len(found(client, "Condition?patient=brief"))
        assert "entry" not in bundle


def test_the_medication_can_be_included(client: FlaskClient) -> None:
    query = "MedicationRequest?patient=sarcoma-day-170&_include=MedicationRequest:medication"
    bundle = client.get(f"/fhir/{query}").get_json()
    extra = [entry for entry in bundle["entry"] if entry["search"]["mode"] == "include"]
    assert [entry["resource"]["id"] for entry in extra] == ["sarcoma-day-170-syringe"]
    assert bundle["total"] == len(bundle["entry"]) - 1
    assert extra[0]["fullUrl"] == "http://localhost/fhir/Medication/sarcoma-day-170-syringe"


def test_an_unknown_parameter_is_ignored_and_left_out_of_the_self_link_unless_the_client_is_strict(
    client: FlaskClient,
) -> None:
    bundle = client.get("/fhir/Condition?patient=brief&colour=blue").get_json()
    assert bundle["total"] == len(found(client, "Condition?patient=brief"))
    assert bundle["link"][0]["url"] == "http://localhost/fhir/Condition?patient=brief"
    strict = {"Prefer": "handling=strict"}
    refused(client, "Condition?patient=brief&colour=blue", 400, headers=strict)
    refused(client, "Condition?patient=brief&_sort=colour", 400, headers=strict)
    assert ids(client, "Condition?patient=brief&_sort=colour") == ids(client, "Condition?patient=brief")


@pytest.mark.parametrize(
    "query",
    [
        "Condition?onset-date=yesterday",
        "Condition?onset-date=ge",
        "Condition?onset-date=2026-13",
        "Condition?patient=brief&_count=many",
        "Condition?patient=brief&_count=-1",
        "Condition?patient=brief&_count=99999999999999999999",
        "Condition?patient=brief&_offset=x",
        "Condition?code:in=http://example.org/vs",
        "Condition?patient.name=Marchetti",
        "Condition?clinical-status:missing=perhaps",
        "Condition?code=,",
        "Patient?_has:Condition:patient:code=C49.21",
    ],
)
def test_what_is_not_understood_is_400(client: FlaskClient, query: str) -> None:
    assert refused(client, query, 400)["issue"][0]["code"] == "invalid"


def test_an_unknown_type_is_404_and_other_formats_are_refused(client: FlaskClient) -> None:
    refused(client, "Starship?patient=brief", 404)
    refused(client, "Patient/brief?_format=xml", 406)
    assert client.get("/fhir/Patient/brief?_format=application/fhir%2Bjson").status_code == 200
    refused(client, "Condition/_search", 415, "POST", json={"patient": "brief"})


# Time --------------------------------------------------------------------------------------------------------------


def test_the_anchor_day_of_the_charts() -> None:
    assert anchor(EHR) == ANCHOR


def test_dates_are_searched_and_shown_as_moved_to_today() -> None:
    later = server(date(2027, 8, 2)).test_client()
    assert ids(later, "Condition?patient=brief&onset-date=2027-08-02") == ["brief-dvt"]
    assert ids(later, "Condition?patient=brief&onset-date=2026-01-15") == []


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    app = flask.Flask("demo")
    app.register_blueprint(blueprint(tmp_path / "not-there", lambda: ANCHOR))
    assert app.test_client().get("/fhir/metadata").status_code == 200


# As a client over the network ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    running = make_server("127.0.0.1", 0, server(), threaded=True)
    thread = Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.port}/fhir"
    running.shutdown()
    thread.join()
    running.server_close()


def test_every_patient_can_be_read_and_searched_over_a_socket(address: str) -> None:
    index = tomllib.loads((EHR.parent / "patients.toml").read_text(encoding="utf-8"))["patients"]
    with requests.Session() as session:
        everybody = session.get(f"{address}/Patient", timeout=10).json()
        assert everybody["total"] == len(index)
        for patient in index:
            read = session.get(f"{address}/Patient/{patient['id']}", timeout=10).json()
            assert f"{read['name'][0]['given'][0]} {read['name'][0]['family']}" == patient["name"]
            for kind in ("Condition", "MedicationRequest", "Observation"):
                form = {"patient": patient["id"], "_count": "1"}
                bundle = session.post(f"{address}/{kind}/_search", data=form, timeout=10).json()
                assert bundle["total"] > 0
                assert bundle["link"][0]["url"].startswith(f"{address}/{kind}?")
