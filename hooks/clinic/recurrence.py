"""A new clot while a treatment-dose anticoagulant was running (extension or recurrence)."""

from hooks.clinic.picture import Picture
from hooks.clinic.treatment import NEVER_RAN, Course
from hooks.guidelines import Profile


def new_clot_on_treatment(picture: Picture, profile: Profile) -> Course | None:
    """The course that ran when the index clot came, while that clot is new; None when there is none."""
    clot = picture.clot
    return clot_on_treatment(picture, profile) if clot and clot.may_be_within(profile.days("new_vte_days")) else None


def clot_on_treatment(picture: Picture, profile: Profile) -> Course | None:
    """The course that ran when the index clot came, begun at least some days before; None when there is none."""
    clot = picture.clot
    if clot is None or clot.diagnosis.onset is None or clot.onset is None:
        return None
    lead = profile.days("new_vte_after_treatment_days")
    for course in picture.treatment.courses:
        order = course.order
        if not course.has_treated or order.starts is None or order.status in NEVER_RAN:
            continue
        began_before = (clot.onset.earliest - order.starts.latest).days >= lead
        if began_before and _ran_on_onset(course, picture):
            return course
    return None


def _ran_on_onset(course: Course, picture: Picture) -> bool:
    if picture.clot is None or picture.clot.onset is None:
        return False
    if course.order.ends is not None:
        return course.order.ends.latest >= picture.clot.onset.earliest
    return course.order.status == "active"
