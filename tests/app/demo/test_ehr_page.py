"""The demo page as its server makes it: the frame, the chart, the drafts, and where each of them may be had."""

from __future__ import annotations

import json
import shutil
import sys
from datetime import date
from pathlib import Path

import pytest
from fhir.resources.R4B import get_fhir_model_class
from flask.testing import FlaskClient

from app import create_app
from app.settings import Settings
from tests.cds_hooks_validator import discovery_faults

EHR = Path(__file__).resolve().parents[3] / "fixtures" / "ehr"
TODAY = date(2026, 3, 10)
PATIENTS = sorted(path.stem for path in EHR.glob("*.json"))


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return create_app(Settings(demo=True, fixtures=EHR), today=lambda _zone: TODAY).test_client()


def test_the_list_shows_every_patient_with_a_line_of_the_story(client: FlaskClient) -> None:
    text = client.get("/").text
    for patient in PATIENTS:
        assert f'href="/ehr/patients/{patient}"' in text
    assert "Man of 69, gastric cancer, pulmonary embolism ten days ago, on dalteparin; melena since today" in text


def test_every_chart_opens_with_its_picture(client: FlaskClient) -> None:
    for patient in PATIENTS:
        page = client.get(f"/ehr/patients/{patient}")
        assert page.status_code == 200, patient
        assert f"/ehr/patients/{patient}/therapy.svg" in page.text


def test_a_chart_shows_problems_medicines_and_values_with_days_and_units(client: FlaskClient) -> None:
    text = client.get("/ehr/patients/brief").text
    for shown in ("Acute deep vein thrombosis, left femoral vein", "I82.412", "Lisinopril 10 mg", "one tablet daily"):
        assert shown in text
    assert '<td class="number">0.8</td><td>mg/dL</td>' in text
    assert '<time datetime="2026-03-10">2026-03-10</time>' in text
    assert "female, 50 years" in text


def test_a_medicine_in_a_resource_of_its_own_has_its_name(client: FlaskClient) -> None:
    text = client.get("/ehr/patients/sarcoma-day-170").text
    assert "dalteparin" in text.partition("Medicines")[2].partition("Laboratory values")[0]


@pytest.mark.parametrize(
    "path",
    [
        "/ehr/patients/nobody",
        "/ehr/patients/nobody/therapy.svg",
        "/ehr/patients/brief/drafts/tea?id=draft-1",
        "/ehr/patients/nobody/drafts/apixaban?id=draft-1",
        "/ehr/patients/brief-treated/drafts/of-the-story?id=draft-1",
        "/profiles/no-such-profile/cds-services",
    ],
)
def test_what_is_not_there_is_not_found(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_nothing_on_the_page_comes_from_elsewhere_or_runs_inline(client: FlaskClient) -> None:
    answer = client.get("/ehr/patients/brief")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert "<style" not in answer.text
    assert " style=" not in answer.text
    assert answer.text.count("<script") == 1


@pytest.mark.parametrize("service", ["http://127.0.0.1:9001", "http://localhost:9001", "http://[::1]:9001"])
def test_the_page_may_call_a_service_elsewhere_on_this_machine(client: FlaskClient, service: str) -> None:
    answer = client.get("/ehr/patients/brief", query_string={"service": service})
    assert f"connect-src 'self' {service};" in answer.headers["Content-Security-Policy"]
    assert f'data-service="{service}"' in answer.text


@pytest.mark.parametrize(
    "service",
    ["https://elsewhere.example", "http://127.0.0.1.evil.example", "http://127.0.0.1:1; script-src *", "//127.0.0.1"],
)
def test_the_page_calls_no_service_on_another_machine(client: FlaskClient, service: str) -> None:
    assert client.get("/ehr/patients/brief", query_string={"service": service}).status_code == 400


def keys_of(client: FlaskClient, patient: str) -> list[str]:
    """The keys of the orders that can be picked for a patient."""
    listed = client.get(f"/ehr/patients/{patient}").text.partition('<select id="order"')[2].partition("</select>")[0]
    return [part.partition('"')[0] for part in listed.split('<option value="')[1:] if not part.startswith('"')]


def check_draft(client: FlaskClient, patient: str, key: str) -> None:
    draft = client.get(f"/ehr/patients/{patient}/drafts/{key}?id=draft-7").get_json()
    get_fhir_model_class(draft["resourceType"]).model_validate(draft)
    assert (draft["id"], draft["status"]) == ("draft-7", "draft")
    assert draft["subject"] == {"reference": f"Patient/{patient}"}
    assert draft["authoredOn"] == TODAY.isoformat()


def test_every_order_of_the_list_becomes_a_valid_draft(client: FlaskClient) -> None:
    keys = keys_of(client, "brief-treated")
    assert {"apixaban", "dalteparin", "ivc-filter", "alteplase", "stockings", "bed-rest", "paracetamol"} <= set(keys)
    for key in keys:
        check_draft(client, "brief-treated", key)


def test_the_order_of_every_story_becomes_a_valid_draft(client: FlaskClient) -> None:
    with_order = [patient for patient in PATIENTS if "of-the-story" in keys_of(client, patient)]
    assert len(with_order) > len(PATIENTS) / 2
    for patient in with_order:
        check_draft(client, patient, "of-the-story")


def test_the_order_of_a_story_keeps_its_dose_product_and_reason(client: FlaskClient) -> None:
    draft = client.get("/ehr/patients/breast-fibrillation/drafts/of-the-story?id=d").get_json()
    assert draft["reasonCode"][0]["coding"][0]["code"] == "I48.0"
    assert draft["medicationCodeableConcept"]["coding"][0]["code"] == "1364445"
    assert draft["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] == 5


@pytest.mark.parametrize("draft_id", ["", "a b", "../x", "<b>", "x" * 65])
def test_a_draft_needs_an_id_that_is_one(client: FlaskClient, draft_id: str) -> None:
    answer = client.get("/ehr/patients/brief/drafts/apixaban", query_string={"id": draft_id})
    assert answer.status_code == 400


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"answers": {}}', '{"answers": [1]}', '{"answers": ' + "[{}]" * 1])
def test_answers_that_are_none_are_refused(client: FlaskClient, body: str) -> None:
    answer = client.post("/ehr/cards", data=body, content_type="application/json")
    assert answer.status_code == 400


def test_without_the_library_that_draws_the_page_tells_the_therapy_in_words(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    page = client.get("/ehr/patients/brief")
    assert "therapy.svg" not in page.text
    assert "Acute deep vein thrombosis, left femoral vein on 2026-03-10. No anticoagulant." in page.text
    assert client.get("/ehr/patients/brief/therapy.svg").status_code == 404


def test_a_folder_of_charts_without_stories_will_do(tmp_path: Path) -> None:
    folder = tmp_path / "charts"
    folder.mkdir()
    for name in ("anchor.toml", "brief.json"):
        shutil.copy(EHR / name, folder / name)
    chart = json.loads((folder / "brief.json").read_text("utf-8"))
    chart["entry"][0]["resource"]["name"][0]["family"] = "<b>Nobody</b>"
    (folder / "brief.json").write_text(json.dumps(chart), "utf-8")
    client = create_app(Settings(demo=True, fixtures=folder), today=lambda _zone: TODAY).test_client()

    assert "Elena &lt;b&gt;Nobody&lt;/b&gt;" in client.get("/").text
    assert "Elena &lt;b&gt;Nobody&lt;/b&gt;" in client.get("/ehr/patients/brief").text


@pytest.mark.parametrize("profile", ["lmwh-first-2014", "contemporary-2023"])
def test_each_profile_answers_at_an_address_of_its_own(client: FlaskClient, profile: str) -> None:
    listed = client.get(f"/profiles/{profile}/cds-services").get_json()
    assert discovery_faults(listed) == []
    draft = client.get("/ehr/patients/brief/drafts/apixaban?id=draft-1").get_json()
    records = {
        key: client.get("/fhir/" + template.replace("{{context.patientId}}", "brief")).get_json()
        for key, template in listed["services"][1]["prefetch"].items()
    }
    body = {
        "hook": "order-select",
        "hookInstance": "6f2b8d0e-3c1a-4e55-9d6b-2a7f0c9e41b7",
        "context": {
            "userId": "Practitioner/demo",
            "patientId": "brief",
            "selections": ["MedicationRequest/draft-1"],
            "draftOrders": {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": draft}]},
        },
        "prefetch": records,
    }
    for address in (f"/profiles/{profile}/cds-services", f"/cds-services?profile={profile}"):
        base, _, query = address.partition("?")
        cards = client.post(f"{base}/cat-order-select?{query}", json=body).get_json()["cards"]
        wanted = profile if base.startswith("/profiles") else "lmwh-first-2014"
        assert {card["extension"]["cat-cds"]["profile"] for card in cards} == {wanted}
