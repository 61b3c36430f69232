"""Hook calls over a real socket: which record is read, what happens when it cannot be, what is said and logged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest

from app.settings import Settings
from tests.app.service import (
    APIXABAN,
    CLOT,
    COLON_CANCER,
    CT,
    PATIENT_ID,
    PERSON,
    SUBJECT,
    Service,
    call,
    condition,
    record,
    running,
    searchset,
)
from tests.cds_hooks_validator import operation_outcome_faults, service_response_faults
from tests.fake_ehr import FakeEhr, Reply, bundle, failing, saying, serving

BUDGET_MS = 400
FAILURE = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
TAKING_APIXABAN = {**APIXABAN, "id": "m1", "status": "active", "authoredOn": "2026-03-02"}
KINDS = {
    "patient": "Patient",
    "conditions": "Condition",
    "medications": "MedicationRequest",
    "procedures": "Procedure",
    "allergies": "AllergyIntolerance",
}


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(Settings(demo=True, budget_ms=BUDGET_MS)) as one:
        yield one


@pytest.fixture
def ehr() -> Iterator[FakeEhr]:
    """An EHR with the record that ``call`` puts into prefetch."""
    with serving() as server:
        for key, kind in KINDS.items():
            server.on(kind, saying(record()[key] or searchset()))

        def observations(asked: Any) -> Reply:
            held = [entry["resource"] for one in record().values() if one for entry in one.get("entry", [])]
            wanted = [
                r for r in held if r["resourceType"] == "Observation" and r["code"]["coding"][0]["code"] in asked.path
            ]
            return saying(bundle(*wanted))(asked)

        server.on("Observation", observations)
        yield server


def without(*keys: str) -> dict[str, Any]:
    return {key: value for key, value in record().items() if key not in keys}


def missing_keys(service: Service, body: dict[str, Any]) -> list[str]:
    answer = service.post(body)
    assert answer.status_code == 412, answer.text
    assert operation_outcome_faults(answer.json()) == []
    assert PATIENT_ID not in answer.text
    expressions: list[str] = answer.json()["issue"][0]["expression"]
    return expressions


# What is said


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_apixaban_in_luminal_cancer_gets_a_card_that_keeps_to_the_specification(service: Service, hook: str) -> None:
    answer = service.post(call(hook))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert service_response_faults(answer.json(), draft_orders={"MedicationRequest/d1"}, patient_id=PATIENT_ID) == []
    said = [code for card in answer.json()["cards"] for code in card["extension"]["cat-cds"]["rules"]]
    assert "doac-luminal-gi" in said


def test_an_open_chart_with_clot_and_cancer_and_no_treatment_gets_a_card(service: Service) -> None:
    assert "start-anticoagulation" in service.rules(call("patient-view"))


@pytest.mark.spec("R-7", "C-12")
def test_an_equal_request_gets_an_equal_answer_and_another_context_another_one(service: Service) -> None:
    first, again = service.post(call("order-sign")), service.post(call("order-sign"))
    assert first.content == again.content
    other = service.post(call("order-sign", CT))
    assert other.json() == {"cards": []}


def test_the_order_of_resources_does_not_matter(service: Service) -> None:
    turned = {**record(), "conditions": searchset(CLOT, COLON_CANCER)}
    assert service.post(call("order-sign", prefetch=turned)).json() == service.post(call("order-sign")).json()


def test_a_rule_that_raises_does_not_silence_the_others(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("canary")

    before = service.rules(call("order-sign"))
    monkeypatch.setitem(_rules(), "doac-interaction", broken)
    answer = service.post(call("order-sign"))
    assert set(before) <= {card["source"]["topic"]["code"] for card in answer.json()["cards"]}
    assert "canary" not in answer.text
    assert service.log[-1].broken_rules == ["doac-interaction:RuntimeError"]


def _rules() -> dict[str, Any]:
    from hooks.decide import RULES

    assert isinstance(RULES, dict)
    return RULES


# When nothing is said, and nothing is asked


@pytest.mark.spec("O-2")
@pytest.mark.parametrize(
    ("body", "silence"),
    [
        (call("order-sign", CT), "nothing-in-focus"),
        (call("order-select", CT, APIXABAN), "nothing-in-focus"),
        (call("order-sign", {"resourceType": "MedicationRequest", "id": "d1", "subject": SUBJECT,
                             "medicationCodeableConcept": {"text": "amoxicillin 500 mg"}}), "nothing-in-focus"),
        (call("order-sign", {**CT, "resourceType": "NutritionOrder"}), "nothing-in-focus"),
        (call("order-select", context={"userId": "Practitioner/p1", "patientId": PATIENT_ID}), "no-orders"),
        (call("patient-view", context={"userId": f"Patient/{PATIENT_ID}", "patientId": PATIENT_ID}), "user-is-patient"),
    ],
)  # fmt: skip
def test_without_anything_relevant_the_answer_is_no_cards_at_once(
    service: Service, ehr: FakeEhr, body: dict[str, Any], silence: str
) -> None:
    answer = service.post({**body, "prefetch": {}, "fhirServer": ehr.base})
    assert (answer.status_code, answer.json()) == (200, {"cards": []})
    assert ehr.asked == []
    assert service.log[-1].silence == silence


@pytest.mark.parametrize("died", [{"deceasedBoolean": True}, {"deceasedDateTime": "2026-03-01"}])
@pytest.mark.parametrize("hook", ["patient-view", "order-sign"])
def test_for_a_deceased_patient_there_are_no_cards(service: Service, hook: str, died: dict[str, Any]) -> None:
    assert service.rules(call(hook, prefetch={**record(), "patient": {**PERSON, **died}})) == []
    assert service.log[-1].silence == "deceased"


@pytest.mark.spec("PT-11")
@pytest.mark.parametrize("conditions", [searchset(), searchset(COLON_CANCER), searchset(CLOT), None])
def test_an_open_chart_without_clot_or_cancer_is_read_no_further(
    service: Service, ehr: FakeEhr, conditions: object
) -> None:
    ehr.on("Condition", saying(conditions or bundle()))
    assert service.rules(call("patient-view", prefetch={}, fhirServer=ehr.base)) == []
    assert sorted(asked.kind for asked in ehr.asked) == ["Condition", "Patient"]
    assert service.log[-1].silence == "not-concerned"


@pytest.mark.spec("PF-10")
def test_another_patients_data_has_no_influence_and_is_counted(service: Service) -> None:
    foreign = {**COLON_CANCER, "subject": {"reference": "Patient/pt-2"}}
    body = call("order-sign", prefetch={**record(), "conditions": searchset(CLOT, foreign)})
    assert service.rules(body) == []
    assert service.log[-1].dropped == 1


# Where the record comes from


@pytest.mark.spec("PF-11")
@pytest.mark.parametrize("hook", ["patient-view", "order-select", "order-sign"])
def test_prefetch_and_fhir_server_give_the_same_cards(service: Service, ehr: FakeEhr, hook: str) -> None:
    by_prefetch = service.post(call(hook)).json()
    by_fetch = service.post(call(hook, prefetch=..., fhirServer=ehr.base)).json()
    assert by_prefetch["cards"]
    assert by_fetch == by_prefetch
    assert set(service.log[-1].origins.values()) == {"fetched"}


@pytest.mark.spec("PF-1", "PF-2", "FA-5")
@pytest.mark.parametrize("key", sorted(record()))
def test_a_key_that_was_not_sent_is_fetched_and_no_other(service: Service, ehr: FakeEhr, key: str) -> None:
    service.post(call("order-sign", prefetch=without(key), fhirServer=ehr.base))
    assert len(ehr.asked) == 1
    assert ehr.asked[0].kind == KINDS.get(key, "Observation")


@pytest.mark.spec("FA-3", "FA-5", "FA-7")
def test_scopes_are_heeded_and_the_token_is_sent(service: Service, ehr: FakeEhr) -> None:
    access = {
        "access_token": "opaque",
        "token_type": "Bearer",
        "scope": "patient/Condition.rs patient/Patient.r",
        "subject": "us",
    }
    service.post(call("order-sign", prefetch={}, fhirServer=ehr.base, fhirAuthorization=access))
    assert sorted(asked.kind for asked in ehr.asked) == ["Condition", "Patient"]
    assert {asked.headers["authorization"] for asked in ehr.asked} == {"Bearer opaque"}


@pytest.mark.spec("FA-9")
def test_a_server_that_is_not_allowed_is_not_called_and_prefetch_is_used(service: Service) -> None:
    elsewhere = "http://10.255.255.1/fhir"
    assert service.rules(call("order-sign", fhirServer=elsewhere)) == service.rules(call("order-sign"))
    assert missing_keys(service, call("order-sign", prefetch={}, fhirServer=elsewhere))


@pytest.mark.spec("FA-1")
def test_an_authorization_of_no_use_means_prefetch_only(service: Service, ehr: FakeEhr) -> None:
    body = call("order-sign", fhirServer=ehr.base, fhirAuthorization={"access_token": "x"}, prefetch=without("weight"))
    assert service.post(body).status_code == 200
    assert ehr.asked == []


# What is missing


@pytest.mark.spec("PF-5", "E-1")
@pytest.mark.parametrize(
    ("hook", "required"),
    [
        ("patient-view", ["patient", "conditions", "medications"]),
        ("order-select", ["patient", "conditions"]),
        ("order-sign", ["patient", "conditions"]),
    ],
)
def test_required_keys_that_nobody_can_get_are_named(service: Service, hook: str, required: list[str]) -> None:
    assert missing_keys(service, call(hook, prefetch=...)) == [f"prefetch.{key}" for key in required]
    for key in required:
        assert missing_keys(service, call(hook, prefetch=without(key))) == [f"prefetch.{key}"]


@pytest.mark.spec("PF-6")
@pytest.mark.parametrize(
    "key", ["medications", "creatinine", "platelets", "weight", "height", "procedures", "allergies"]
)
def test_what_is_not_required_may_be_missing(service: Service, key: str) -> None:
    assert service.post(call("order-sign", prefetch=without(key))).status_code == 200
    assert service.log[-1].gaps == [key]


def failing_ways(ehr: FakeEhr) -> dict[str, dict[str, Any]]:
    """Requests for the same record in which the conditions cannot be read, though somebody tried."""
    ehr.on("Condition", failing(503))
    return {
        "the EHR fails": {"prefetch": without("conditions"), "fhirServer": ehr.base},
        "the prefetch says that it failed": {"prefetch": {**record(), "conditions": FAILURE}},
    }


@pytest.mark.spec("PF-4", "PF-5", "PF-6", "A-3")
@pytest.mark.parametrize("way", ["the EHR fails", "the prefetch says that it failed"])
@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_a_failed_required_read_is_told_on_a_card_when_an_anticoagulant_is_ordered(
    service: Service, ehr: FakeEhr, hook: str, way: str
) -> None:
    answer = service.post(call(hook, **failing_ways(ehr)[way]))
    assert answer.status_code == 200
    (card,) = answer.json()["cards"]
    assert card["source"]["topic"]["code"] == "data-not-usable"
    assert card["indicator"] == "info"


@pytest.mark.spec("PF-4", "A-3")
@pytest.mark.parametrize("way", ["the EHR fails", "the prefetch says that it failed"])
def test_on_opening_the_chart_only_when_an_anticoagulant_is_active(service: Service, ehr: FakeEhr, way: str) -> None:
    body = call("patient-view", **failing_ways(ehr)[way])
    assert missing_keys(service, body) == ["prefetch.conditions"]
    body["prefetch"]["medications"] = searchset(TAKING_APIXABAN)
    assert service.rules(body) == ["data-not-usable"]


def test_a_patient_who_could_not_be_read_is_no_all_clear_even_without_cancer_or_clot(
    service: Service, ehr: FakeEhr
) -> None:
    ehr.on("Patient", failing(503))
    prefetch = {**without("patient"), "conditions": searchset(COLON_CANCER)}
    body = call("patient-view", prefetch=prefetch, fhirServer=ehr.base)
    assert missing_keys(service, body) == ["prefetch.patient"]


@pytest.mark.spec("PF-7", "PF-6")
def test_a_first_page_of_conditions_is_not_read_as_all(service: Service, ehr: FakeEhr) -> None:
    page = {**searchset(condition("c9", "J45.909")), "link": [{"relation": "next", "url": f"{ehr.base}/Condition?p=2"}]}
    assert service.rules(call("order-sign", prefetch={**record(), "conditions": page})) == ["data-not-usable"]
    ehr.on("Condition", saying(bundle(COLON_CANCER, CLOT)))
    body = call("order-sign", prefetch={**record(), "conditions": page}, fhirServer=ehr.base)
    assert "data-not-usable" not in service.rules(body)


# Time


@pytest.mark.spec("O-4")
def test_a_slow_server_does_not_hold_the_answer(service: Service, ehr: FakeEhr) -> None:
    ehr.on("Observation", ehr.hanging(saying(bundle())))
    started = time.monotonic()
    answer = service.post(call("order-sign", prefetch={}, fhirServer=ehr.base))
    took = time.monotonic() - started
    assert answer.status_code == 200
    assert took < BUDGET_MS / 1000 + 0.25
    assert {"creatinine", "platelets", "weight"} <= set(service.log[-1].gaps)


# Medicines behind a reference


def referring(**more: Any) -> dict[str, Any]:
    plain = {key: value for key, value in APIXABAN.items() if key != "medicationCodeableConcept"}
    return {**plain, "medicationReference": {"reference": "Medication/m7", **more}}


def medication(text: str) -> dict[str, Any]:
    return {"resourceType": "Medication", "id": "m7", "code": {"text": text}}


@pytest.mark.spec("A-14")
def test_a_draft_whose_medicine_is_a_reference_is_judged_once_it_was_read(service: Service, ehr: FakeEhr) -> None:
    body = call("order-sign", referring(), fhirServer=ehr.base)
    ehr.on("Medication", saying({**medication("x"), "code": APIXABAN["medicationCodeableConcept"]}))
    assert service.rules(body) == service.rules(call("order-sign"))
    assert ehr.paths() == ["/Medication/m7"]


def test_a_reference_to_something_else_is_nothing_in_focus(service: Service, ehr: FakeEhr) -> None:
    ehr.on("Medication", saying(medication("amoxicillin 500 mg capsule")))
    assert service.rules(call("order-sign", referring(), fhirServer=ehr.base)) == []
    assert service.log[-1].silence == "nothing-in-focus"


def test_a_display_is_enough_to_judge_by(service: Service, ehr: FakeEhr) -> None:
    body = call("order-sign", referring(display="apixaban 5 MG Oral Tablet"), fhirServer=ehr.base)
    assert "doac-luminal-gi" in [rule.partition(":")[0] for rule in (service.rules(body), service.log[-1].rules)[1]]
    assert ehr.asked == []


def test_a_medicine_that_cannot_be_identified_is_never_an_all_clear(service: Service, ehr: FakeEhr) -> None:
    ehr.on("Medication", failing(500))
    for body in (call("order-sign", referring(), fhirServer=ehr.base), call("order-sign", referring())):
        answer = service.post(body)
        assert answer.status_code == 412 or answer.json()["cards"]


def test_but_it_does_not_matter_without_cancer_or_clot(service: Service) -> None:
    body = call("order-sign", referring(), prefetch={**record(), "conditions": searchset(COLON_CANCER)})
    assert service.rules(body) == []


# The log


@pytest.mark.spec("S-18")
def test_the_log_tells_what_happened(service: Service) -> None:
    service.post(call("order-sign", prefetch=without("height")))
    log = service.log[-1]
    assert (log.service, log.hook, log.client, log.status) == ("cat-order-sign", "order-sign", "demo", 200)
    assert log.hook_instance == "6f2b8d0e-3c1a-4e55-9d6b-2a7f0c9e41b7"
    assert log.gaps == ["height"]
    assert any(rule.startswith("doac-luminal-gi:") for rule in log.rules)
    assert set(log.ms) == {"parse", "orders", "record", "decide", "wire", "total"}
    assert log.ms["total"] > 0
    service.post(call("order-sign", prefetch=...))
    assert service.log[-1].status == 412


@pytest.mark.spec("FA-4", "S-18")
def test_nothing_of_the_record_or_the_access_is_logged(service: Service, ehr: FakeEhr) -> None:
    marked = "canary-7"
    access = {
        "access_token": marked,
        "token_type": "Bearer",
        "scope": "patient/*.rs",
        "subject": marked,
        "patient": marked,
    }
    context = {
        **call("order-sign")["context"],
        "patientId": marked,
        "userId": f"Practitioner/{marked}",
        "encounterId": marked,
    }
    person = {**PERSON, "id": marked, "name": [{"text": marked}]}
    body = call(
        "order-sign",
        context=context,
        hookInstance=marked,
        prefetch={**without("weight"), "patient": person},
        fhirServer=ehr.base,
        fhirAuthorization=access,
    )
    service.post(body)
    service.post(body, marked)
    service.post({**body, "hook": marked}, "cat-order-sign")
    assert marked not in repr([asdict(log) for log in service.log[-3:]])
    assert ehr.base not in repr(service.log[-3:])
