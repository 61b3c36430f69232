"""Fondaparinux in place of a heparin: offered after HIT where kidneys, platelets and weight allow it."""

from datetime import timedelta

from hooks.clinic import wording
from hooks.clinic.blocks import is_allergic
from hooks.clinic.offer import Offer, removal
from hooks.clinic.picture import Case
from hooks.facts import MedicationOrder
from hooks.proposal import Proposal, ProposedOrder

NAME = "fondaparinux"


def fondaparinux(case: Case) -> Offer:
    """Replace the heparin under the pen by fondaparinux; only remove it where no dose can be given."""
    order, picture, limits = case.medication, case.picture, case.dosing.limits
    if order is None or picture.hit is None:
        return Offer()
    why = _blocked(case, order)
    weight = picture.weight.value
    dose = case.dosing.fixed_dose(NAME, weight) if weight is not None else None
    if why or dose is None or weight is None or picture.clot is None:
        only = removal(case)
        return Offer(proposals=only.proposals, notes=tuple(why))
    syringe = case.dosing.syringe_up_to(NAME, dose.dose)
    if syringe is None:
        return removal(case)
    today = case.patient.as_of
    last = today + timedelta(days=int(limits["beyond_review_days"]) - 1)
    taken = picture.weight.reading
    on = f" on {wording.day_of(taken.taken)}" if taken else ""
    proposed = ProposedOrder(
        drug=NAME,
        product_code=syringe.code,
        product_display=syringe.display,
        product_text=syringe.text,
        amount=syringe.dose,
        unit=syringe.unit,
        times_per_day=dose.times_per_day,
        route="subcutaneous",
        first_day=today,
        last_day=last,
        note=(
            f"Weight {wording.number(weight)} kg{on}: {wording.dose(dose.dose, dose.unit)} once daily "
            f"({wording.number(dose.weight_from_kg)} to {wording.number(dose.weight_to_kg)} kg). "
            f"{picture.clearance.words}."
        ),
        reason=picture.clot.diagnosis.reference,
        reason_label=picture.clot.diagnosis.label,
    )
    name = wording.drug_name(order)
    label = f"Replace {name} with fondaparinux {wording.dose(dose.dose, dose.unit)} SC once daily"
    proposal = Proposal(label=label, orders=(proposed,), replaces=order.reference, replaces_label=order.label)
    return Offer(proposals=(proposal,))


def _blocked(case: Case, order: MedicationOrder) -> list[str]:
    picture, limits = case.picture, case.dosing.limits
    if order.status not in ("draft", ""):
        return ["The order is not a draft any more: change it by hand."]
    if picture.population != "cat" or picture.clot is None or case.intent == "prophylaxis":
        return ["Only the heparin can be removed here; choose another agent where one is needed."]
    lines = []
    if picture.hit and picture.hit.acute:
        lines.append("HIT may be acute: argatroban or bivalirudin by specialist advice; no order is drafted.")
    if picture.pregnancy:
        lines.append("Pregnancy and HIT: ask a specialist; no order is drafted.")
    allergy = is_allergic(case.patient, NAME, "parenteral-Xa")
    if allergy:
        lines.append(f"No fondaparinux is offered: allergy to {allergy} on record.")
    clearance = picture.clearance
    if not clearance.is_at_least(limits["fondaparinux_crcl_from_ml_min"]):
        lines.append(f"No fondaparinux is offered: {clearance.why_not or clearance.words}.")
    count = picture.platelets_10e9_l
    if count is None or count < limits["fondaparinux_platelets_from_10e9_l"]:
        lines.append(
            f"No fondaparinux is offered: platelets {wording.number(count) if count is not None else 'unknown'}."
        )
    if picture.bleeding.major:
        lines.append("No dose is offered: active bleeding on record.")
    if picture.weight.value is None:
        lines.append(f"No dose is offered without a usable weight ({picture.weight.problem}).")
    born = picture.patient.born
    if born is None or (case.patient.as_of.year - born.latest.year) <= limits["adult_age_years"]:
        lines.append("No dose is offered: not known to be an adult.")
    return lines
