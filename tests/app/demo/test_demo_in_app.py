"""The demo FHIR server as part of the whole service in demo mode."""

from datetime import date
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.settings import Settings

EHR = Path(__file__).resolve().parents[3] / "fixtures" / "ehr"
SANDBOX = "https://sandbox.cds-hooks.org"


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    app = create_app(Settings(demo=True, fixtures=EHR), today=lambda timezone: date(2026, 1, 15))
    return app.test_client()


@pytest.mark.parametrize("path", ["metadata", "Patient/brief", "Condition?patient=brief", "Patient/nobody"])
def test_a_browser_on_the_sandbox_may_read_the_answer_errors_included(client: FlaskClient, path: str) -> None:
    answer = client.get(f"/fhir/{path}", headers={"Origin": SANDBOX})
    assert answer.headers["Access-Control-Allow-Origin"] == SANDBOX
    assert answer.mimetype == "application/fhir+json"


def test_a_browser_elsewhere_may_not(client: FlaskClient) -> None:
    answer = client.get("/fhir/Patient/brief", headers={"Origin": "https://elsewhere.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_preflight_of_a_search_by_post_is_answered(client: FlaskClient) -> None:
    asked = {
        "Origin": SANDBOX,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
        "Access-Control-Request-Private-Network": "true",
    }
    answer = client.options("/fhir/Condition/_search", headers=asked)
    assert answer.status_code == 200
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "authorization" in answer.headers["Access-Control-Allow-Headers"].lower()
    assert answer.headers["Access-Control-Allow-Private-Network"] == "true"


def test_the_host_of_a_demo_is_checked_here_too(client: FlaskClient) -> None:
    assert client.get("/fhir/Patient/brief", base_url="http://elsewhere.example").status_code == 421


@pytest.mark.parametrize(
    ("method", "path", "status"), [("PUT", "/fhir/Patient/brief", 405), ("DELETE", "/fhir", 405), ("GET", "/fhir", 404)]
)
def test_refusals_are_operation_outcomes(client: FlaskClient, method: str, path: str, status: int) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == status
    assert answer.get_json()["resourceType"] == "OperationOutcome"
