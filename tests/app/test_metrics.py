"""The counters: what is counted, who may read them, and that no label can hold anything from a record."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

import pytest

from app.audit import CallLog
from app.fhir_client import WORDS, Deadline, FetchError
from app.hook_request import FhirAccess
from app.metrics import Metrics
from app.settings import Settings
from tests.app.service import Service, call, running
from tests.fake_ehr import failing, serving

STAFF = "s" * 32


@pytest.fixture
def service() -> Iterator[Service]:
    with running() as one:
        yield one


def told(text: str, name: str) -> dict[str, float]:
    """The values of a counter by its labels, as they stand in the text."""
    found = re.findall(rf"^{name}(?:\{{(.*)\}})? (\S+)$", text, re.MULTILINE)
    return {labels: float(value) for labels, value in found}


def test_a_call_is_counted_with_its_cards_and_the_time_of_its_stages(service: Service) -> None:
    service.post(call("order-select"))
    text = service.get("/metrics").text
    assert told(text, "cat_cds_calls_total") == {'client="demo",service="cat-order-select",status="200"': 1}
    cards = told(text, "cat_cds_cards_total")
    assert cards
    assert all('profile="lmwh-first-2014"' in labels and 'indicator="' in labels for labels in cards)
    assert told(text, "cat_cds_call_seconds_count") == {
        f'stage="{stage}"': 1 for stage in ("decide", "orders", "parse", "record", "total", "wire")
    }


def test_refusals_silences_and_strangers_among_the_resources_are_counted(service: Service) -> None:
    service.post(call("patient-view"), "cat-unheard-of-jane-doe")
    service.post(call("order-select", context={"userId": "Patient/pt-1", "patientId": "pt-1"}))
    body = call("patient-view")
    body["prefetch"]["weight"]["entry"][0]["resource"]["subject"] = {"reference": "Patient/another"}
    service.post(body)
    text = service.get("/metrics").text
    assert told(text, "cat_cds_calls_total")['client="",service="unknown",status="404"'] == 1
    assert told(text, "cat_cds_dropped_total")['what="resource-of-another-patient"'] == 1
    assert told(text, "cat_cds_silences_total") == {'reason="user-is-patient"': 1}
    assert "jane" not in text


def test_what_fhir_servers_fail_to_give_is_counted(service: Service) -> None:
    with serving() as ehr:
        ehr.on("Condition", failing(503))
        service.post(call("patient-view", prefetch={}, fhirServer=ehr.base))
    text = service.get("/metrics").text
    assert told(text, "cat_cds_fetch_failures_total") == {'reason="status"': 1}
    assert 'key="conditions"' in told(text, "cat_cds_gaps_total")


def test_reasons_of_failed_fetches_are_the_known_kinds() -> None:
    metrics = Metrics()

    def fetch(_access: FhirAccess, address: str, _deadline: Deadline) -> dict[str, object]:
        raise FetchError(address)

    counted = metrics.watched(fetch)
    for kind in WORDS:
        with pytest.raises(FetchError):
            counted(FhirAccess(server="x"), kind, Deadline(clock=lambda: 0.0, at=1.0))
    assert told(metrics.text().decode(), "cat_cds_fetch_failures_total") == {f'reason="{k}"': 1 for k in WORDS}


def test_callers_who_are_not_believed_are_counted_by_cause() -> None:
    metrics = Metrics()
    metrics.count(CallLog(correlation_id="c", service="cat-order-sign", status=401, cause="expired"))
    assert told(metrics.text().decode(), "cat_cds_auth_failures_total") == {'cause="expired"': 1}


def test_feedback_and_rules_that_were_kept_back_are_counted() -> None:
    metrics = Metrics()
    metrics.count(
        CallLog(
            correlation_id="c",
            service="cat-order-sign",
            client="north",
            feedback={"accepted": 2},
            silent_rules=["vka-in-cancer"],
            held_rules=["doac-in-cancer:warning"],
        )
    )
    text = metrics.text().decode()
    assert told(text, "cat_cds_feedback_total") == {'client="north",outcome="accepted"': 2}
    assert told(text, "cat_cds_kept_back_total") == {
        'rule="vka-in-cancer",why="silent"': 1,
        'rule="doac-in-cancer",why="held"': 1,
    }


def test_notes_that_the_store_lost_are_counted_once() -> None:
    lost = [3]
    metrics = Metrics(lost_notes=lambda: lost[0])
    for _ in range(2):
        text = metrics.text().decode()
    assert told(text, "cat_cds_dropped_total")['what="note-for-the-store"'] == 3
    lost[0] = 5
    assert told(metrics.text().decode(), "cat_cds_dropped_total")['what="note-for-the-store"'] == 5


# Who may read them


@pytest.mark.parametrize(
    ("settings", "headers", "status"),
    [
        ({"demo": True}, {}, 200),
        ({"demo": True, "staff_token": STAFF}, {}, 401),
        ({"demo": True, "staff_token": STAFF}, {"Authorization": f"Bearer {STAFF}"}, 200),
        ({"demo": True, "staff_token": STAFF}, {"Authorization": f"bearer {STAFF}"}, 200),
        ({"demo": True, "staff_token": STAFF}, {"Authorization": f"Bearer {STAFF}x"}, 401),
        ({"demo": True, "staff_token": STAFF}, {"Authorization": f"Bearer {STAFF[1:]}"}, 401),
        ({"demo": True, "staff_token": STAFF}, {"Authorization": STAFF}, 401),
        ({"demo": True, "staff_token": STAFF}, {"Authorization": "Bearer"}, 401),
        ({"demo": True, "staff_token": STAFF}, {"Authorization": "Basic !!!"}, 401),
        ({"demo": True, "staff_token": STAFF}, {"Authorization": b"Bearer \xff\xfe"}, 401),
        (
            {"demo": True, "staff_token": STAFF},
            {"Authorization": f"Basic {base64.b64encode(f'any:{STAFF}'.encode()).decode()}"},
            200,
        ),
        ({}, {}, 404),
        ({}, {"Authorization": "Bearer "}, 404),
    ],
)
def test_staff_only_outside_a_demo(settings: dict[str, object], headers: dict[str, str | bytes], status: int) -> None:
    with running(Settings(**{"card_key": "k" * 32, **settings})) as one:  # type: ignore[arg-type]
        answer = one.get("/metrics", headers=headers)
    assert answer.status_code == status
    assert ("cat_cds" in answer.text) is (status == 200)
    if status == 401:
        assert "Bearer" in answer.headers["WWW-Authenticate"]
        assert "Basic" in answer.headers["WWW-Authenticate"]
