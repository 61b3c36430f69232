"""R9 to R12 and R23: how long to treat, and when to look again."""

import re
from datetime import date, timedelta

from hooks.clinic import describe, wording
from hooks.clinic.clot import active_clots
from hooks.clinic.intent import dose_intent, is_treatment_drug
from hooks.clinic.milestones import milestones
from hooks.clinic.offer import start
from hooks.clinic.picture import Case
from hooks.clinic.treatment import NEVER_RAN, STOPPED, Course, is_stop_of, stops
from hooks.dates import PartialDate
from hooks.facts import MedicationOrder
from hooks.finding import Answer, CannotTell
from hooks.guidelines import Evidence


def duration_under_six_months(case: Case, evidence: Evidence) -> Answer:
    """Seed: at least six months.

    When: a treatment-dose order under the pen ends before day 180 of the VTE, refills counted, with no other order
    going on, no renewal note and no reason to end; or a stop is under the pen before that day (R11 speaks in its
    place where it can). Arm or neck clots: at least 3 months, as long as the catheter stays. In remission only
    where that came after the clot.
    """
    picture = case.picture
    clot = picture.clot
    if clot is None or clot.onset is None or picture.bleeding.major or not _is_of_this_cancer(case, clot.onset):
        return None
    if not clot.may_be_within(evidence.days("within_days")):
        return None
    arm = all(c.is_arm for c in active_clots(case.patient, case.profile))
    need = evidence.days("arm_days" if arm else "needed_days")
    text = "arm" if arm else "main"
    if case.stop is not None:
        if (case.patient.as_of - clot.onset.earliest).days >= need or not _ends_treatment(case, case.stop):
            return None
        if _is_excused(case, case.stop) or _is_forbidden(case, case.stop):
            return None
        because = (*describe.both(picture), f"Being stopped: {wording.order(case.stop)}")
        return evidence.finding(text, because=because, notes=milestones(case))
    order = case.medication
    if order is None or not case.may_treat or order.ends is None or _is_forbidden(case, order):
        return None
    ends = [_last_day(o) for o in (order, *_others(case))]
    noted = any(word in order.note.lower() for word in evidence.lists["renewal_words"])
    if noted or None in ends or (max(day for day in ends if day) - clot.onset.earliest).days >= need:
        return None
    because = (*describe.both(picture), f"Ordered: {wording.order(order)}, ends {wording.day_of(order.ends)}")
    return evidence.finding(text, because=because)


def _is_of_this_cancer(case: Case, onset: PartialDate) -> bool:
    """Whether the cancer was there when the clot came: a remission counts only when it is newer than the clot."""
    since = case.picture.cancer.remission_since
    return case.picture.population != "remission" or (since is not None and since.latest >= onset.earliest)


def _is_forbidden(case: Case, order: MedicationOrder) -> bool:
    return case.picture.hit is not None and order.drug is not None and order.drug.is_heparin


def _last_day(order: MedicationOrder) -> date | None:
    """The last day that an order covers; refills repeat a dosage that is bounded. None where nothing bounds it."""
    if order.ends is None:
        return None
    bounded = bool(order.doses) and all(dose.ends is not None for dose in order.doses)
    if not bounded or not order.refills or order.starts is None:
        return order.ends.latest
    span = (order.ends.latest - order.starts.latest).days + 1
    return order.starts.latest + timedelta(days=span * (1 + order.refills) - 1)


def _others(case: Case) -> list[MedicationOrder]:
    """Other orders of an anticoagulant, running, planned or drafted, that may go on after the one under the pen."""
    planned = [c.order for c in case.picture.treatment.courses if c.order.status in ("active", "on-hold") and c.treats]
    found = [o for o in (*planned, *_successors(case)) if case.order is None or o.reference != case.order.reference]
    stopped = {s.reference for s in stops(case.others)}
    return [o for o in found if o.reference not in stopped]


def _successors(case: Case) -> list[MedicationOrder]:
    """Drafts of this session that treat: not a flush, a lock or a prophylactic dose."""
    weight, today = case.picture.weight.value, case.patient.as_of
    return [
        d for d in case.drafts if is_treatment_drug(d) and dose_intent(d, case.dosing, weight, today) != "prophylaxis"
    ]


def _ends_treatment(case: Case, stop: MedicationOrder) -> bool:
    """Whether a stop ends the treatment: it was one, and no other runs or is drafted."""
    if not is_treatment_drug(stop):
        return False
    ended = [c for c in case.picture.treatment.courses if is_stop_of(stop, c.order)]
    if ended and all(c.intent == "prophylaxis" for c in ended):
        return False
    if not ended and dose_intent(stop, case.dosing, case.picture.weight.value, case.patient.as_of) == "prophylaxis":
        return False
    return not _successors(case) and not any(
        c.intent != "prophylaxis" and not is_stop_of(stop, c.order) for c in case.picture.treatment.running
    )


def extend_while_cancer_active(case: Case, evidence: Evidence) -> Answer:
    """Seed: go on beyond six months while the cancer is active, metastatic or treated.

    When: on patient-view, VTE 150 days old or more, an anticoagulant runs. Palliative care silences it.
    """
    picture = case.picture
    if picture.clot is None or picture.palliative or picture.bleeding.major:
        return None
    going_on = _going_on(case)
    if not going_on or not picture.clot.may_have_reached(evidence.days("from_days")):
        return None
    because = (*describe.both(picture), *(f"Active: {wording.order(o)}" for o in going_on))
    return evidence.finding(because=because, notes=milestones(case))


def _going_on(case: Case) -> list[MedicationOrder]:
    """Anticoagulants that run, whatever their dose, or whose supply ended only just now."""
    return [c.order for c in case.picture.treatment.courses if c.running or c.within_grace]


def stop_too_early(case: Case, evidence: Evidence) -> Answer:
    """Seed: do not stop at 3 to 6 months as after a clot without cancer.

    When: a stop is under the pen from day 60 on; or, on patient-view, the last treatment was stopped or its supply
    lapsed between day 60 and 200. Not when another anticoagulant follows, nor for bleeding, HIT, low platelets,
    a procedure or a switch.
    """
    picture = case.picture
    clot = picture.clot
    if clot is None or picture.bleeding.major or not clot.may_have_reached(evidence.days("from_days")):
        return None
    if case.stop is not None:
        return _drafted_stop(case, evidence, case.stop)
    if not case.on_patient_view or not clot.may_be_within(evidence.days("to_days")) or picture.palliative:
        return None
    gap = case.patient.gap("medications")
    if gap:
        return CannotTell(missing=(f"medications: {gap.reason}",))
    ended = _last_ended(case)
    if _going_on(case) or ended is None or _is_excused(case, ended.order) or _is_forbidden(case, ended.order):
        return None
    count = picture.platelets_10e9_l
    if count is not None and count < evidence.number("platelets_from_10e9_l"):
        return None
    offer = start(case)
    because = (*describe.both(picture), f"Last treatment: {wording.order(ended.order)}")
    return evidence.finding(because=because, notes=offer.notes, proposals=offer.proposals)


def _drafted_stop(case: Case, evidence: Evidence, stop: MedicationOrder) -> Answer:
    picture = case.picture
    if picture.clot is None or _is_excused(case, stop) or _is_forbidden(case, stop):
        return None
    if not _ends_treatment(case, stop):
        return None
    late = not picture.clot.may_be_within(evidence.days("to_days"))
    because = (*describe.both(picture), f"Being stopped: {wording.order(stop)}")
    return evidence.finding("late" if late else "main", because=because, notes=milestones(case))


def _last_ended(case: Case) -> Course | None:
    return next(
        (
            c
            for c in case.picture.treatment.courses
            if c.intent != "prophylaxis"
            and not c.running
            and (c.order.status in STOPPED or c.order.ends)
            and c.order.status not in NEVER_RAN
        ),
        None,
    )


def _is_excused(case: Case, order: MedicationOrder) -> bool:
    """Whether the reason given for stopping explains it: bleeding, HIT, low platelets, a procedure, a switch."""
    topics, said = set(case.profile.lists["excusing_topics"]), case.profile.lists["excusing_words"]
    words = "|".join(re.escape(word) for word in said)
    found = re.search(rf"(?<!\bno )(?<!\bwithout )\b(?:{words})", order.stop_reason_text.lower())
    return found is not None or any(m.topic in topics for m in order.stop_reasons)


def remission_review_duration(case: Case, evidence: Evidence) -> Answer:
    """Seed: in remission the treatment can become time-limited.

    When: on patient-view, cancer in remission, an anticoagulant runs, and the VTE has reached the profile's days.
    """
    picture = case.picture
    going_on = _going_on(case)
    if picture.clot is None or picture.bleeding.major or not going_on:
        return None
    if not picture.clot.may_have_reached(evidence.days("from_days")):
        return None
    since = picture.cancer.remission_since
    remission = (f"Remission since {wording.day_of(since)}",) if since else ()
    active = (f"Active: {wording.order(o)}" for o in going_on)
    return evidence.finding(because=(*describe.both(picture), *remission, *active), notes=milestones(case))


def review_due(case: Case, evidence: Evidence) -> Answer:
    """Seed: weigh benefit against risk from time to time.

    When: on patient-view, an anticoagulant runs and neither creatinine, platelets nor an order is younger than 90 days.
    """
    picture = case.picture
    going_on = _going_on(case)
    if picture.bleeding.major or not going_on:
        return None
    analytes = ("creatinine_mg_dl", "platelets_10e9_l")
    days = [r.taken.latest for a in analytes for r in case.patient.readings.get(a, ())]
    days += [o.starts.latest for o in going_on if o.starts]
    days = [day for day in days if day <= case.patient.as_of]
    if not days or (case.patient.as_of - max(days)).days <= evidence.number("after_days"):
        return None
    return evidence.finding(because=(f"Last laboratory value or order: {max(days).isoformat()}",))
