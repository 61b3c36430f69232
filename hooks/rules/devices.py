"""R14, R16, R17, R18: vena cava filter, thrombolysis, stockings, bed rest."""

from hooks.clinic import describe, wording
from hooks.clinic.clot import Clot, active_clots
from hooks.clinic.intent import dose_intent, is_treatment_drug
from hooks.clinic.offer import removal
from hooks.clinic.picture import Case
from hooks.clinic.recurrence import new_clot_on_treatment
from hooks.facts import Meaning
from hooks.finding import Answer
from hooks.guidelines import Evidence


def ivc_filter_not_indicated(case: Case, evidence: Evidence) -> Answer:
    """Seed: a filter only when anticoagulation is contraindicated or the clot progresses on full LMWH.

    When: a filter is under the pen and neither is on record. HIT is no reason: other anticoagulants remain.
    """
    if not _is_filter(case) or _contraindications(case, evidence) or _progression(case):
        return None
    offer = removal(case)
    weight, today = case.picture.weight.value, case.patient.as_of
    drafted = any(
        is_treatment_drug(d) and dose_intent(d, case.dosing, weight, today) != "prophylaxis" for d in case.drafts
    )
    text = "adjunct" if drafted and "adjunct" in evidence.texts else "main"
    because = (*describe.both(case.picture), *_ordered(case))
    return evidence.finding(text, because=because, proposals=offer.proposals)


def ivc_filter_may_be_considered(case: Case, evidence: Evidence) -> Answer:
    """A filter may be considered while anticoagulation is contraindicated; plan its retrieval."""
    reasons = _contraindications(case, evidence) if _is_filter(case) else ()
    if not reasons:
        return None
    because = (*describe.clot(case.picture), *reasons, *_ordered(case))
    return evidence.finding(slots={"contraindication": _brief(case)}, because=because)


def ivc_filter_progression(case: Case, evidence: Evidence) -> Answer:
    """A filter for progression on full-dose LMWH: weaker today than in the seed."""
    if not _is_filter(case) or _contraindications(case, evidence) or not _progression(case):
        return None
    return evidence.finding(because=(*describe.both(case.picture), *_ordered(case)))


def thrombolysis_in_cancer(case: Case, evidence: Evidence) -> Answer:
    """Seed: no systemic or catheter-directed thrombolysis for routine DVT.

    When: a thrombolytic or such a procedure is under the pen. Critical with a CNS tumour, bleeding or platelets
    under 50. Silent when the reason is stroke, infarction or an arterial occlusion. With lung embolism: information.
    """
    if not _is_lysis(case) or _arterial(case, evidence):
        return None
    picture = case.picture
    risks = _lysis_risks(case, evidence)
    because = (*describe.both(picture), *risks, *_ordered(case))
    offer = removal(case)
    if risks:
        return evidence.finding("dangerous", because=because, proposals=offer.proposals)
    recent = _recent(case, evidence)
    if any(clot.is_pe for clot in recent):
        return evidence.finding("embolism", because=because)
    if not recent:
        return None
    return evidence.finding(because=because, proposals=offer.proposals)


def compression_stockings(case: Case, evidence: Evidence) -> Answer:
    """Seed: stockings within a month. Superseded: for symptoms only, not to prevent post-thrombotic syndrome.

    When: stockings are under the pen; or, on patient-view where the profile prompts, a leg DVT up to 30 days old
    without a stockings order. Palliative care silences the prompt.
    """
    picture = case.picture
    if case.service is not None and case.service.means("procedure", "stockings"):
        return evidence.finding(because=(*describe.clot(picture), *_ordered(case)))
    prompts = case.on_patient_view and case.profile.switches["stockings_prompt"]
    if not prompts or picture.palliative:
        return None
    ordered = any(s.means("procedure", "stockings") for s in case.patient.services)
    ordered = ordered or any(m.kind == "stockings" for p in case.patient.procedures for m in p.meanings)
    leg = next((clot for clot in _recent(case, evidence) if clot.is_leg_dvt and not clot.possible), None)
    if ordered or leg is None:
        return None
    return evidence.finding("prompt", because=(f"VTE: {wording.diagnosis(leg.diagnosis, case.patient)}",))


def early_walking(case: Case, evidence: Evidence) -> Answer:
    """Seed: early walking rather than bed rest.

    When: bed rest is under the pen within 30 days of a DVT.
    """
    if case.service is None or not case.service.means("procedure", "bed-rest"):
        return None
    if not any(clot.is_dvt for clot in _recent(case, evidence)):
        return None
    return evidence.finding(because=(*describe.clot(case.picture), *_ordered(case)))


def cns_tumour(case: Case, evidence: Evidence) -> Answer:
    """A brain tumour: look for bleeding before anticoagulating.

    When: a primary tumour or metastasis of the nervous system is on record and an anticoagulant is judged.
    """
    picture = case.picture
    if not case.judged() or not picture.cancer.cns or picture.bleeding.major:
        return None
    word = "Active" if case.on_patient_view else "Ordered"
    lines = tuple(f"{word}: {wording.order(o)}" for o in case.judged())
    return evidence.finding(because=(*describe.cancer(picture, picture.cancer.cns), *lines))


def _recent(case: Case, evidence: Evidence) -> list[Clot]:
    """The clots young enough for the rule: leg and lung are often told as two."""
    return [c for c in active_clots(case.patient, case.profile) if c.may_be_within(evidence.days("within_days"))]


def _is_filter(case: Case) -> bool:
    return case.service is not None and case.service.means("procedure", "ivc-filter")


def _is_lysis(case: Case) -> bool:
    if case.service is not None:
        return case.service.means("procedure", "thrombolysis")
    drug = case.medication.drug if case.medication else None
    return drug is not None and drug.thrombolytic and drug.use != "catheter-clearance"


def _arterial(case: Case, evidence: Evidence) -> bool:
    order = case.order
    if order is None:
        return False
    meanings: tuple[Meaning, ...] = order.reasons
    text = f"{order.reason_text} {' '.join(m.display for m in meanings)}".lower()
    return any(m.kind == "ischaemic-stroke" for m in meanings) or any(
        w in text for w in evidence.lists["arterial_words"]
    )


def _contraindications(case: Case, evidence: Evidence) -> tuple[str, ...]:
    picture = case.picture
    lines = [f"Bleeding: {line}" for line in picture.bleeding.major]
    count = picture.platelets_10e9_l
    if count is not None and count < evidence.number("platelets_below_10e9_l"):
        lines.append(describe.platelets(picture))
    return tuple(lines)


def _brief(case: Case) -> str:
    if case.picture.bleeding.major:
        return "active bleeding"
    count = case.picture.platelets_10e9_l
    return f"platelets {wording.number(count)}" if count is not None else "contraindication"


def _lysis_risks(case: Case, evidence: Evidence) -> tuple[str, ...]:
    cns = tuple(f"CNS tumour: {wording.diagnosis(d, case.patient)}" for d in case.picture.cancer.cns)
    return (*_contraindications(case, evidence), *cns)


def _progression(case: Case) -> bool:
    course = new_clot_on_treatment(case.picture, case.profile)
    return course is not None and course.anticoagulant == "LMWH"


def _ordered(case: Case) -> tuple[str, ...]:
    if case.service is not None:
        return (f"Ordered: {case.service.label}",)
    return (f"Ordered: {wording.order(case.medication)}",) if case.medication else ()
