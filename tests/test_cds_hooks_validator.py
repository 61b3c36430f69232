"""The validator that other tests lean on: it passes a right answer and sees every single fault."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.app.card_samples import answer
from tests.cds_hooks_validator import discovery_faults, operation_outcome_faults, service_response_faults

Json = dict[str, Any]
REMOVED = object()


def faults(body: object) -> list[str]:
    return service_response_faults(body, draft_orders=["MedicationRequest/draft-1"], patient_id="p1")


def changed(body: Json, path: str, value: Any) -> Json:
    """A copy of ``body`` in which ``path`` (dots, numbers for places) holds ``value`` or is removed."""
    copy: Json = json.loads(json.dumps(body))
    *steps, last = (int(step) if step.isdigit() else step for step in path.split("."))
    holder: Any = copy
    for step in steps:
        holder = holder[step]
    if value is REMOVED:
        del holder[last]
    else:
        holder[last] = value
    return copy


def test_a_right_answer_has_no_fault() -> None:
    assert faults(answer()) == []
    assert faults(answer(replace_form="update")) == []
    assert faults({"cards": []}) == []


CARD = "cards.0"
SUGGESTION = "cards.0.suggestions.0"
CREATE = f"{SUGGESTION}.actions.0"
DELETE = f"{SUGGESTION}.actions.2"


@pytest.mark.spec("J-5", "J-6", "J-7", "X-4", "L-3", "L-4")
@pytest.mark.parametrize(
    ("path", "value", "seen"),
    [
        ("cards", REMOVED, "$.cards: missing"),
        ("cards", {}, "$.cards: not list"),
        ("cards", [1], "$.cards[0]: not an object"),
        ("systemActions", [], "$.systemActions: unknown member"),
        ("extension", {}, "$.extension: null or empty"),
        (f"{CARD}.uuid", REMOVED, ".uuid: missing"),
        (f"{CARD}.uuid", "urn:uuid:d1577c69-dfbe-84ad-ba6d-3e05e953b2ea", ".uuid: no bare lower-case uuid"),
        (f"{CARD}.uuid", "D1577C69-DFBE-84AD-BA6D-3E05E953B2EA", ".uuid: no bare lower-case uuid"),
        (f"{CARD}.summary", "x" * 140, ".summary: 140 UTF-16 units"),
        (f"{CARD}.summary", "💊" * 70, ".summary: 140 UTF-16 units"),
        (f"{CARD}.summary", "**LMWH**", ".summary: markup"),
        (f"{CARD}.summary", "<b>LMWH</b>", ".summary: markup"),
        (f"{CARD}.summary", "two\nlines", ".summary: markup"),
        (f"{CARD}.summary", " ", ".summary: null or empty"),
        (f"{CARD}.detail", "", ".detail: null or empty"),
        (f"{CARD}.detail", "x <script>alert(1)</script>", ".detail: HTML"),
        (f"{CARD}.detail", "[x](javascript:alert)", ".detail: script link"),
        (f"{CARD}.indicator", "hard-stop", ".indicator: not info, warning or critical"),
        (f"{CARD}.isRecommended", True, ".isRecommended: unknown member"),
        (f"{CARD}.source", REMOVED, ".source: missing"),
        (f"{CARD}.source.label", "", ".label: null or empty"),
        (f"{CARD}.source.url", "/rules/x", ".source.url: not an absolute"),
        (f"{CARD}.source.url", "https://x.example/Ü", ".source.url: not an absolute"),
        (f"{CARD}.source.topic", REMOVED, ".topic: missing"),
        (f"{CARD}.source.topic", [{"code": "x"}], ".topic: not an object"),
        (f"{CARD}.source.topic.code", "two words", ".topic.code: spaces"),
        (f"{CARD}.source.topic.system", "rules", ".topic.system: not a URI"),
        (f"{CARD}.source.topic.version", "1", ".topic.version: unknown member"),
        (f"{CARD}.suggestions", [], ".suggestions: null or empty"),
        (f"{CARD}.suggestions", REMOVED, ".selectionBehavior: must go with suggestions"),
        (f"{CARD}.selectionBehavior", REMOVED, ".selectionBehavior: must go with suggestions"),
        (f"{CARD}.selectionBehavior", "any", ".selectionBehavior: not at-most-one"),
        (f"{CARD}.overrideReasons", [], ".overrideReasons: null or empty"),
        (f"{CARD}.overrideReasons.0.display", REMOVED, ".overrideReasons[0].display: missing"),
        (f"{CARD}.overrideReasons", [{"code": "a", "system": "urn:a", "display": "a"}] * 2, "override reason a twice"),
        (f"{CARD}.links", [], ".links: null or empty"),
        (f"{CARD}.links.0.type", "relative", ".type: not absolute or smart"),
        (f"{CARD}.links.0.type", None, ".type: null or empty"),
        (f"{CARD}.links.0.url", "https://x.example/a b", ".links[0].url: not an absolute"),
        (f"{CARD}.links.0.url", "https://x.example/?patient=p1", ".links[0].url: names the patient"),
        (f"{CARD}.links.0.appContext", "x", ".appContext: only on smart links"),
        (
            f"{CARD}.links.0",
            {"label": "x", "type": "smart", "url": "https://x.example/?launch=1"},
            ".url: iss or launch",
        ),
        (f"{CARD}.extension", [], ".extension: null or empty"),
        (f"{CARD}.extension.cat-cds.profile", None, ".profile: null or empty"),
        (f"{SUGGESTION}.label", REMOVED, ".label: missing"),
        (f"{SUGGESTION}.uuid", REMOVED, ".uuid: missing"),
        (f"{SUGGESTION}.isRecommended", True, ".isRecommended: unknown member"),
        (f"{SUGGESTION}.actions", [], ".actions: null or empty"),
        (f"{CREATE}.type", "upsert", ".type: not create, update or delete"),
        (f"{CREATE}.description", REMOVED, ".description: missing"),
        (f"{CREATE}.resource", REMOVED, ".resource: missing"),
        (f"{CREATE}.resourceId", "MedicationRequest/draft-1", ".resourceId: unknown member"),
        (f"{CREATE}.type", "update", ".resource.id: not in draftOrders"),
        (f"{CREATE}.resource.id", "draft-1", ".resource.id: in draftOrders"),
        (f"{CREATE}.resource.id", REMOVED, ".resource.id: missing"),
        (f"{CREATE}.resource.status", "active", ".status: not draft"),
        (f"{CREATE}.resource.intent", "plan", ".intent: not order or proposal"),
        (f"{CREATE}.resource.subject.reference", "Patient/p2", ".subject: another patient"),
        (f"{CREATE}.resource.resourceType", "Observation", ".resourceType: no order"),
        (f"{CREATE}.resource.resourceType", "Nonsense", ".resourceType: unknown"),
        (f"{CREATE}.resource.colour", "red", ".resource.colour: Extra inputs"),
        (f"{CREATE}.resource.note", [], ".resource.note: null or empty"),
        (
            f"{CREATE}.resource.dosageInstruction.0.doseAndRate.0.doseQuantity.value",
            "15000",
            "the dose is no positive number",
        ),
        (f"{CREATE}.resource.dosageInstruction.0.doseAndRate.0.doseQuantity.value", 15000.0, "needless point"),
        (f"{CREATE}.resource.dosageInstruction.0.timing.repeat.periodUnit", "days", "periodUnit"),
        (f"{DELETE}.resourceId", "draft-1", ".resourceId: not Type/id"),
        (f"{DELETE}.resourceId", "MedicationRequest/on-record", ".resourceId: not in draftOrders"),
        (f"{DELETE}.resource", "MedicationRequest/draft-1", ".resource: unknown member"),
        (f"{DELETE}.resourceId", REMOVED, ".resourceId: missing"),
    ],
)
def test_each_fault_is_seen(path: str, value: Any, seen: str) -> None:
    found = faults(changed(answer(), path, value))
    assert any(seen in fault for fault in found), found


def _delete_first(body: Json) -> None:
    body["cards"][0]["suggestions"][0]["actions"].reverse()


def _same_uuid(body: Json) -> None:
    body["cards"][0]["suggestions"][0]["uuid"] = body["cards"][0]["uuid"]


def _same_new_id(body: Json) -> None:
    one, two, _ = body["cards"][0]["suggestions"][0]["actions"]
    two["resource"]["id"] = one["resource"]["id"]


@pytest.mark.parametrize(
    ("spoil", "seen"),
    [
        (_delete_first, "a delete before a create"),
        (_same_uuid, "twice"),
        (_same_new_id, "id of a created resource"),
    ],
)
def test_faults_between_members_are_seen(spoil: Callable[[Json], None], seen: str) -> None:
    body = changed(answer(), f"{CARD}.summary", "as it was")
    spoil(body)
    assert any(seen in fault for fault in faults(body)), faults(body)


@pytest.mark.parametrize("body", [None, [], "text", 1])
def test_an_answer_that_is_no_object_is_seen(body: object) -> None:
    assert faults(body) == ["$: not an object"]
    assert discovery_faults(body) == ["$: not an object"]
    assert operation_outcome_faults(body) == ["$: no OperationOutcome"]


SERVICE: Json = {
    "hook": "order-sign",
    "title": "Clots",
    "description": "Checks orders.",
    "id": "clots",
    "prefetch": {
        "patient": "Patient/{{context.patientId}}",
        "weight": "Observation?patient={{context.patientId}}&code=http://loinc.org|29463-7&_sort=-date&_count=5",
    },
    "version": "2.0.1",
}


def test_a_right_discovery_has_no_fault() -> None:
    assert discovery_faults({"services": [SERVICE]}) == []
    assert discovery_faults({"services": []}) == []


@pytest.mark.spec("J-5", "J-6")
@pytest.mark.parametrize(
    ("path", "value", "seen"),
    [
        ("id", REMOVED, ".id: missing"),
        ("id", "a/b", ".id: no single path segment"),
        ("title", "", ".title: null or empty"),
        ("description", REMOVED, ".description: missing"),
        ("hook", 1, ".hook: not str"),
        ("version", "2", ".version: no semantic version"),
        ("colour", "red", ".colour: unknown member"),
        ("prefetch", {}, ".prefetch: null or empty"),
        ("prefetch.patient", "/Patient/{{context.patientId}}", "neither a read nor a search"),
        ("prefetch.patient", "https://x.example/Patient?x=1", "neither a read nor a search"),
        ("prefetch.patient", "Patient/{{context.patientid}}", "no token of order-sign"),
        ("prefetch.patient", "Patient/{{context.selections}}", "no token of order-sign"),
        ("prefetch.patient", "Patient/{{patientId}}", "no token of order-sign"),
        ("prefetch.weight", "Observation?_has:x=1", "beyond what clients support"),
        ("prefetch.weight", "Observation?sort:desc=date", "beyond what clients support"),
        ("prefetch.weight", "Observation?x=" + "1" * 1500, "1514 characters"),
        ("prefetch", {"two words": "Observation?x=1"}, "spaces in the key"),
    ],
)
def test_each_fault_of_discovery_is_seen(path: str, value: Any, seen: str) -> None:
    found = discovery_faults({"services": [changed(SERVICE, path, value)]})
    assert any(seen in fault for fault in found), found


def test_a_service_listed_twice_is_seen() -> None:
    assert discovery_faults({"services": [SERVICE, SERVICE]}) == ["$: id and hook ('clots', 'order-sign') twice"]


@pytest.mark.parametrize(
    ("path", "value", "seen"),
    [
        ("issue", REMOVED, "issue"),
        ("issue.0.code", REMOVED, "code"),
        ("issue.0.severity", "bad", "severity"),
        ("issue.0.details", {"text": ""}, "null or empty"),
        ("issue.0.details.text", REMOVED, "details.text: missing"),
        ("issue.0.diagnostics", "<html>", "HTML"),
        ("resourceType", "Bundle", "no OperationOutcome"),
    ],
)
def test_each_fault_of_an_error_is_seen(path: str, value: Any, seen: str) -> None:
    issue = {"severity": "error", "code": "invalid", "details": {"text": "Wrong."}}
    right = {"resourceType": "OperationOutcome", "issue": [issue]}
    assert operation_outcome_faults(right) == []
    found = operation_outcome_faults(changed(right, path, value))
    assert any(seen in fault for fault in found), found
