"""R1: cancer-associated VTE without a treatment-dose anticoagulant."""

from hooks.clinic import describe, wording
from hooks.clinic.offer import start
from hooks.clinic.picture import Case
from hooks.clinic.treatment import STOPPED
from hooks.finding import Answer, CannotTell, Urgency
from hooks.guidelines import Evidence


def start_anticoagulation(case: Case, evidence: Evidence) -> Answer:
    """Seed: a confirmed clot with cancer needs treatment-dose anticoagulation at once.

    When: on patient-view, VTE up to 180 days old, no treatment-dose anticoagulant running, and neither major
    bleeding, HIT nor platelets under the holding limit (R20, R26, R22 speak then). Palliative care silences it.
    Then: name the problem; offer dalteparin by weight where a dose can be given.
    Needs: medications.
    """
    picture = case.picture
    if picture.clot is None or picture.palliative or not picture.clot.may_be_within(evidence.days("within_days")):
        return None
    gap = case.patient.gap("medications")
    if gap:
        return CannotTell(missing=(f"medications: {gap.reason}",))
    if picture.treatment.covered or is_blocked(case, evidence):
        return None
    offer = start(case)
    on_hold = [wording.order(c.order) for c in picture.treatment.courses if c.order.status == "on-hold" and c.treats]
    lower = [wording.order(c.order) for c in picture.treatment.running]
    because = [*describe.both(picture), "No treatment-dose anticoagulant is active on record"]
    because += [f"On hold: {line}" for line in on_hold] + [f"Lower dose: {line}" for line in lower]
    stopped = next((c.order for c in picture.treatment.courses if c.treats and c.order.status in STOPPED), None)
    if stopped and (stopped.stop_reasons or stopped.stop_reason_text):
        because.append(f"Stopped earlier for a recorded reason, check that it is over: {wording.order(stopped)}")
    urgency = None
    notes = offer.notes
    if picture.clot.days is None:
        urgency = Urgency.INFO
        notes = ("The date of the VTE is not recorded: check that it is recent.", *notes)
    text = "pregnant" if picture.pregnancy else "main"
    return evidence.finding(text, because=tuple(because), notes=notes, proposals=offer.proposals, urgency=urgency)


def is_blocked(case: Case, evidence: Evidence) -> bool:
    """Whether another rule speaks in place of R1."""
    picture = case.picture
    count = picture.platelets_10e9_l
    low = count is not None and count < evidence.number("platelets_hold_below_10e9_l")
    return bool(picture.bleeding.major or picture.hit or low)
