"""R22: low platelets and an anticoagulant."""

from hooks.clinic import describe, wording
from hooks.clinic.offer import platelet_reduction
from hooks.clinic.picture import Case
from hooks.facts import MedicationOrder
from hooks.finding import Answer, CannotTell
from hooks.guidelines import Evidence


def low_platelets(case: Case, evidence: Evidence) -> Answer:
    """Seed: avoid below 20-50 x 10^9/L unless severely indicated; ISTH 2018 and the dalteparin label give numbers.

    When: a treatment-dose anticoagulant is under the pen or runs, and the count is in one of the profile's bands.
    On patient-view an untreated clot is said too when the count forbids treatment. Acute HIT: R26 speaks alone.
    Needs: platelets; else cannot tell.
    """
    picture = case.picture
    if picture.bleeding.major or (picture.hit and not picture.hit.remote):
        return None
    judged = case.judged_treatments()
    untreated = case.on_patient_view and not judged and _is_recent(case, evidence)
    if not judged and not untreated:
        return None
    count = picture.platelets_10e9_l
    if count is None:
        return CannotTell(missing=(picture.platelets.problem,)) if judged else None
    if untreated and count >= evidence.number("untreated_below_10e9_l"):
        return None
    when = "view" if case.on_patient_view else "order"
    classes = _classes(judged)
    for band in evidence.bands:
        fits = band["when"] in ("any", when) and band["from"] <= count < band["below"]
        if fits and (not classes or "any" in band["classes"] or classes & set(band["classes"])):
            slots = {
                "platelets": f"{picture.platelets.comparator}{wording.number(count)}",
                "reduction": wording.number(platelet_reduction(case.dosing, count), 0),
            }
            word = "Active" if case.on_patient_view else "Ordered"
            lines = [f"{word}: {wording.order(o)}" for o in judged] or ["No treatment-dose anticoagulant is active"]
            because = (describe.platelets(picture), *lines, *describe.clot(picture))
            return evidence.finding(band["text"], slots=slots, because=because)
    return None


def _classes(judged: tuple[MedicationOrder, ...]) -> set[str]:
    return {o.drug.anticoagulant for o in judged if o.drug and o.drug.anticoagulant}


def _is_recent(case: Case, evidence: Evidence) -> bool:
    clot = case.picture.clot
    covered = case.picture.treatment.covered
    return clot is not None and not covered and clot.may_be_within(evidence.days("within_days"))
