"""CDS Hooks, the answer: envelope, card, suggestion, action, link; each row of the specification over a real socket."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fhir.resources.R4B import get_fhir_model_class

from tests.app.hospital import bearer, listed
from tests.app.service import APIXABAN, PATIENT_ID, SUBJECT, Service, call, condition, record, running, searchset
from tests.cds_hooks_validator import service_response_faults

Json = dict[str, Any]
HOOKS = ("patient-view", "order-select", "order-sign")
WARFARIN = APIXABAN | {"id": "d2", "medicationCodeableConcept": {"text": "warfarin 5 MG Oral Tablet"}}
DRAFTS = ["MedicationRequest/d1", "MedicationRequest/d2"]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running() as one:
        yield one


@pytest.fixture(scope="module")
def answers(service: Service) -> list[Json]:
    """What is said when a chart is opened, one drug is selected, and two are signed."""
    bodies = [call("patient-view"), call("order-select"), call("order-sign", APIXABAN, WARFARIN)]
    found = [service.post(body).json() for body in bodies]
    assert all(answer["cards"] for answer in found)
    return found


@pytest.fixture(scope="module")
def cards(answers: list[Json]) -> list[Json]:
    return [card for answer in answers for card in answer["cards"]]


@pytest.fixture(scope="module")
def suggestions(cards: list[Json]) -> list[Json]:
    found = [suggestion for card in cards for suggestion in card.get("suggestions", [])]
    assert found
    return found


@pytest.fixture(scope="module")
def actions(suggestions: list[Json]) -> list[Json]:
    return [action for suggestion in suggestions for action in suggestion["actions"]]


def replaced(folder: Path, entry: str) -> list[Json]:
    """The suggestions on an order of apixaban for a client with this in its entry."""
    with running(listed(folder, entry=entry)) as one:
        answer = one.post(call("order-sign"), headers=bearer("/cds-services/cat-order-sign"))
        assert answer.status_code == 200, answer.text
        return [one for card in answer.json()["cards"] for one in card.get("suggestions", [])]


# The envelope


@pytest.mark.spec("O-1", "J-1", "E-1")
@pytest.mark.parametrize("hook", HOOKS)
def test_an_answer_is_an_object_with_cards(service: Service, hook: str) -> None:
    answer = service.post(call(hook))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert isinstance(answer.json()["cards"], list)


@pytest.mark.spec("O-2")
@pytest.mark.parametrize("hook", HOOKS)
def test_nothing_to_say_is_an_empty_list(service: Service, hook: str) -> None:
    body = call(hook, prefetch={**record(), "conditions": searchset()})
    assert (service.post(body).status_code, service.post(body).json()) == (200, {"cards": []})


@pytest.mark.spec("J-5", "J-6", "J-7", "X-4", "C-10", "C-11", "L-1")
@pytest.mark.parametrize("hook", HOOKS)
def test_nothing_is_null_empty_or_of_our_own_making(service: Service, hook: str) -> None:
    assert service_response_faults(service.post(call(hook)).json(), draft_orders=DRAFTS, patient_id=PATIENT_ID) == []


@pytest.mark.spec("AC-7", "O-3", "A-9")
def test_there_are_no_system_actions_unless_the_client_wants_the_key(answers: list[Json], tmp_path: Path) -> None:
    assert all(answer.keys() == {"cards"} for answer in answers)
    with running(listed(tmp_path, entry="system_actions_key = true")) as kit:
        for body in (call("order-sign"), call("order-sign", prefetch={**record(), "conditions": searchset()})):
            answer = kit.post(body, headers=bearer("/cds-services/cat-order-sign")).json()
            assert answer["systemActions"] == []
            assert answer.keys() == {"cards", "systemActions"}


# The card


@pytest.mark.spec("C-1")
def test_a_card_has_a_bare_uuid_of_its_own_and_of_this_invocation(service: Service, cards: list[Json]) -> None:
    uuids = [card["uuid"] for card in cards]
    assert len(uuids) == len(set(uuids))
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", uuid) for uuid in uuids)
    other = service.post(call("patient-view", hookInstance="11111111-3c1a-4e55-9d6b-2a7f0c9e41b7")).json()["cards"]
    assert not {card["uuid"] for card in other} & set(uuids)


@pytest.mark.spec("C-2", "A-8")
def test_the_summary_is_short_however_long_the_words_of_the_record(service: Service) -> None:
    text = "apixaban 5 MG Oral Tablet " + "💊 very long " * 60
    draft = APIXABAN | {"medicationCodeableConcept": APIXABAN["medicationCodeableConcept"] | {"text": text}}
    for card in service.post(call("order-sign", draft, WARFARIN)).json()["cards"]:
        assert 0 < len(card["summary"].encode("utf-16-le")) // 2 < 140
        assert not re.search(r"[\r\n\t*`<>]", card["summary"])


@pytest.mark.spec("C-3")
@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "[x](javascript:alert(1))", "`a` | b & <b>c</b>"])
def test_words_of_the_record_never_become_markup(service: Service, text: str) -> None:
    named = {"code": {**condition("c1", "C18.9")["code"], "text": text}, "onsetDateTime": "2026-01-05"}
    clot = {"code": {**condition("c2", "I82.412")["code"], "text": text}}
    conditions = searchset(condition("c1", "C18.9", **named), condition("c2", "I82.412", **clot))
    draft = APIXABAN | {"medicationCodeableConcept": APIXABAN["medicationCodeableConcept"] | {"text": text}}
    for hook in HOOKS:
        answer = service.post(call(hook, draft, prefetch={**record(), "conditions": conditions})).json()
        assert answer["cards"]
        for card in answer["cards"]:
            plain = re.sub(r"\\.", "", card["detail"] + card["summary"])
            assert not re.search(r"<[a-z/]|\]\(|`", plain, re.IGNORECASE)


@pytest.mark.spec("C-4", "O-5")
def test_indicator_and_topic_let_a_client_sort(cards: list[Json]) -> None:
    assert {card["indicator"] for card in cards} <= {"info", "warning", "critical"}
    assert all(card["source"]["topic"]["code"] for card in cards)


@pytest.mark.spec("C-5", "C-6", "C-7", "L-7")
def test_the_source_names_the_guidance_and_is_the_same_for_all_patients(service: Service, cards: list[Json]) -> None:
    for card in cards:
        assert card["source"]["label"].strip()
        assert urlsplit(card["source"]["url"]).scheme in ("http", "https")
        assert "icon" not in card["source"]
    sent = json.dumps(call("order-sign")).replace(PATIENT_ID, "canary-9")
    other = service.http.post(f"{service.url}/cds-services/cat-order-sign", data=sent, timeout=10,
                              headers={"Content-Type": "application/json"}).json()["cards"]  # fmt: skip
    assert other
    addresses = [card["source"]["url"] for card in other] + [link["url"] for card in other for link in card["links"]]
    assert "canary" not in "".join(addresses)
    assert {card["source"]["url"] for card in other} <= {card["source"]["url"] for card in cards}


@pytest.mark.spec("C-8", "X-1")
def test_codings_have_code_and_system(cards: list[Json]) -> None:
    topics = [card["source"]["topic"] for card in cards]
    reasons = [reason for card in cards for reason in card.get("overrideReasons", [])]
    assert reasons
    assert all(coding["code"] and coding["system"] for coding in topics + reasons)
    assert all(isinstance(topic, dict) for topic in topics)
    assert all(reason["display"] for reason in reasons)


@pytest.mark.spec("C-9")
def test_selection_behavior_goes_with_suggestions(cards: list[Json]) -> None:
    assert all(("suggestions" in card) == ("selectionBehavior" in card) for card in cards)
    assert {card["selectionBehavior"] for card in cards if "suggestions" in card} == {"at-most-one"}


@pytest.mark.spec("C-12")
def test_the_most_urgent_card_comes_first_and_the_order_repeats(service: Service, answers: list[Json]) -> None:
    rank = ["critical", "warning", "info"]
    for answer in answers:
        places = [rank.index(card["indicator"]) for card in answer["cards"]]
        assert places == sorted(places)
    body = call("order-sign", APIXABAN, WARFARIN)
    assert service.post(body).content == service.post(body).content


# Suggestions and actions


@pytest.mark.spec("SG-1", "SG-2")
def test_a_suggestion_has_a_label_and_a_uuid_of_its_own(suggestions: list[Json]) -> None:
    assert all(suggestion["label"].strip() for suggestion in suggestions)
    uuids = [suggestion["uuid"] for suggestion in suggestions]
    assert len(uuids) == len(set(uuids))


@pytest.mark.spec("SG-3", "SG-6")
def test_neither_a_recommendation_nor_a_newer_member_is_sent_unasked(suggestions: list[Json]) -> None:
    assert all(suggestion.keys() == {"label", "uuid", "actions"} for suggestion in suggestions)


@pytest.mark.spec("SG-4")
def test_actions_do_not_rely_on_their_order(suggestions: list[Json]) -> None:
    for suggestion in suggestions:
        targets = [action.get("resourceId") or _named(action["resource"]) for action in suggestion["actions"]]
        assert targets
        assert len(targets) == len(set(targets))


@pytest.mark.spec("SG-5")
def test_a_client_of_the_newest_version_is_told_that_actions_go_together(tmp_path: Path) -> None:
    found = replaced(tmp_path, "action_selection_behavior = true")
    assert found
    assert {suggestion["actionSelectionBehavior"] for suggestion in found} == {"all"}


@pytest.mark.spec("C-9")
def test_a_client_may_have_any_where_there_is_one_suggestion(tmp_path: Path) -> None:
    with running(listed(tmp_path, entry='selection_behavior = "any"')) as one:
        cards = one.post(call("order-sign"), headers=bearer("/cds-services/cat-order-sign")).json()["cards"]
    offering = [card for card in cards if "suggestions" in card]
    assert offering
    for card in offering:
        assert card["selectionBehavior"] == ("any" if len(card["suggestions"]) == 1 else "at-most-one")


@pytest.mark.spec("AC-1", "AC-2")
def test_an_action_has_a_type_and_a_description(actions: list[Json]) -> None:
    assert {action["type"] for action in actions} <= {"create", "update", "delete"}
    assert all(action["description"].strip() for action in actions)


@pytest.mark.spec("AC-3", "AC-8", "J-3")
def test_a_created_order_is_a_whole_draft_of_this_patient(actions: list[Json]) -> None:
    created = [action["resource"] for action in actions if action["type"] == "create"]
    assert created
    for resource in created:
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
        assert resource["id"]
        assert (resource["status"], resource["subject"]) == ("draft", SUBJECT)
        assert resource["intent"] in ("order", "proposal")


@pytest.mark.spec("AC-4")
def test_an_update_is_the_whole_draft_with_what_the_drug_does_not_touch(tmp_path: Path) -> None:
    with running(listed(tmp_path, entry='replace = "update"')) as one:
        draft = APIXABAN | {"encounter": {"reference": "Encounter/e7"}, "priority": "urgent"}
        answer = one.post(call("order-sign", draft), headers=bearer("/cds-services/cat-order-sign")).json()
    updates = [
        action["resource"]
        for card in answer["cards"]
        for suggestion in card.get("suggestions", [])
        for action in suggestion["actions"]
        if action["type"] == "update"
    ]
    assert updates
    for resource in updates:
        kept = ("resourceType", "id", "status", "intent", "subject", "encounter", "priority")
        assert {name: resource[name] for name in kept} == {name: draft[name] for name in kept}
        assert resource["medicationCodeableConcept"] != draft["medicationCodeableConcept"]


@pytest.mark.spec("AC-5")
def test_a_delete_names_its_target_in_the_form_of_the_client(actions: list[Json], tmp_path: Path) -> None:
    deletes = [action for action in actions if action["type"] == "delete"]
    assert deletes
    assert all(re.fullmatch(r"[A-Z][A-Za-z]+/\S+", one["resourceId"]) and "resource" not in one for one in deletes)
    old = [action for one in replaced(tmp_path, 'delete = "resource"') for action in one["actions"]]
    assert {one["resource"] for one in old if one["type"] == "delete"} == {"MedicationRequest/d1"}
    assert all("resourceId" not in one for one in old)


@pytest.mark.spec("AC-6")
def test_only_drafts_of_the_call_are_deleted_or_changed(service: Service, actions: list[Json]) -> None:
    targets = {action["resourceId"] for action in actions if action["type"] == "delete"}
    assert targets <= set(DRAFTS)
    signed_already = APIXABAN | {"status": "active"}
    for card in service.post(call("order-sign", signed_already)).json()["cards"]:
        types = {action["type"] for one in card.get("suggestions", []) for action in one["actions"]}
        assert not types & {"delete", "update"}


# Links and extensions


@pytest.mark.spec("L-1", "L-2", "L-3", "L-4", "L-5")
def test_links_are_whole_addresses_that_open_a_page(service: Service, cards: list[Json]) -> None:
    links = [link for card in cards for link in card["links"]]
    for link in links:
        assert link.keys() == {"label", "url", "type"}
        assert link["type"] == "absolute"
        assert link["url"].isascii()
        assert service.get(urlsplit(link["url"]).path).status_code == 200


@pytest.mark.spec("X-2")
def test_extension_is_an_object(cards: list[Json]) -> None:
    assert all(isinstance(card["extension"], dict) and card["extension"].keys() == {"cat-cds"} for card in cards)


def _named(resource: Json) -> str:
    return f"{resource['resourceType']}/{resource['id']}"
