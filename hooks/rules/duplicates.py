"""R29: two treatment-dose anticoagulants at the same time."""

from datetime import timedelta

from hooks.clinic import wording
from hooks.clinic.intent import dose_intent, is_treatment_drug
from hooks.clinic.offer import Offer, removal
from hooks.clinic.picture import Case
from hooks.clinic.treatment import PARENTERAL, stops
from hooks.facts import MedicationOrder
from hooks.finding import Answer, CannotTell
from hooks.guidelines import Evidence


def duplicate_anticoagulant(case: Case, evidence: Evidence) -> Answer:
    """Two anticoagulants in treatment dose add up to bleeding.

    When: the order under the pen and another that runs or is drafted (or two that run) treat at the same time.
    Not: one agent twice (a new phase or dose), VKA bridging and lead-in up to their days, the other ending by
    tomorrow or stopped in this session. Major bleeding: R20 speaks.
    Needs: medications.
    """
    if case.picture.bleeding.major:
        return None
    running = [c.order for c in case.picture.treatment.running_treatment if not _ends_soon(case, c.order, evidence)]
    if case.on_patient_view:
        pairs = [(a, b) for i, a in enumerate(running) for b in running[i + 1 :]]
        text, offer = "view", Offer()
    else:
        order = case.medication
        if order is None or not case.may_treat:
            return None
        others = [o for o in (*running, *_drafted(case)) if o.reference != order.reference]
        others.sort(key=lambda o: o.reference)  # whatever the order in which the drafts came
        pairs = [(order, other) for other in others]
        text, offer = "main", removal(case)
    doubled = [pair for pair in pairs if not _is_ordinary(case, evidence, *pair)]
    if doubled:
        names = sorted({wording.drug_name(o) for pair in doubled for o in pair})
        orders = {o.reference: wording.order(o) for pair in doubled for o in pair}
        because = tuple(f"At the same time: {line}" for line in orders.values())
        slots = {"drugs": wording.listed(names)}
        return evidence.finding(text, slots=slots, because=because, proposals=offer.proposals)
    gap = case.patient.gap("medications")
    return CannotTell(missing=(f"medications: {gap.reason}; other anticoagulants were not checked",)) if gap else None


def _drafted(case: Case) -> list[MedicationOrder]:
    weight = case.picture.weight.value
    return [
        draft
        for draft in case.drafts
        if is_treatment_drug(draft)
        and dose_intent(draft, case.dosing, weight, case.patient.as_of) in ("treatment", "unknown")
    ]


def _ends_soon(case: Case, order: MedicationOrder, evidence: Evidence) -> bool:
    soon = case.patient.as_of + timedelta(days=evidence.days("ends_within_days"))
    return order.ends is not None and order.ends.latest <= soon


def _is_ordinary(case: Case, evidence: Evidence, one: MedicationOrder, other: MedicationOrder) -> bool:
    """Whether two orders are one agent, bridging, a lead-in, one after the other, or one of them is being stopped."""
    if one.drug is None or other.drug is None or one.drug.name == other.drug.name:
        return True
    stopped = {s.drug.name for s in stops((*case.others, *((case.order,) if case.order else ()))) if s.drug}
    if other.drug.name in stopped or _follow_each_other(one, other):
        return True
    days = evidence.days("bridging_days")
    return any(
        parenteral.drug is not None
        and parenteral.drug.anticoagulant in PARENTERAL
        and oral.drug is not None
        and (
            (oral.drug.anticoagulant == "VKA" and _days_running(case, oral) <= days)
            or (oral.drug.name in evidence.lists["lead_in_drugs"] and _days_running(case, parenteral) <= days)
        )
        for parenteral, oral in ((one, other), (other, one))
    )


def _follow_each_other(one: MedicationOrder, other: MedicationOrder) -> bool:
    return any(
        first.ends is not None and second.starts is not None and first.ends.latest < second.starts.earliest
        for first, second in ((one, other), (other, one))
    )


def _days_running(case: Case, order: MedicationOrder) -> int:
    if order.starts is None or order.status in ("draft", ""):
        return 0
    return max(order.starts.days_before(case.patient.as_of).fewest, 0)
