"""Other medicines that change the effect of a direct oral anticoagulant, or add to the bleeding risk."""

from hooks.clinic import wording
from hooks.clinic.picture import Case
from hooks.facts import MedicationOrder

STRONG = ("inducer-strong", "inhibitor-combined")
LESSER = {
    "inducer-moderate-or-weak": "may lower the DOAC level a little",
    "antiplatelet-or-nsaid": "adds to the bleeding risk",
}


def interacting(case: Case, group: str) -> tuple[MedicationOrder, ...]:
    """Medicines of an interaction group that run today or are drafted in this session."""
    today = case.patient.as_of
    running = [
        m
        for m in case.patient.medications
        if m.status == "active" and not m.do_not_perform and (m.ends is None or m.ends.latest >= today)
    ]
    found: dict[str, MedicationOrder] = {}
    for order in (*running, *case.drafts):
        if order.drug and order.drug.interaction == group and order is not case.order:
            found.setdefault(order.drug.name, order)
    return tuple(found.values())


def lesser_lines(case: Case) -> tuple[str, ...]:
    """Weak inducers, antiplatelets and NSAIDs: a line in a card that fires anyway, no card of their own."""
    lines = []
    for group, effect in LESSER.items():
        names = [wording.drug_name(m) for m in interacting(case, group)]
        if names:
            lines.append(f"Also taken: {wording.listed(names)} ({effect})")
    return tuple(lines)
