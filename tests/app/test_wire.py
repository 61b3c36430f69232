"""What goes out: cards, discovery and errors as the CDS Hooks specification wants them."""

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import wire
from app.identity import Identity, rule_of
from hooks.finding import Urgency
from hooks.proposal import Proposal
from tests.app.card_samples import CARD, DRAFT, DRAFTS, FIRST_PHASE, KEY, REPLACEMENT, actions, answer, first_card
from tests.cds_hooks_validator import discovery_faults, operation_outcome_faults, service_response_faults


def faults(body: dict[str, Any], **options: Any) -> list[str]:
    return service_response_faults(json.loads(json.dumps(body)), draft_orders=list(DRAFTS), patient_id="p1", **options)


# -- the envelope and the card


def test_nothing_to_say_is_an_empty_list_of_cards() -> None:
    assert wire.response(
        (),
        public_url="https://cds.example.org",
        issuer="i",
        service_id="s",
        hook_instance="h",
        patient_id="p1",
        as_of=FIRST_PHASE.first_day,
        key=KEY,
    ) == {"cards": []}


def test_the_sample_card_has_no_fault() -> None:
    assert faults(answer()) == []


def test_the_members_of_a_card() -> None:
    card = first_card(answer())
    for varying in ("uuid", "suggestions"):
        del card[varying]
    assert card == {
        "summary": "Cancer-associated DVT: LMWH is preferred to apixaban",
        "detail": "**Why**\n\n- C49.21 active\n- 1 \\< 2",
        "indicator": "warning",
        "source": {
            "label": "Guidance 2014",
            "url": "https://cds.example.org/cat/rules/doac-in-cancer",
            "topic": {
                "code": "doac-in-cancer",
                "system": "https://cds.example.org/cat/rules",
                "display": "DOAC in cancer-associated VTE",
            },
        },
        "selectionBehavior": "at-most-one",
        "overrideReasons": [
            {
                "code": "patient-choice",
                "system": "https://cds.example.org/cat/override-reasons",
                "display": "The patient prefers tablets",
            }
        ],
        "links": [
            {
                "label": "About this rule: DOAC in cancer-associated VTE",
                "url": "https://cds.example.org/cat/rules/doac-in-cancer",
                "type": "absolute",
            }
        ],
        "extension": {
            "cat-cds": {
                "rules": ["doac-in-cancer", "doac-needs-lead-in"],
                "profile": "lmwh-first-2014",
                "knowledge": "2026.03.1",
            }
        },
    }


def test_a_card_with_nothing_optional_has_no_empty_members() -> None:
    body = answer(replace(CARD, detail="", proposals=(), override_reasons=()))
    card = first_card(body)
    assert faults(body) == []
    assert not {"detail", "suggestions", "selectionBehavior", "overrideReasons"} & card.keys()


def test_cards_keep_their_order() -> None:
    cards = [replace(CARD, summary=text, order="", proposals=()) for text in "cab"]
    assert [card["summary"] for card in answer(*cards)["cards"]] == ["c", "a", "b"]


@pytest.mark.parametrize(("urgency", "word"), [(Urgency.INFO, "info"), (Urgency.CRITICAL, "critical")])
def test_the_indicator_is_the_urgency(urgency: Urgency, word: str) -> None:
    assert first_card(answer(replace(CARD, urgency=urgency)))["indicator"] == word


def test_a_rule_s_own_source_page_wins_and_is_percent_encoded() -> None:
    card = first_card(answer(replace(CARD, source_url="https://bücher.example/Leitlinie Ü?q=ä%20b#§1")))
    assert card["source"]["url"] == "https://xn--bcher-kva.example/Leitlinie%20%C3%9C?q=%C3%A4%20b#%C2%A71"


def test_a_public_url_may_end_in_a_slash() -> None:
    assert answer(public_url="https://cds.example.org/cat/") == answer()


# -- the summary


@pytest.mark.spec("C-2", "A-8")
@pytest.mark.parametrize("summary", ["x" * 139, "💊" * 69 + "x"])
def test_139_utf16_units_fit(summary: str) -> None:
    assert wire.summary_fits(summary)
    assert first_card(answer(replace(CARD, summary=summary)))["summary"] == summary


@pytest.mark.spec("C-2", "A-8")
@pytest.mark.parametrize("summary", ["x" * 140, "💊" * 70, "word " * 40])
def test_a_longer_summary_is_seen_and_shortened(summary: str) -> None:
    assert not wire.summary_fits(summary)
    shown = first_card(answer(replace(CARD, summary=summary)))["summary"]
    assert wire.summary_fits(shown)
    assert shown.endswith("…")


def test_it_is_cut_at_a_word() -> None:
    summary = "Dalteparin " + "preferred, " * 20
    shown = first_card(answer(replace(CARD, summary=summary)))["summary"]
    assert shown == "Dalteparin " + "preferred, " * 10 + "preferred…"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1))
def test_whatever_the_summary_the_answer_obeys_the_limit(summary: str) -> None:
    assert wire.summary_fits(first_card(answer(replace(CARD, summary=summary, proposals=()))).get("summary", ""))


# -- suggestions


def test_creates_come_first_and_the_delete_last() -> None:
    sent = actions(answer())
    assert [action["type"] for action in sent] == ["create", "create", "delete"]
    assert sent[0]["description"] == (
        "Order dalteparin 15 000 IU subcutaneously once daily, from 2026-03-02 to 2026-03-31"
    )
    assert sent[2] == {
        "type": "delete",
        "description": "Delete the draft order: apixaban 5 mg",
        "resourceId": "MedicationRequest/draft-1",
    }


def test_each_phase_is_an_order_with_its_own_id_dose_and_days() -> None:
    first, second = (action["resource"] for action in actions(answer())[:2])
    assert first["id"] != second["id"]
    doses = [r["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] for r in (first, second)]
    assert doses == [15000, 12500]
    periods = [r["dosageInstruction"][0]["timing"]["repeat"]["boundsPeriod"] for r in (first, second)]
    assert periods == [
        {"start": "2026-03-02", "end": "2026-03-31"},
        {"start": "2026-04-01", "end": "2026-09-01"},
    ]


def test_who_where_and_when_come_from_the_call() -> None:
    resource = actions(answer())[0]["resource"]
    assert resource["subject"] == {"reference": "Patient/p1"}
    assert resource["encounter"] == {"reference": "Encounter/e1"}
    assert resource["requester"] == {"reference": "Practitioner/dr-1"}
    assert resource["authoredOn"] == "2026-03-02"


@pytest.mark.spec("AC-5")
def test_an_old_client_gets_the_delete_in_its_form() -> None:
    body = answer(delete_form="resource")
    assert actions(body)[2]["resource"] == "MedicationRequest/draft-1"
    assert "resourceId" not in actions(body)[2]
    assert faults(body, delete_form="resource") == []


def test_a_client_without_delete_gets_an_update_of_the_draft_and_creates_for_the_rest() -> None:
    body = answer(replace_form="update")
    sent = actions(body)
    assert [action["type"] for action in sent] == ["update", "create"]
    assert sent[0]["resource"]["id"] == "draft-1"
    assert sent[0]["description"].startswith("Change the draft order to dalteparin 15 000 IU")
    assert sent[1]["resource"]["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] == 12500
    assert faults(body) == []


def test_such_a_client_gets_no_button_when_no_update_can_be_made_valid() -> None:
    broken = {"MedicationRequest/draft-1": DRAFT | {"subject": None}}
    assert "suggestions" not in first_card(answer(replace_form="update", drafts=broken))
    assert [action["type"] for action in actions(answer(drafts=broken))] == ["create", "create", "delete"]


def test_a_proposal_may_only_delete() -> None:
    only_delete = replace(CARD, proposals=(replace(REPLACEMENT, orders=(), replaces_label=""),))
    for form in ("create-delete", "update"):
        body = answer(only_delete, replace_form=form)
        assert actions(body) == [
            {
                "type": "delete",
                "description": "Delete the draft order",
                "resourceId": "MedicationRequest/draft-1",
            }
        ]


def test_a_proposal_may_only_create() -> None:
    body = answer(replace(CARD, proposals=(replace(REPLACEMENT, replaces=None),)), drafts={})
    assert [action["type"] for action in actions(body)] == ["create", "create"]


@pytest.mark.spec("AC-6")
@pytest.mark.parametrize(
    "drafts",
    [
        {},
        {"MedicationRequest/draft-2": DRAFT | {"id": "draft-2"}},
        {"MedicationRequest/draft-1": DRAFT | {"status": "active"}},
        {"MedicationRequest/draft-1": {name: DRAFT[name] for name in DRAFT if name != "status"}},
        {"MedicationRequest/draft-1": DRAFT | {"id": "another"}},
        {"MedicationRequest/draft-1": {name: DRAFT[name] for name in DRAFT if name != "id"}},
    ],
    ids=["no drafts", "another draft", "already active", "no status", "wrong id", "no id"],
)
@pytest.mark.parametrize("form", ["create-delete", "update"])
def test_what_is_not_a_draft_of_this_call_is_never_touched_nor_doubled(drafts: dict[str, Any], form: str) -> None:
    card = first_card(answer(drafts=drafts, replace_form=form))
    assert "suggestions" not in card
    assert "selectionBehavior" not in card


@pytest.mark.parametrize("odd", ["../d1", "d 1", "d_1", "x" * 65, "💊"])
def test_a_draft_whose_id_is_no_fhir_id_is_not_named_in_an_action(odd: str) -> None:
    draft = {f"MedicationRequest/{odd}": DRAFT | {"id": odd}}
    card = replace(CARD, proposals=(replace(REPLACEMENT, replaces=f"MedicationRequest/{odd}"),))
    for form in ("create-delete", "update"):
        assert "suggestions" not in first_card(answer(card, drafts=draft, replace_form=form))


def test_two_drafts_without_an_id_are_not_confused() -> None:
    nameless = {name: DRAFT[name] for name in DRAFT if name != "id"}
    proposal = replace(REPLACEMENT, replaces="MedicationRequest/None")
    card = first_card(answer(replace(CARD, proposals=(proposal,)), drafts={"MedicationRequest/None": nameless}))
    assert "suggestions" not in card


orders = st.builds(
    replace,
    st.just(FIRST_PHASE),
    amount=st.decimals(min_value=1, max_value=20000, places=1),
    unit=st.sampled_from(["mg", "IU"]),
    route=st.sampled_from(["oral", "subcutaneous"]),
    times_per_day=st.integers(1, 4),
    note=st.sampled_from(["", "70 kg"]),
    reason=st.sampled_from(["", "Condition/dvt"]),
    reason_label=st.sampled_from(["", " ", "DVT"]),
)
proposals = st.builds(
    replace,
    st.just(REPLACEMENT),
    orders=st.lists(orders, min_size=1, max_size=3).map(tuple),
    replaces=st.sampled_from([None, "MedicationRequest/draft-1", "MedicationRequest/on-record"]),
    replaces_label=st.sampled_from(["", "apixaban"]),
)


@given(
    offered=st.lists(st.lists(proposals, max_size=3).map(tuple), max_size=3),
    form=st.sampled_from(["create-delete", "update"]),
    encounter=st.sampled_from([None, "e1"]),
    user=st.sampled_from([None, "Practitioner/1", "Patient/p1"]),
)
def test_whatever_is_offered_the_answer_obeys_the_specification(
    offered: list[tuple[Proposal, ...]], form: str, encounter: str | None, user: str | None
) -> None:
    cards = [replace(CARD, proposals=some) for some in offered]
    body = answer(*cards, replace_form=form, encounter_id=encounter, user_id=user)
    assert faults(body) == []


# -- uuids


def test_an_equal_call_gets_an_equal_answer() -> None:
    assert answer() == answer()


@pytest.mark.spec("C-1")
@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://other.example.org"},
        {"service_id": "cat-order-sign"},
        {"hook_instance": "11111111-dfbe-44ad-ba6d-3e05e953b2ea"},
        {"key": b"another key"},
    ],
)
def test_another_call_gets_other_uuids(change: dict[str, Any]) -> None:
    one, other = first_card(answer()), first_card(answer(**change))
    assert one["uuid"] != other["uuid"]
    assert one["suggestions"][0]["uuid"] != other["suggestions"][0]["uuid"]


def test_feedback_finds_rule_and_profile_in_the_uuids() -> None:
    two = replace(CARD, proposals=(REPLACEMENT, Proposal(label="Delete only", replaces="MedicationRequest/draft-1")))
    card = first_card(answer(two))
    assert rule_of(card["uuid"], key=KEY) == Identity(rule_number=4, profile_number=1, kind="card")
    assert [rule_of(s["uuid"], key=KEY) for s in card["suggestions"]] == [
        Identity(rule_number=4, profile_number=1, kind="suggestion", place=place) for place in (0, 1)
    ]


def test_even_equal_cards_have_uuids_of_their_own() -> None:
    body = answer(CARD, CARD)
    assert faults(body) == []
    assert len({card["uuid"] for card in body["cards"]}) == 2


# -- discovery


@dataclass
class Row:
    id: str
    hook: str
    title: str = "Cancer and clots"
    description: str = "Checks anticoagulant orders."


def test_discovery() -> None:
    prefetch = {"cat-order-sign": {"patient": "Patient/{{context.patientId}}"}}
    rows = [Row("cat-order-sign", "order-sign"), Row("cat-patient-view", "patient-view")]
    body = wire.discovery(rows, public_url="https://cds.example.org", prefetch=prefetch)
    assert discovery_faults(body) == []
    assert body["services"][0] == {
        "hook": "order-sign",
        "title": "Cancer and clots",
        "description": "Checks anticoagulant orders.",
        "id": "cat-order-sign",
        "usageRequirements": "FHIR R4. What prefetch leaves out is read from the FHIR server of the request, "
        "if the client allows it. Documentation: https://cds.example.org/",
        "prefetch": {"patient": "Patient/{{context.patientId}}"},
        "version": "2.0.1",
    }
    assert "prefetch" not in body["services"][1]


@pytest.mark.spec("D-3")
def test_discovery_without_services() -> None:
    assert wire.discovery([], public_url="https://cds.example.org", prefetch={}) == {"services": []}


def test_prefetch_keeps_the_order_of_the_templates() -> None:
    templates = {"patient": "Patient/{{context.patientId}}", "a": "A?x=1", "z": "Z?x=1", "b": "B?x=1"}
    body = wire.discovery([Row("s", "order-sign")], public_url="https://x.example", prefetch={"s": templates})
    assert list(body["services"][0]["prefetch"]) == ["patient", "a", "z", "b"]


# -- errors


def test_an_error_is_an_operation_outcome_with_the_correlation_id() -> None:
    body = wire.operation_outcome(
        code="required",
        text="The problem list is needed.",
        diagnostics="prefetch key conditions",
        expression=("prefetch.conditions",),
        correlation_id="7f00-1",
    )
    assert operation_outcome_faults(body) == []
    assert body == {
        "resourceType": "OperationOutcome",
        "id": "7f00-1",
        "issue": [
            {
                "severity": "error",
                "code": "required",
                "details": {"text": "The problem list is needed."},
                "diagnostics": "prefetch key conditions",
                "expression": ["prefetch.conditions"],
            }
        ],
    }


def test_an_error_may_be_short() -> None:
    body = wire.operation_outcome(code="login", text="Sign in.")
    assert operation_outcome_faults(body) == []
    assert body["issue"] == [{"severity": "error", "code": "login", "details": {"text": "Sign in."}}]


def test_the_models_can_be_warmed() -> None:
    wire.warm()


# -- what a client can read


@pytest.mark.spec("SG-6", "O-3", "A-9")
def test_a_client_that_is_not_known_to_be_newer_gets_what_all_versions_understand() -> None:
    card = first_card(answer())
    assert card["selectionBehavior"] == "at-most-one"
    assert all("actionSelectionBehavior" not in one for one in card["suggestions"])
    assert "systemActions" not in answer()


@pytest.mark.spec("C-9")
def test_any_is_said_of_a_single_suggestion_and_never_of_alternatives() -> None:
    alone = first_card(answer(selection_behavior="any"))
    assert (len(alone["suggestions"]), alone["selectionBehavior"]) == (1, "any")
    alternatives = first_card(answer(replace(CARD, proposals=(REPLACEMENT, REPLACEMENT)), selection_behavior="any"))
    assert (len(alternatives["suggestions"]), alternatives["selectionBehavior"]) == (2, "at-most-one")
    without = first_card(answer(replace(CARD, proposals=()), selection_behavior="any"))
    assert "selectionBehavior" not in without


@pytest.mark.spec("SG-5")
def test_a_client_of_the_newest_version_is_told_that_all_actions_go_together() -> None:
    (suggestion,) = first_card(answer(action_selection_behavior=True))["suggestions"]
    assert suggestion.pop("actionSelectionBehavior") == "all"
    assert suggestion == first_card(answer())["suggestions"][0]
