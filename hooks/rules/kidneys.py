"""R21 and R34: renal function, and a creatinine that is not stable."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hooks.clinic import describe, wording
from hooks.clinic.clot import NEVER, is_current
from hooks.clinic.intent import computable
from hooks.clinic.interacting import interacting
from hooks.clinic.picture import Case
from hooks.facts import MedicationOrder
from hooks.finding import Answer, CannotTell, Finding, Urgency
from hooks.guidelines import Evidence


def renal_function(case: Case, evidence: Evidence) -> Answer:
    """Seed: LMWH needs adjustment below 30 mL/min; each agent has its own limits (labels).

    When: LMWH, fondaparinux or a DOAC in treatment dose is under the pen or running, and the clearance
    (unrounded) is in one of the drug's bands. An order that already carries the advised dose is milder or silent.
    Needs: creatinine, weight, age; else cannot tell.
    """
    picture = case.picture
    if picture.bleeding.major:
        return None
    answers: list[Finding] = []
    for order in case.judged_treatments():
        drug = order.drug
        if drug is None or not _concerns(evidence, drug.name):
            continue
        heparin = drug.is_heparin
        if heparin and picture.hit:
            continue
        if not picture.clearance.is_known:
            return CannotTell(missing=(picture.clearance.why_not,))
        found = _band(case, evidence, order) or _edoxaban(case, evidence, order)
        if found:
            answers.append(found)
    return max(answers, key=lambda f: f.urgency, default=None)


def _concerns(evidence: Evidence, drug: str) -> bool:
    return any(band["drug"] == drug for band in evidence.bands)


def _band(case: Case, evidence: Evidence, order: MedicationOrder) -> Finding | None:
    clearance, drug = case.picture.clearance, order.drug
    for band in evidence.bands:
        if drug is None or band["drug"] != drug.name or not _in_band(case, band):
            continue
        text = band["text"]
        if _already(case, evidence, order, band):
            text = band.get("text_if_already", "")
        if not text:
            return None
        slots = {"drug": wording.drug_name(order), "crcl": _words(case), "dose": _per_kg(case, evidence)}
        because = [describe.clearance(case.picture), *clearance.notes, _line(case, order)]
        return evidence.finding(text, slots=slots, because=tuple(because))
    return None


def _in_band(case: Case, band: Mapping[str, Any]) -> bool:
    clearance = case.picture.clearance
    low, below = Decimal(str(band.get("from", 0))), band.get("below")
    through = band.get("through")
    if clearance.on_dialysis:
        return low == 0
    if clearance.ml_min is None or clearance.ml_min < low:
        return False
    if below is not None:
        return clearance.ml_min < Decimal(str(below))
    return through is None or clearance.ml_min <= Decimal(str(through))


def _already(case: Case, evidence: Evidence, order: MedicationOrder, band: Mapping[str, Any]) -> bool:
    """Whether the order already carries the dose that the band advises."""
    advised = band.get("advised_mg")
    drug, weight = order.drug, case.picture.weight.value
    if drug is None:
        return False
    dose = computable(order, drug, case.dosing, weight, case.patient.as_of)
    if dose is None or dose.amount is None:
        return False
    if advised is not None:
        return dose.amount <= Decimal(str(advised))
    per_kg = band.get("advised_mg_per_kg_day")
    if per_kg is None or weight is None or dose.per_day is None:
        return False
    return dose.per_day <= Decimal(str(per_kg)) * weight * (1 + case.dosing.limits["dose_tolerance"])


def _edoxaban(case: Case, evidence: Evidence, order: MedicationOrder) -> Finding | None:
    """Edoxaban 60 mg at low weight or with a listed P-gp inhibitor: 30 mg at any clearance."""
    drug, weight = order.drug, case.picture.weight.value
    if drug is None or drug.name != "edoxaban":
        return None
    dose = computable(order, drug, case.dosing, weight, case.patient.as_of)
    if dose is None or dose.amount is None or dose.amount <= evidence.number("edoxaban_reduced_mg"):
        return None
    light = weight is not None and weight <= evidence.number("edoxaban_reduced_up_to_kg")
    listed = [
        wording.drug_name(o)
        for group in ("inhibitor-combined", "inhibitor-moderate-or-pgp")
        for o in interacting(case, group)
        if o.drug and o.drug.name in evidence.lists["edoxaban_pgp_inhibitors"]
    ]
    if not light and not listed:
        return None
    reason = f"weight {wording.number(weight)} kg" if light and weight is not None else wording.listed(listed)
    because = (describe.weight(case.picture), _line(case, order))
    return evidence.finding("edoxaban-reduced", slots={"reason": reason}, because=because)


def _words(case: Case) -> str:
    clearance = case.picture.clearance
    if clearance.on_dialysis:
        return "Dialysis"
    return clearance.words.split(" with ")[0].removesuffix(" mL/min") + " mL/min"


def _per_kg(case: Case, evidence: Evidence) -> str:
    weight = case.picture.weight.value
    if weight is None:
        return "1 mg/kg"
    exact = weight * evidence.number("enoxaparin_renal_mg_per_kg")
    step = evidence.number("enoxaparin_step_mg")
    rounded = (exact / step).quantize(Decimal(1)) * step
    return f"{wording.number(rounded)} mg"


def _line(case: Case, order: MedicationOrder) -> str:
    word = "Active" if case.on_patient_view else "Ordered"
    return f"{word}: {wording.order(order)}"


def unstable_creatinine(case: Case, evidence: Evidence) -> Answer:
    """A clearance estimate rests on a creatinine in steady state.

    When: the creatinine rose 1.5-fold or more within 7 days, or acute kidney injury is current, and an
    anticoagulant is under the pen or runs.
    """
    if not case.judged() or case.picture.bleeding.major:
        return None
    injuries = [
        wording.diagnosis(d, case.patient)
        for d in case.patient.diagnoses
        if d.means("renal", "acute")
        and is_current(d)
        and d.verification_status not in NEVER
        and (d.since is None or d.since.days_before(case.patient.as_of).may_be_at_most(evidence.days("recent_days")))
    ]
    rise = _rise(case, evidence)
    if not injuries and not rise:
        return None
    because = (*(f"On record: {i}" for i in injuries), *((rise,) if rise else ()))
    return evidence.finding(because=because, urgency=Urgency.INFO)


def _rise(case: Case, evidence: Evidence) -> str:
    latest = case.picture.creatinine.reading
    if latest is None:
        return ""
    window, ratio = evidence.days("window_days"), evidence.number("rise_ratio")
    for earlier in case.patient.readings.get("creatinine_mg_dl", ()):
        apart = (latest.taken.latest - earlier.taken.latest).days
        if 0 <= apart <= window and earlier.value > 0 and latest.value >= ratio * earlier.value:
            return (
                f"Creatinine {wording.number(earlier.value, 2)} on {wording.day_of(earlier.taken)}, "
                f"{wording.number(latest.value, 2)} mg/dL on {wording.day_of(latest.taken)}"
            )
    return ""
