"""Outside demo mode ``/`` says what the service is, and nothing of the demo is there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.app.hospital import listed
from tests.app.service import Service, running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(listed(tmp_path_factory.mktemp("hospital"))) as started:
        yield started


def test_the_page_names_the_service_and_leads_on(service: Service) -> None:
    page = service.get("/")
    assert page.status_code == 200
    assert "cancer-associated thrombosis" in page.text
    assert 'href="/rules"' in page.text
    assert 'href="/cds-services"' in page.text
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    "path",
    [
        "/ehr/patients/brief",
        "/ehr/patients/brief/therapy.svg",
        "/ehr/static/ehr.js",
        "/fhir/Patient/brief",
        "/profiles/contemporary-2023/cds-services",
    ],
)
def test_nothing_of_the_demo_is_there(service: Service, path: str) -> None:
    assert service.get(path).status_code == 404


def test_no_caller_chooses_a_profile_by_its_address(service: Service) -> None:
    body = {"hook": "patient-view"}
    answer = service.post(body, service="../profiles/contemporary-2023/cds-services/cat-patient-view")
    assert answer.status_code == 404
