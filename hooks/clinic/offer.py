"""The orders that a card offers: dalteparin by weight, day of treatment, kidneys and platelets, phase by phase."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from hooks.clinic import wording
from hooks.clinic.blocks import is_allergic
from hooks.clinic.dalteparin import DALTEPARIN, PhaseDose, phase_dose, phase_on, platelet_reduction
from hooks.clinic.intent import dose_intent
from hooks.clinic.kidney import age_years
from hooks.clinic.picture import Case, Picture, running_courses
from hooks.dates import PartialDate
from hooks.dosing import Dosing
from hooks.facts import MedicationOrder
from hooks.proposal import Proposal, ProposedOrder

__all__ = [
    "DALTEPARIN",
    "Offer",
    "PhaseDose",
    "blocked",
    "phase_dose",
    "phase_on",
    "platelet_reduction",
    "removal",
    "replacement",
    "start",
    "treatment_day",
]
_DELETABLE = frozenset({"draft", ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Buttons for a card, and lines that say why there is none or no dose."""

    proposals: tuple[Proposal, ...] = ()
    notes: tuple[str, ...] = ()


def replacement(case: Case) -> Offer:
    """Replace the draft under the pen by dalteparin; only remove it where a treatment dose of LMWH is there already."""
    order = case.medication
    if order is None:
        return Offer()
    if order.status not in _DELETABLE:
        return Offer(notes=("The order is not a draft any more: change it by hand.",))
    name = wording.drug_name(order)
    present = _lmwh_already(case, order)
    if present:
        removal = Proposal(label=f"Remove {name}", replaces=order.reference, replaces_label=order.label)
        return Offer(proposals=(removal,), notes=(f"Already there: {present}.",))
    started = start(case)
    return Offer(
        proposals=tuple(
            Proposal(
                label=f"Replace {name} with {p.label.removeprefix('Start ')}",
                orders=p.orders,
                replaces=order.reference,
                replaces_label=order.label,
            )
            for p in started.proposals
        ),
        notes=started.notes,
    )


def removal(case: Case) -> Offer:
    """Only remove the draft under the pen."""
    order = case.order
    if order is None or order.status not in _DELETABLE:
        return Offer()
    label = wording.drug_name(order) if isinstance(order, MedicationOrder) else order.label
    return Offer(proposals=(Proposal(label=f"Remove {label}", replaces=order.reference, replaces_label=order.label),))


def start(case: Case) -> Offer:
    """Dalteparin from today, one order for each phase that is left; or why no dose is given."""
    picture = case.picture
    why = blocked(case)
    if why:
        return Offer(notes=why)
    weight = picture.weight.value
    if weight is None or picture.clot is None:
        return Offer()
    doses = []
    for phase, first, last in _phases(case):
        dose = phase_dose(phase, weight, case.dosing, picture.platelets_10e9_l)
        if dose is not None:
            doses.append((dose, first, last))
    orders = _orders(case, doses, weight)
    if not orders:
        low = f"At {wording.number(weight)} kg no syringe is close to the exact dose: ask a pharmacist."
        return Offer(notes=(*_exact_lines(doses), low))
    now = orders[0]
    label = f"Start {DALTEPARIN} {wording.dose(now.amount, now.unit)} SC once daily"
    return Offer(proposals=(Proposal(label=label, orders=orders),), notes=_dose_notes(case, doses, orders, weight))


def blocked(case: Case) -> tuple[str, ...]:
    """Why dalteparin cannot be offered with a dose; empty when it can."""
    picture, limits = case.picture, case.dosing.limits
    lines = []
    if picture.hit:
        lines.append("No heparin or LMWH is offered: history of HIT.")
    allergy = is_allergic(case.patient, DALTEPARIN, "LMWH")
    if allergy:
        lines.append(f"No LMWH is offered: allergy to {allergy} on record.")
    if picture.bleeding.major:
        lines.append("No dose is offered: active bleeding on record.")
    platelets = picture.platelets_10e9_l
    hold = limits["dalteparin_platelets_hold_below_10e9_l"]
    if platelets is not None and platelets < hold:
        lines.append(f"No dose is offered: platelets below {wording.number(hold)} × 10⁹/L.")
    crcl = limits["dalteparin_no_fixed_dose_below_crcl_ml_min"]
    if picture.clearance.is_below(crcl):
        lines.append(
            f"No dose is offered: {picture.clearance.words}; below {wording.number(crcl)} it is anti-Xa guided."
        )
    if picture.weight.value is None:
        lines.append(f"No dose is offered without a usable weight ({picture.weight.problem}).")
    lines.extend(_age_block(picture, int(limits["adult_age_years"])))
    return tuple(lines)


def treatment_day(case: Case) -> int:
    """The day of treatment today: 0 when none is on record. A partial start counts from its latest day."""
    day = case.picture.treatment.day
    return max(day.fewest, 0) if day else 0


def _phases(case: Case) -> list[tuple[str, date, date]]:
    """The phases still to come, each with its first and last day."""
    today, day, dosing = case.patient.as_of, treatment_day(case), case.dosing
    zero = today - timedelta(days=day)
    phases = []
    for name in ("month-1", "months-2-6"):
        regimen = dosing.regimen(DALTEPARIN, name)
        if regimen.last_day is not None and regimen.last_day >= day:
            first = max(zero + timedelta(days=regimen.first_day), today)
            phases.append((name, first, zero + timedelta(days=regimen.last_day)))
    if not phases:
        span = int(dosing.limits["beyond_review_days"])
        phases.append(("beyond", today, today + timedelta(days=span - 1)))
    return phases


def _orders(case: Case, doses: list[tuple[PhaseDose, date, date]], weight: Decimal) -> tuple[ProposedOrder, ...]:
    clot = case.picture.clot
    orders = []
    for dose, first, last in doses:
        syringe = case.dosing.syringe_up_to(DALTEPARIN, dose.due_iu)
        if syringe is None or clot is None or not _is_close(dose, syringe.dose, case.dosing, weight):
            continue
        orders.append(
            ProposedOrder(
                drug=DALTEPARIN,
                product_code=syringe.code,
                product_display=syringe.display,
                product_text=syringe.text,
                amount=syringe.dose,
                unit=syringe.unit,
                times_per_day=case.dosing.regimen(DALTEPARIN, dose.phase).times_per_day,
                route="subcutaneous",
                first_day=first,
                last_day=last,
                note=_arithmetic(case, dose, syringe.dose, weight),
                reason=clot.diagnosis.reference,
                reason_label=clot.diagnosis.label,
            )
        )
    if orders and orders[0].first_day != doses[0][1]:
        return ()
    return tuple(orders)


def _is_close(dose: PhaseDose, syringe_iu: Decimal, dosing: Dosing, weight: Decimal) -> bool:
    """At low weight only a syringe within the tolerance above the exact dose is offered; else the label band is."""
    if weight >= dosing.limits["dalteparin_us_band_from_kg"]:
        return True
    return syringe_iu <= dose.exact_due_iu * (1 + dosing.limits["dose_tolerance"])


def _arithmetic(case: Case, dose: PhaseDose, given_iu: Decimal, weight: Decimal) -> str:
    regimen = case.dosing.regimen(DALTEPARIN, dose.phase)
    taken = case.picture.weight.reading
    on = f" on {wording.day_of(taken.taken)}" if taken else ""
    exact = (
        f"{wording.number(regimen.per_kg)} IU/kg x {wording.number(weight)} kg = {_plain(regimen.per_kg * weight)} IU"
    )
    parts = [f"Weight {wording.number(weight)} kg{on}. {exact}"]
    if dose.capped:
        parts.append(f"capped at {_plain(dose.exact_iu)} IU")
    parts.append(f"{dose.region} label band {_plain(dose.band_iu)} IU once daily")
    if dose.reduced_by_iu:
        parts.append(
            f"less {_plain(dose.reduced_by_iu)} IU while platelets are below "
            f"{wording.number(case.dosing.limits['dalteparin_platelets_full_from_10e9_l'])} x 10^9/L"
        )
    if given_iu != dose.due_iu:
        parts.append(f"next smaller syringe {_plain(given_iu)} IU")
    text = "; ".join(parts) + "."
    if dose.phase == "beyond":
        text += " Beyond month 6 the label gives no dose: 150 IU/kg is continued by convention."
    return text


def _dose_notes(
    case: Case, doses: list[tuple[PhaseDose, date, date]], orders: tuple[ProposedOrder, ...], weight: Decimal
) -> tuple[str, ...]:
    lines = list(_exact_lines(doses))
    if doses[0][0].capped:
        lines.append("Dose capped: consider anti-Xa levels or enoxaparin every 12 hours.")
    if weight < case.dosing.limits["dalteparin_us_band_from_kg"]:
        us = case.dosing.band("month-1", weight)
        if us:
            lines.append(
                f"Low weight: the US band ({_plain(us.dose_iu)} IU) would be "
                f"{wording.number(us.dose_iu / weight, 0)} IU/kg; choose the dose yourself."
            )
    if orders[-1].last_day != doses[-1][2]:
        lines.append("For the later phase no order is drafted: no syringe is close to the exact dose.")
    if case.picture.weight.state == "stale":
        lines.append(f"Dose rests on {case.picture.weight.problem}.")
    return tuple(lines)


def _exact_lines(doses: Sequence[tuple[PhaseDose, date, date]]) -> tuple[str, ...]:
    names = {"month-1": "Month 1", "months-2-6": "Months 2-6", "beyond": "Beyond month 6"}
    return tuple(
        f"{names[d.phase]}, {first} to {last}: band {wording.dose(d.due_iu, 'IU')} once daily "
        f"(exact {wording.dose(d.exact_due_iu.to_integral_value(rounding=ROUND_HALF_UP), 'IU')})."
        for d, first, last in doses
    )


def _plain(value: Decimal) -> str:
    return wording.number(value, 0)


def _age_block(picture: Picture, adult: int) -> tuple[str, ...]:
    born = picture.patient.born
    if born is None:
        return ("No dose is offered: no birth date on record.",)
    youngest = PartialDate(earliest=born.latest, latest=born.latest)
    if age_years(youngest, PartialDate.on(picture.patient.as_of)) < adult:
        return ("No dose is offered: the patient is a child.",)
    return ()


def _lmwh_already(case: Case, order: MedicationOrder) -> str:
    for course in running_courses(case.picture, "LMWH"):
        if course.intent == "treatment" and course.order.reference != order.reference:
            return wording.order(course.order)
    for draft in case.drafts:
        if draft.drug and draft.drug.anticoagulant == "LMWH" and draft.reference != order.reference:
            intent = dose_intent(draft, case.dosing, case.picture.weight.value, case.patient.as_of)
            if intent in ("treatment", "unknown"):
                return wording.order(draft)
    return ""
