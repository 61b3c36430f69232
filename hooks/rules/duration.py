"""R9 to R12 and R23: how long to treat, and when to look again."""

from datetime import date

from hooks.clinic import describe, wording
from hooks.clinic.offer import start
from hooks.clinic.picture import Case
from hooks.clinic.treatment import NEVER_RAN, STOPPED, Course
from hooks.facts import MedicationOrder
from hooks.finding import Answer, CannotTell
from hooks.guidelines import Evidence


def duration_under_six_months(case: Case, evidence: Evidence) -> Answer:
    """Seed: at least six months.

    When: a treatment-dose order under the pen ends before day 180 of the VTE, refills counted, with no other order
    going on, no renewal note and no reason to end. Arm or neck clots: at least 3 months, as long as the catheter stays.
    """
    order, picture = case.medication, case.picture
    clot = picture.clot
    if order is None or not case.may_treat or order.ends is None or clot is None or clot.onset is None:
        return None
    if picture.bleeding.major or picture.hit or not clot.may_be_within(evidence.days("within_days")):
        return None
    need = evidence.days("arm_days" if clot.is_arm else "needed_days")
    last = max((o.ends.latest if o.ends else date.max for o in (order, *_others(case))), default=date.max)
    noted = any(word in order.note.lower() for word in evidence.lists["renewal_words"])
    if noted or last == date.max or (last - clot.onset.earliest).days >= need:
        return None
    because = (*describe.both(picture), f"Ordered: {wording.order(order)}, ends {wording.day_of(order.ends)}")
    return evidence.finding("arm" if clot.is_arm else "main", because=because)


def _others(case: Case) -> list[MedicationOrder]:
    """Other anticoagulant orders, running, planned or drafted, that may go on after the one under the pen."""
    planned = [c.order for c in case.picture.treatment.courses if c.order.status in ("active", "on-hold") and c.treats]
    drafted = [d for d in case.drafts if d.drug and d.drug.anticoagulant]
    return [o for o in (*planned, *drafted) if case.order is None or o.reference != case.order.reference]


def extend_while_cancer_active(case: Case, evidence: Evidence) -> Answer:
    """Seed: go on beyond six months while the cancer is active, metastatic or treated.

    When: on patient-view, VTE 150 days old or more, an anticoagulant runs. Palliative care silences it.
    """
    picture = case.picture
    if picture.clot is None or picture.palliative or picture.bleeding.major:
        return None
    if not picture.treatment.running or not picture.clot.may_have_reached(evidence.days("from_days")):
        return None
    because = (*describe.both(picture), *(f"Active: {wording.order(c.order)}" for c in picture.treatment.running))
    return evidence.finding(because=because)


def stop_too_early(case: Case, evidence: Evidence) -> Answer:
    """Seed: do not stop at 3 to 6 months as after a clot without cancer.

    When: a stop is under the pen from day 60 on; or, on patient-view, the last treatment was stopped or its supply
    lapsed between day 60 and 200. Not when another anticoagulant follows, nor for bleeding, HIT, low platelets,
    a procedure or a switch.
    """
    picture = case.picture
    clot = picture.clot
    if clot is None or picture.bleeding.major or picture.hit or not clot.may_have_reached(evidence.days("from_days")):
        return None
    if case.stop is not None:
        return _drafted_stop(case, evidence, case.stop)
    if not case.on_patient_view or not clot.may_be_within(evidence.days("to_days")) or picture.palliative:
        return None
    gap = case.patient.gap("medications")
    if gap:
        return CannotTell(missing=(f"medications: {gap.reason}",))
    ended = _last_ended(case)
    if picture.treatment.covered or picture.treatment.running or ended is None or _is_excused(ended.order, evidence):
        return None
    count = picture.platelets_10e9_l
    if count is not None and count < evidence.number("platelets_from_10e9_l"):
        return None
    offer = start(case)
    because = (*describe.both(picture), f"Last treatment: {wording.order(ended.order)}")
    return evidence.finding(because=because, notes=offer.notes, proposals=offer.proposals)


def _drafted_stop(case: Case, evidence: Evidence, stop: MedicationOrder) -> Answer:
    picture = case.picture
    successor = any(d.drug and d.drug.anticoagulant for d in case.drafts) or any(
        c.order.reference != stop.reference for c in picture.treatment.running_treatment
    )
    if successor or _is_excused(stop, evidence) or picture.clot is None:
        return None
    late = not picture.clot.may_be_within(evidence.days("to_days"))
    because = (*describe.both(picture), f"Being stopped: {wording.order(stop)}")
    return evidence.finding("late" if late else "main", because=because)


def _last_ended(case: Case) -> Course | None:
    return next(
        (
            c
            for c in case.picture.treatment.courses
            if c.treats
            and not c.running
            and (c.order.status in STOPPED or c.order.ends)
            and c.order.status not in NEVER_RAN
        ),
        None,
    )


def _is_excused(order: MedicationOrder, evidence: Evidence) -> bool:
    topics = set(evidence.lists["excusing_topics"])
    text = order.stop_reason_text.lower()
    return any(m.topic in topics for m in order.stop_reasons) or any(
        w in text for w in evidence.lists["excusing_words"]
    )


def remission_review_duration(case: Case, evidence: Evidence) -> Answer:
    """Seed: in remission the treatment can become time-limited.

    When: on patient-view, cancer in remission, an anticoagulant runs, and the VTE has reached the profile's days.
    """
    picture = case.picture
    if picture.clot is None or picture.bleeding.major or not picture.treatment.running:
        return None
    if not picture.clot.may_have_reached(evidence.days("from_days")):
        return None
    since = picture.cancer.remission_since
    remission = (f"Remission since {wording.day_of(since)}",) if since else ()
    active = (f"Active: {wording.order(c.order)}" for c in picture.treatment.running)
    return evidence.finding(because=(*describe.both(picture), *remission, *active))


def review_due(case: Case, evidence: Evidence) -> Answer:
    """Seed: weigh benefit against risk from time to time.

    When: on patient-view, an anticoagulant runs and neither creatinine, platelets nor an order is younger than 90 days.
    """
    picture = case.picture
    if picture.bleeding.major or not picture.treatment.running:
        return None
    analytes = ("creatinine_mg_dl", "platelets_10e9_l")
    days = [r.taken.latest for a in analytes for r in case.patient.readings.get(a, ())]
    days += [c.order.starts.latest for c in picture.treatment.running if c.order.starts]
    days = [day for day in days if day <= case.patient.as_of]
    if not days or (case.patient.as_of - max(days)).days <= evidence.number("after_days"):
        return None
    return evidence.finding(because=(f"Last laboratory value or order: {max(days).isoformat()}",))
