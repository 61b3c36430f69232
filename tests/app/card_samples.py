"""One card with one button, as the medical half hands it over, and the call that it answers."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from app import wire
from hooks.card import Card, OverrideReason
from hooks.finding import Urgency
from hooks.proposal import Proposal, ProposedOrder

KEY = b"a key for the tests, shared by replicas"
DRAFT: dict[str, Any] = {
    "resourceType": "MedicationRequest",
    "id": "draft-1",
    "status": "draft",
    "intent": "order",
    "subject": {"reference": "Patient/p1"},
    "medicationCodeableConcept": {"text": "apixaban 5 mg"},
}
DRAFTS = {"MedicationRequest/draft-1": DRAFT}

FIRST_PHASE = ProposedOrder(
    drug="dalteparin",
    product_code="978744",
    product_display="0.6 ML dalteparin sodium 25000 UNT/ML Prefilled Syringe",
    product_text="dalteparin 15 000 IU/0.6 mL prefilled syringe",
    amount=Decimal(15000),
    unit="IU",
    times_per_day=1,
    route="subcutaneous",
    first_day=date(2026, 3, 2),
    last_day=date(2026, 3, 31),
    note="70 kg on 2026-03-01 x 200 IU/kg = 14 000 IU; band 69-82 kg: 15 000 IU",
    reason="Condition/dvt",
    reason_label="Deep vein thrombosis of left leg",
)
SECOND_PHASE = replace(FIRST_PHASE, amount=Decimal(12500), first_day=date(2026, 4, 1), last_day=date(2026, 9, 1))
REPLACEMENT = Proposal(
    label="Replace apixaban by dalteparin",
    orders=(FIRST_PHASE, SECOND_PHASE),
    replaces="MedicationRequest/draft-1",
    replaces_label="apixaban 5 mg",
)
CARD = Card(
    rule="doac-in-cancer",
    rule_number=4,
    rule_display="DOAC in cancer-associated VTE",
    rules=("doac-in-cancer", "doac-needs-lead-in"),
    urgency=Urgency.WARNING,
    summary="Cancer-associated DVT: LMWH is preferred to apixaban",
    detail="**Why**\n\n- C49.21 active\n- 1 \\< 2",
    source_label="Guidance 2014",
    source_url="",
    profile="lmwh-first-2014",
    profile_number=1,
    knowledge="2026.03.1",
    order="MedicationRequest/draft-1",
    proposals=(REPLACEMENT,),
    override_reasons=(OverrideReason(code="patient-choice", display="The patient prefers tablets"),),
)


def answer(*cards: Card, **changes: Any) -> dict[str, Any]:
    """The body of the answer with ``cards`` (the sample card if none is given)."""
    call: dict[str, Any] = {
        "public_url": "https://cds.example.org/cat",
        "issuer": "https://ehr.example.org",
        "service_id": "cat-order-select",
        "hook_instance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "patient_id": "p1",
        "as_of": date(2026, 3, 2),
        "key": KEY,
        "encounter_id": "e1",
        "user_id": "Practitioner/dr-1",
        "drafts": DRAFTS,
    }
    return wire.response(cards or (CARD,), **(call | changes))


def first_card(body: dict[str, Any]) -> dict[str, Any]:
    """The first card of an answer."""
    card: dict[str, Any] = body["cards"][0]
    return card


def actions(body: dict[str, Any], suggestion: int = 0) -> list[dict[str, Any]]:
    """The actions of one suggestion of the first card."""
    found: list[dict[str, Any]] = first_card(body)["suggestions"][suggestion]["actions"]
    return found
