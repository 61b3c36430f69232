"""The parenteral lead-in before an oral anticoagulant: on how many days a treatment dose ran, or is planned."""

from collections.abc import Iterator
from datetime import date, timedelta

from hooks.clinic.intent import dose_intent
from hooks.clinic.picture import Case
from hooks.clinic.treatment import NEVER_RAN, PARENTERAL, treats_clot
from hooks.facts import MedicationOrder


def lead_in_days(case: Case, order: MedicationOrder) -> int:
    """Days with a parenteral treatment dose for the index clot before ``order`` starts.

    Orders on record and drafts of this session count together, a day once. One without an end runs until
    ``order`` starts.
    """
    begin = max(order.starts.earliest, case.patient.as_of) if order.starts else case.patient.as_of
    covered: set[date] = set()
    for parenteral in _parenteral(case):
        first = parenteral.starts.earliest if parenteral.starts else case.patient.as_of
        last = begin - timedelta(days=1)
        if parenteral.ends:
            last = min(last, parenteral.ends.latest)
        covered.update(first + timedelta(days=n) for n in range((last - first).days + 1))
    return len(covered)


def _parenteral(case: Case) -> Iterator[MedicationOrder]:
    clot = case.picture.clot
    if clot is None:
        return
    for course in case.picture.treatment.courses:
        ran = course.treated and course.order.status not in NEVER_RAN and course.order.starts is not None
        if ran and course.anticoagulant in PARENTERAL and treats_clot(course, clot, case.profile):
            yield course.order
    for draft in case.drafts:
        intent = dose_intent(draft, case.dosing, case.picture.weight.value, case.patient.as_of)
        if draft.drug and draft.drug.anticoagulant in PARENTERAL and intent in ("treatment", "unknown"):
            yield draft
