"""What each kind of record gives: the table of prefetch states x access x what the EHR answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from app.errors import MissingDataError
from app.fhir_client import Deadline, FhirClient
from app.gather import MOST_MEDICATIONS, Got, Reach, check_preconditions, gather, medications, with_medications
from app.hook_request import FhirAccess, HookRequest
from app.sources import NEWEST_FIRST, Source
from tests.fake_ehr import FakeEhr, Reply, broken, bundle, failing, in_turn, redirecting, saying, serving

PATIENT = Source(
    key="patient",
    resource_type="Patient",
    template="Patient/{{context.patientId}}",
    what="the patient",
    required_by=frozenset({"order-sign"}),
)
CONDITIONS = Source(
    key="conditions",
    resource_type="Condition",
    template="Condition?patient={{context.patientId}}",
    what="the problem list",
    required_by=frozenset({"order-sign"}),
)
PLATELETS = Source(
    key="platelets",
    resource_type="Observation",
    template=f"Observation?patient={{{{context.patientId}}}}&code=http://loinc.org|777-3&{NEWEST_FIRST}&_count=2",
    what="the platelet counts",
)
MEDICATIONS = Source(
    key="medications",
    resource_type="MedicationRequest",
    template="MedicationRequest?patient={{context.patientId}}",
    what="the medication orders",
)
ALL = (PATIENT, CONDITIONS, PLATELETS)
PERSON = {"resourceType": "Patient", "id": "pt-1"}
CANCER = {"resourceType": "Condition", "id": "c1"}
CLOT = {"resourceType": "Condition", "id": "c2"}
FAILURE = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
WARNING = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "not-supported"}]}


def count(day: str, number: int = 1) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": f"o{number}", "effectiveDateTime": day}


def asking(prefetch: dict[str, Any] | None = None) -> HookRequest:
    return HookRequest(service_id="s", hook="order-sign", hook_instance="i", patient_id="pt-1", prefetch=prefetch or {})


@pytest.fixture
def ehr() -> Iterator[FakeEhr]:
    with serving() as server:
        server.on("Patient", saying(PERSON))
        server.on("Condition", saying(bundle(CANCER)))
        server.on("Observation", saying(bundle(count("2026-03-01"))))
        yield server


@pytest.fixture
def reach(ehr: FakeEhr) -> Iterator[Reach]:
    with ThreadPoolExecutor(8) as pool:
        yield Reach(
            access=FhirAccess(server=ehr.base, internal=True),
            fetch=FhirClient(max_bytes=1_000_000, connections=8).get,
            pool=pool,
            deadline=Deadline(clock=time.monotonic, at=time.monotonic() + 20),
            max_pages=3,
        )
        ehr.released.set()


def soon(reach: Reach) -> Reach:
    return replace(reach, deadline=Deadline(clock=time.monotonic, at=time.monotonic() + 0.15))


def one(source: Source, reach: Reach | None, **prefetch: Any) -> Got:
    return gather([source], asking(prefetch), reach)[source.key]


# Prefetch alone


@pytest.mark.spec("PF-1")
def test_what_was_sent_is_used_and_not_asked_again(ehr: FakeEhr, reach: Reach) -> None:
    got = one(CONDITIONS, reach, conditions=bundle(CANCER, CLOT))
    assert got == Got(key="conditions", resources=(CANCER, CLOT), origin="prefetch")
    assert ehr.asked == []


def test_what_a_bundle_names_by_urn_keeps_its_name() -> None:
    entries = [("urn:uuid:1", CANCER), ("https://ehr.example/Condition/2", CLOT), ("urn:uuid:3", PERSON)]
    sent = {"resourceType": "Bundle", "entry": [{"fullUrl": url, "resource": one} for url, one in entries]}
    got = one(CONDITIONS, None, conditions=sent)
    assert got.resources == (CANCER, CLOT)
    assert got.urns == {"urn:uuid:1": CANCER, "urn:uuid:3": PERSON}


@pytest.mark.spec("PF-3", "A-4")
@pytest.mark.parametrize(
    "nothing", [None, bundle(), {"resourceType": "Bundle"}, {"resourceType": "Bundle", "entry": None}]
)
def test_null_and_an_empty_bundle_both_mean_none(ehr: FakeEhr, reach: Reach, nothing: object) -> None:
    assert one(CONDITIONS, reach, conditions=nothing) == Got(key="conditions", origin="prefetch")
    assert ehr.asked == []


@pytest.mark.spec("PF-3")
@pytest.mark.parametrize("nothing", [None, bundle()])
def test_for_a_read_they_mean_that_there_is_no_such_resource(nothing: object) -> None:
    got = one(PATIENT, None, patient=nothing)
    assert got.gap is not None
    assert not got.gap.failed
    with pytest.raises(MissingDataError) as caught:
        check_preconditions(ALL, asking({"patient": nothing, "conditions": None}), None)
    assert caught.value.keys == ("patient",)


@pytest.mark.spec("PF-4")
@pytest.mark.parametrize("failure", [FAILURE, bundle(FAILURE), {"resourceType": "OperationOutcome"}])
def test_an_operation_outcome_is_a_failed_read_and_is_not_tried_again(
    ehr: FakeEhr, reach: Reach, failure: object
) -> None:
    got = one(CONDITIONS, reach, conditions=failure)
    assert got.gap is not None
    assert got.gap.failed
    assert ehr.asked == []


def test_matches_beside_a_failure_are_kept_but_are_not_all() -> None:
    got = one(CONDITIONS, None, conditions=bundle(CANCER, FAILURE))
    assert got.resources == (CANCER,)
    assert got.gap is not None


def test_a_mere_warning_beside_the_matches_is_no_failure() -> None:
    assert one(CONDITIONS, None, conditions=bundle(CANCER, WARNING)).gap is None


@pytest.mark.spec("PF-8")
@pytest.mark.parametrize(
    "sent",
    [
        {**bundle(CANCER), "type": "collection"},
        {"resourceType": "Bundle", "entry": [{"resource": CANCER}]},
        {"resourceType": "Bundle", "entry": [None, 7, {}, {"resource": None}, {"resource": CANCER, "search": "x"}]},
        bundle(CANCER, {"resourceType": "Encounter", "id": "e"}),
        CANCER,
    ],
)
def test_the_shape_of_a_bundle_is_taken_leniently(sent: object) -> None:
    assert one(CONDITIONS, None, conditions=sent) == Got(key="conditions", resources=(CANCER,), origin="prefetch")


@pytest.mark.spec("PF-8")
def test_a_bundle_of_one_where_a_resource_is_expected_is_that_resource() -> None:
    assert one(PATIENT, None, patient=bundle(PERSON)).resources == (PERSON,)


@pytest.mark.parametrize(
    "wrong", ["x", 7, [], [CANCER], {}, {"resourceType": "List"}, {"resourceType": "Bundle", "entry": {"a": 1}}]
)
def test_a_value_of_the_wrong_kind_counts_as_not_sent(ehr: FakeEhr, reach: Reach, wrong: object) -> None:
    assert one(CONDITIONS, reach, conditions=wrong).origin == "fetched"
    with pytest.raises(MissingDataError):
        check_preconditions(ALL, asking({"patient": PERSON, "conditions": wrong}), None)


def test_another_patient_under_the_key_is_not_the_patient() -> None:
    with pytest.raises(MissingDataError) as caught:
        check_preconditions([PATIENT], asking({"patient": {**PERSON, "id": "pt-2"}}), None)
    assert "pt-2" not in caught.value.diagnostics


@pytest.mark.spec("PF-9")
def test_keys_that_were_not_asked_for_have_no_effect() -> None:
    assert set(gather(ALL, asking({"zzz": bundle(CANCER)}), None)) == {"patient", "conditions", "platelets"}


# What is missing


@pytest.mark.spec("PF-1")
def test_exactly_the_missing_keys_are_fetched(ehr: FakeEhr, reach: Reach) -> None:
    sent = {"patient": PERSON, "conditions": bundle(CANCER), "platelets": bundle(count("2026-03-01"))}
    for key, kind in (("patient", "Patient"), ("conditions", "Condition"), ("platelets", "Observation")):
        ehr.asked.clear()
        got = gather(ALL, asking({name: value for name, value in sent.items() if name != key}), reach)
        assert [asked.kind for asked in ehr.asked] == [kind]
        assert {name: one.origin for name, one in got.items()} == {**dict.fromkeys(sent, "prefetch"), key: "fetched"}


def test_prefetch_and_fetch_give_the_same_resources(reach: Reach) -> None:
    sent = {"patient": PERSON, "conditions": bundle(CANCER), "platelets": bundle(count("2026-03-01"))}
    by_prefetch, by_fetch = gather(ALL, asking(sent), None), gather(ALL, asking(), reach)
    assert {k: v.resources for k, v in by_prefetch.items()} == {k: v.resources for k, v in by_fetch.items()}


def test_without_access_a_required_key_is_named_and_an_optional_one_is_a_gap_that_nobody_tried() -> None:
    with pytest.raises(MissingDataError) as caught:
        check_preconditions(ALL, asking(), None)
    assert caught.value.status == 412
    assert caught.value.expression == ("prefetch.patient", "prefetch.conditions")
    gap = one(PLATELETS, None).gap
    assert gap is not None
    assert not gap.failed


def test_a_key_that_the_hook_does_not_require_is_no_precondition() -> None:
    view = replace(asking(), hook="patient-view")
    check_preconditions(ALL, view, None)


def test_a_required_key_whose_read_failed_is_not_the_missing_precondition(reach: Reach) -> None:
    check_preconditions(ALL, asking({"patient": PERSON, "conditions": FAILURE}), None)
    check_preconditions(ALL, asking(), reach)


@pytest.mark.spec("FA-7")
def test_what_the_scopes_do_not_cover_is_not_asked_for(ehr: FakeEhr, reach: Reach) -> None:
    access = replace(reach.access, scopes=("patient/Patient.rs", "patient/Observation.read"))
    narrow = replace(reach, access=access)
    got = gather(ALL, asking(), narrow)
    assert sorted(asked.kind for asked in ehr.asked) == ["Observation", "Patient"]
    assert got["conditions"].gap is not None
    assert not got["conditions"].gap.failed
    with pytest.raises(MissingDataError) as caught:
        check_preconditions(ALL, asking(), narrow)
    assert caught.value.keys == ("conditions",)


def test_what_the_scopes_cover_in_part_is_asked_for_and_is_not_all(reach: Reach) -> None:
    partly = replace(reach, access=replace(reach.access, scopes=("patient/Condition.rs?category=problem-list-item",)))
    got = one(CONDITIONS, partly)
    assert got.resources == (CANCER,)
    assert got.gap is not None


# What can go wrong at the EHR


def test_each_failure_is_a_gap_with_a_reason_and_the_other_keys_are_there(ehr: FakeEhr, reach: Reach) -> None:
    with serving() as elsewhere:
        for answer, words in [
            (failing(500), "HTTP 500"),
            (failing(404), "HTTP 404"),
            (failing(401), "refused access"),
            (broken(), "could not be read"),
            (redirecting(f"{elsewhere.base}/Observation"), "redirect"),
            (saying(FAILURE), "could not be used"),
            (saying({"resourceType": "Patient"}), "could not be used"),
        ]:
            ehr.on("Observation", answer)
            got = gather(ALL, asking(), reach)
            gap = got["platelets"].gap
            assert gap is not None
            assert gap.failed
            assert words in gap.reason
            assert got["conditions"].resources == (CANCER,)
        assert elsewhere.asked == []


@pytest.mark.spec("O-4")
def test_late_answers_are_left_behind_at_one_deadline_for_all(ehr: FakeEhr, reach: Reach) -> None:
    for kind in ("Condition", "Observation"):
        ehr.on(kind, ehr.hanging(saying(bundle())))
    started = time.monotonic()
    got = gather(ALL, asking(), soon(reach))
    assert time.monotonic() - started < 1
    assert got["patient"].resources == (PERSON,)
    for key in ("conditions", "platelets"):
        gap = got[key].gap
        assert gap is not None
        assert gap.failed
        assert "in time" in gap.reason


def test_what_waits_for_a_thread_at_the_deadline_is_never_asked(ehr: FakeEhr, reach: Reach) -> None:
    ehr.on("Patient", ehr.hanging(saying(PERSON)))
    with ThreadPoolExecutor(1) as narrow:
        gather(ALL, asking(), replace(soon(reach), pool=narrow))
        ehr.released.set()
    assert {asked.kind for asked in ehr.asked} == {"Patient"}


def test_the_next_page_of_a_late_answer_is_never_asked(ehr: FakeEhr, reach: Reach) -> None:
    ehr.on("Condition", ehr.hanging(saying(bundle(CANCER, following=f"{ehr.base}/Condition?page=2"))))
    with ThreadPoolExecutor(1) as pool:
        assert one(CONDITIONS, replace(soon(reach), pool=pool)).gap is not None
        ehr.released.set()
    assert len(ehr.asked) == 1


def test_a_server_that_does_not_sort_is_asked_once_more_without(ehr: FakeEhr, reach: Reach) -> None:
    ehr.on("Observation", in_turn(failing(400), saying(bundle(count("2026-03-01")))))
    assert one(PLATELETS, reach).resources == (count("2026-03-01"),)
    first, second = ehr.paths()
    assert NEWEST_FIRST in first
    assert second == first.replace(f"&{NEWEST_FIRST}", "")


def test_a_second_refusal_is_the_end_and_other_searches_are_not_repeated(ehr: FakeEhr, reach: Reach) -> None:
    ehr.on("Observation", failing(400))
    ehr.on("Condition", failing(400))
    gather(ALL, asking(), reach)
    assert (len(ehr.paths("Observation")), len(ehr.paths("Condition"))) == (2, 1)


# Pages


def page(ehr: FakeEhr, number: int) -> str:
    return f"{ehr.base}/Condition?page={number}"


@pytest.mark.spec("PF-7")
def test_all_pages_are_read(ehr: FakeEhr, reach: Reach) -> None:
    ehr.on("Condition", in_turn(saying(bundle(CANCER, following=page(ehr, 2))), saying(bundle(CLOT))))
    assert one(CONDITIONS, reach) == Got(key="conditions", resources=(CANCER, CLOT), origin="fetched")


@pytest.mark.spec("PF-7")
def test_the_first_page_in_prefetch_is_read_on_with_access(ehr: FakeEhr, reach: Reach) -> None:
    ehr.on("Condition", saying(bundle(CLOT)))
    got = one(CONDITIONS, reach, conditions=bundle(CANCER, following=page(ehr, 2)))
    assert got == Got(key="conditions", resources=(CANCER, CLOT), origin="prefetch")
    assert ehr.paths() == ["/Condition?page=2"]


@pytest.mark.spec("PF-7")
def test_without_access_the_first_page_is_not_all(ehr: FakeEhr) -> None:
    got = one(CONDITIONS, None, conditions=bundle(CANCER, following=page(ehr, 2)))
    assert got.resources == (CANCER,)
    assert got.gap is not None
    assert got.gap.failed
    assert ehr.asked == []


def test_a_page_that_fails_leaves_the_others_and_a_gap(ehr: FakeEhr, reach: Reach) -> None:
    ehr.on("Condition", in_turn(saying(bundle(CANCER, following=page(ehr, 2))), failing(500)))
    got = one(CONDITIONS, reach)
    assert got.resources == (CANCER,)
    assert got.gap is not None


@pytest.mark.parametrize("always_the_same", [True, False])
def test_pages_without_end_are_read_up_to_a_limit(ehr: FakeEhr, reach: Reach, always_the_same: bool) -> None:
    def endless(_: object) -> Reply:
        number = 2 if always_the_same else len(ehr.asked) + 1
        return saying(bundle(CANCER, following=page(ehr, number)))(ehr.asked[-1])

    ehr.on("Condition", endless)
    got = one(CONDITIONS, reach)
    assert len(ehr.asked) == (2 if always_the_same else 3)
    assert got.gap is not None
    assert "more pages" in got.gap.reason


@pytest.mark.spec("FA-9")
def test_a_next_page_on_another_server_is_not_read_and_the_token_stays(ehr: FakeEhr, reach: Reach) -> None:
    with serving() as foreign:
        ehr.on("Condition", saying(bundle(CANCER, following=f"{foreign.base}/Condition?page=2")))
        assert one(CONDITIONS, reach).gap is not None
        sent = bundle(CANCER, following=f"{foreign.base}/Condition?page=2")
        assert one(CONDITIONS, reach, conditions=sent).gap is not None
        assert foreign.asked == []


def test_of_results_the_newest_page_is_enough_when_it_is_in_order(ehr: FakeEhr, reach: Reach) -> None:
    newest = bundle(count("2026-03-02"), count("2026-03-01", 2), following=f"{ehr.base}/Observation?page=2")
    ehr.on("Observation", saying(newest))
    assert one(PLATELETS, reach).gap is None
    assert len(ehr.asked) == 1
    assert one(PLATELETS, None, platelets=newest).gap is None


@pytest.mark.parametrize("days", [("2026-03-01", "2026-03-02"), ("2026-03-02", "")])
def test_results_that_are_not_in_order_are_read_to_the_end(ehr: FakeEhr, reach: Reach, days: tuple[str, str]) -> None:
    first = bundle(*(count(day, at) for at, day in enumerate(days)), following=f"{ehr.base}/Observation?page=2")
    ehr.on("Observation", in_turn(saying(first), saying(bundle(count("2026-03-09", 9)))))
    assert len(one(PLATELETS, reach).resources) == 3


# Medications behind references


def order(reference: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "MedicationRequest", "medicationReference": {"reference": reference}, **more}


def medication(identity: str) -> dict[str, Any]:
    return {"resourceType": "Medication", "id": identity}


def test_medications_that_orders_refer_to_are_read_once_each(ehr: FakeEhr, reach: Reach) -> None:
    ehr.on("Medication", lambda asked: saying(medication(asked.path.rpartition("/")[2]))(asked))
    orders = (order("Medication/m1"), order("Medication/m1"), order(f"{ehr.base}/Medication/m2/_history/3"))
    got = with_medications(Got(key="medications", resources=orders, origin="prefetch"), reach)
    assert got.resources[:3] == orders
    assert sorted(r["id"] for r in got.resources[3:]) == ["m1", "m2"]
    assert sorted(ehr.paths()) == ["/Medication/m1", "/Medication/m2"]


@pytest.mark.parametrize(
    "reference",
    [
        "#m1",
        "urn:uuid:1",
        "Medication/..",
        "Medication/a/b",
        "Medication?x=1",
        "https://other.example/Medication/m1",
        "m1",
        "",
    ],
)
def test_references_that_lead_nowhere_or_elsewhere_are_not_followed(ehr: FakeEhr, reach: Reach, reference: str) -> None:
    assert medications([reference], reach) == {}
    assert ehr.asked == []


def test_medications_that_came_along_are_not_read_again(ehr: FakeEhr, reach: Reach) -> None:
    came = one(MEDICATIONS, reach, medications=bundle(order("Medication/m1"), medication("m1")))
    assert [r["resourceType"] for r in with_medications(came, reach).resources] == ["MedicationRequest", "Medication"]
    assert ehr.asked == []


def test_a_medication_that_cannot_be_read_is_left_out(ehr: FakeEhr, reach: Reach) -> None:
    ehr.on("Medication", failing(404))
    assert medications(["Medication/m1"], reach) == {}


def test_only_so_many_are_read_the_newest_orders_first(ehr: FakeEhr, reach: Reach) -> None:
    ehr.on("Medication", lambda asked: saying(medication(asked.path.rpartition("/")[2]))(asked))
    orders = [order(f"Medication/m{n}", authoredOn=f"2026-01-{n:02}") for n in range(1, 31)]
    with_medications(Got(key="medications", resources=tuple(orders)), reach)
    assert len(ehr.asked) == MOST_MEDICATIONS
    assert "/Medication/m30" in ehr.paths()
    assert "/Medication/m1" not in ehr.paths()


def test_without_access_or_scope_no_medication_is_read(ehr: FakeEhr, reach: Reach) -> None:
    narrow = replace(reach, access=replace(reach.access, scopes=("patient/MedicationRequest.rs",)))
    assert medications(["Medication/m1"], None) == medications(["Medication/m1"], narrow) == {}
    assert ehr.asked == []
