"""R24: a new clot despite a treatment-dose anticoagulant."""

from hooks.clinic import describe, wording
from hooks.clinic.picture import Case
from hooks.clinic.recurrence import new_clot_on_treatment
from hooks.finding import Answer
from hooks.guidelines import Evidence


def recurrent_vte_on_treatment(case: Case, evidence: Evidence) -> Answer:
    """Seed: watch for new clots on treatment; then check adherence and dose, and escalate LMWH.

    When: the index VTE came 7 days or more after a treatment dose began and while it ran; on patient-view, or when
    an anticoagulant other than LMWH is under the pen.
    """
    picture = case.picture
    if picture.bleeding.major:
        return None
    if not case.on_patient_view and (not case.may_treat or case.drug_class == "LMWH"):
        return None
    course = new_clot_on_treatment(picture, case.profile)
    if course is None:
        return None
    text = "on-lmwh" if course.anticoagulant == "LMWH" else "on-other"
    if picture.hit:
        text = "hit"
    slots = {"drug": wording.drug_name(course.order)}
    because = (*describe.both(picture), f"Running when it came: {wording.order(course.order)}")
    return evidence.finding(text, slots=slots, because=because)
