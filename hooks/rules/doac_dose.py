"""R35: the starting dose of apixaban and rivaroxaban, and the step down from it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hooks.clinic import describe, wording
from hooks.clinic.intent import computable
from hooks.clinic.picture import Case
from hooks.facts import MedicationOrder
from hooks.finding import Answer
from hooks.guidelines import Evidence


def doac_starting_dose(case: Case, evidence: Evidence) -> Answer:
    """Apixaban begins with 7 days, rivaroxaban with 21 days of a higher dose.

    When: one of them is under the pen for a clot still in that phase with a lower dose and no earlier treatment that
    covers the phase; or the starting dose runs on past it.
    """
    order, picture = case.medication, case.picture
    if order is None or order.drug is None or not case.choice_is_open or picture.clot is None:
        return None
    if order.reasons and not any(m.topic == "vte" for m in order.reasons):
        return None
    band = next((b for b in evidence.bands if b["drug"] == order.drug.name), None)
    dose = computable(order, order.drug, case.dosing, picture.weight.value, case.patient.as_of)
    if band is None or dose is None or dose.per_day is None:
        return None
    start_per_day = band["dose_mg"] * band["times_per_day"]
    treated = picture.treatment.day.fewest if picture.treatment.day else 0
    slots = _slots(order, band)
    because = (*describe.clot(picture), f"Ordered: {wording.order(order)}, {wording.dose(dose.per_day, 'mg')} a day")
    if dose.per_day < start_per_day:
        if _follows_starting_dose(case, order, start_per_day):
            return None
        young = picture.clot.days is not None and picture.clot.may_be_within(int(band["days"]) - 1)
        return evidence.finding("start", slots=slots, because=because) if young and treated < band["days"] else None
    too_long = dose.days is not None and Decimal(dose.days) > band["days"]
    past = treated >= band["days"] or (picture.clot.days is not None and picture.clot.days.fewest >= band["days"])
    if dose.per_day == start_per_day and (too_long or (past and picture.treatment.day is not None)):
        return evidence.finding("step-down", slots=slots, because=because)
    return None


def _follows_starting_dose(case: Case, order: MedicationOrder, start_per_day: Decimal) -> bool:
    """Whether the starting dose of the same drug is drafted beside it: this is then the planned second phase."""
    for draft in case.drafts:
        if draft.drug is None or order.drug is None or draft.drug.name != order.drug.name:
            continue
        dose = computable(draft, draft.drug, case.dosing, case.picture.weight.value, case.patient.as_of)
        if dose is not None and dose.per_day == start_per_day:
            return True
    return False


def _slots(order: MedicationOrder, band: Mapping[str, Any]) -> Mapping[str, str]:
    return {
        "drug": wording.drug_name(order).capitalize(),
        "dose": str(band["dose_text"]),
        "then": str(band["then_text"]),
        "days": str(band["days"]),
    }
