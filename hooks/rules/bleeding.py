"""R20 and R28: active bleeding, and bleeding disorders."""

from hooks.clinic import describe, wording
from hooks.clinic.picture import Case
from hooks.facts import MedicationOrder
from hooks.finding import Answer
from hooks.guidelines import Evidence


def active_bleeding(case: Case, evidence: Evidence) -> Answer:
    """Hold anticoagulation while bleeding is active.

    When: bleeding recorded as active in the last 30 days, and an anticoagulant or thrombolytic under the pen, or
    running when the chart is opened. Major bleeding is critical on an order; other bleeding a warning; minor
    bleeding information. An untreated clot with major bleeding is said on patient-view too.
    """
    bleeding, picture = case.picture.bleeding, case.picture
    judged = case.judged()
    lysis = is_thrombolysis(case.medication)
    untreated = case.on_patient_view and picture.population == "cat" and not judged and _is_recent(case, evidence)
    if case.stop is None and not judged and not lysis and not (untreated and bleeding.major):
        return None
    drugs = [wording.order(o) for o in judged] or ([wording.order(case.medication)] if case.medication else [])
    lines = tuple(f"{'Active' if case.on_patient_view else 'Ordered'}: {drug}" for drug in drugs)
    for kind, sources in (("major", bleeding.major), ("other", bleeding.other), ("minor", bleeding.minor)):
        if sources:
            because = (*(f"Bleeding: {s}" for s in sources), *lines, *describe.clot(picture))
            return evidence.finding(_text(case, kind), because=because)
    return None


def is_thrombolysis(order: MedicationOrder | None) -> bool:
    """Whether an order is for a thrombolytic, other than to clear a catheter."""
    drug = order.drug if order else None
    return drug is not None and drug.thrombolytic and drug.use != "catheter-clearance"


def _text(case: Case, kind: str) -> str:
    if case.on_patient_view or case.stop is not None:
        return f"{kind}-view"
    return kind


def _is_recent(case: Case, evidence: Evidence) -> bool:
    clot = case.picture.clot
    return clot is not None and clot.may_be_within(evidence.days("within_days"))


def bleeding_disorder(case: Case, evidence: Evidence) -> Answer:
    """A bleeding disorder needs assessment before anticoagulation.

    When: a disorder, and no bleeding, is on record and an anticoagulant is under the pen.
    """
    bleeding = case.picture.bleeding
    if not case.judged() or not bleeding.diathesis or bleeding.major or bleeding.other or bleeding.minor:
        return None
    order = case.medication
    ordered = (f"Ordered: {wording.order(order)}",) if isinstance(order, MedicationOrder) else ()
    return evidence.finding(because=(*(f"On record: {s}" for s in bleeding.diathesis), *ordered))
