"""The counters: what is counted, who may read them, and that no label can hold anything from a record."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

import pytest

from app.audit import CallLog
from app.errors import NotAuthenticatedError, UnknownPathError
from app.fhir_client import WORDS, Deadline, FetchError
from app.hook_request import FhirAccess
from app.metrics import Metrics
from app.routes.staff import admit
from app.settings import Settings
from tests.app.service import Service, call, running
from tests.fake_ehr import failing, serving

STAFF = "s" * 32


@pytest.fixture(scope="module")
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
    assert told(text, "cat_cds_calls_total") == {'client="demo",service="cat-order-select",status="200"': 1.0}
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


BASIC = f"Basic {base64.b64encode(f'any:{STAFF}'.encode()).decode()}"


@pytest.mark.parametrize("header", [f"Bearer {STAFF}", f"bearer {STAFF}", f"BEARER  {STAFF} ", BASIC])
@pytest.mark.parametrize("demo", [True, False])
def test_staff_is_who_sends_the_staff_token(demo: bool, header: str) -> None:
    admit(Settings(demo=demo, card_key="k" * 32, staff_token=STAFF), header)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        STAFF,
        "Bearer",
        "Bearer ",
        f"Bearer {STAFF}x",
        f"Bearer {STAFF[1:]}",
        f"Bearer {STAFF.upper()}",
        f"Bearer {STAFF} {STAFF}",
        f"Digest {STAFF}",
        "Bearer \xff\xfe",
        "Bearer \ud800",
        "Basic !!!",
        f"Basic {STAFF}",
        f"Basic {base64.b64encode(STAFF.encode()).decode()}",
        f"Basic {base64.b64encode(f'{STAFF}:'.encode()).decode()}",
    ],
)
def test_others_are_asked_for_it(header: str | None) -> None:
    with pytest.raises(NotAuthenticatedError) as caught:
        admit(Settings(demo=True, staff_token=STAFF), header)
    assert caught.value.headers == {"WWW-Authenticate": 'Basic realm="cat-cds staff", charset="UTF-8", Bearer'}


def test_a_demo_is_open_unless_it_has_a_staff_token() -> None:
    admit(Settings(demo=True), None)


@pytest.mark.parametrize("header", [None, "Bearer ", f"Bearer {STAFF}"])
def test_without_a_staff_token_there_is_nothing_for_staff(header: str | None) -> None:
    with pytest.raises(UnknownPathError):
        admit(Settings(card_key="k" * 32), header)


def test_the_metrics_are_for_staff() -> None:
    with running(Settings(demo=True, staff_token=STAFF)) as one:
        assert one.get("/metrics").status_code == 401
        assert "cat_cds" not in one.get("/metrics").text
        assert "cat_cds_calls" in one.get("/metrics", headers={"Authorization": f"Bearer {STAFF}"}).text


def test_counters_that_cannot_be_written_cost_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Metrics, "count", full)
    with running() as service:
        assert service.rules(call("order-sign"))
        assert service.log[-1].status == 200
