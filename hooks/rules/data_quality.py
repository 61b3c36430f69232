"""R25: data that are missing, stale or cannot be used, where they would change what a rule says now."""

from hooks.clinic.kidney import age_years
from hooks.clinic.measures import Measure
from hooks.clinic.picture import Case
from hooks.clinic.wording import in_brief
from hooks.dates import PartialDate
from hooks.facts import MedicationOrder
from hooks.finding import Answer, Urgency
from hooks.guidelines import Evidence


def data_not_usable(case: Case, evidence: Evidence) -> Answer:
    """Say what could not be checked: silence must mean "checked and fine".

    When: an anticoagulant in treatment dose is under the pen or runs (or a filter or thrombolysis is ordered, for
    platelets; or the clot is untreated, for the weight) and an item that its rules need is missing, stale or
    unusable; or a read of the record failed. A warning where the drug cannot be dosed safely without it.
    """
    picture = case.picture
    if picture.population == "unknown":
        return _unread(case, evidence)
    if picture.bleeding.major:
        return None
    lines = _unidentified(case)
    urgency = Urgency.INFO
    for order in case.judged_treatments():
        needed = _needed(order, evidence)
        if picture.clearance.on_dialysis:
            needed -= {"creatinine"}
        lines += [m.problem for m in (picture.platelets, picture.creatinine, picture.weight) if _lacks(m, needed)]
        if needed and not picture.clearance.is_known and not lines:
            lines.append(picture.clearance.why_not)
        if _is_vital(case, order, evidence) and not picture.clearance.is_known:
            urgency = Urgency.WARNING
    if picture.hit and not picture.hit.remote:
        lines = []
    lines += _for_devices(case, evidence)
    lines += _for_start(case, evidence)
    lines += _failed(case)
    unique = tuple(dict.fromkeys(line for line in lines if line))
    if not unique:
        return None
    return evidence.finding(slots={"item": in_brief(unique)}, because=unique, urgency=urgency)


def _unidentified(case: Case) -> list[str]:
    """An order whose medicine could not be identified may be an anticoagulant."""
    order = case.medication
    if order is None or not order.unresolved:
        return []
    return ["medicine of this order: could not be identified, so nothing was checked for it"]


def _needed(order: MedicationOrder, evidence: Evidence) -> frozenset[str]:
    """The items that the rules for the drug's class need."""
    anticoagulant = order.drug.anticoagulant if order.drug else None
    if anticoagulant in evidence.lists["needs_kidneys"]:
        return frozenset({"platelets", "creatinine", "weight"})
    return frozenset({"platelets"})


def _lacks(measure: Measure, needed: frozenset[str]) -> bool:
    return measure.name in needed and measure.state != "fresh"


def _is_vital(case: Case, order: MedicationOrder, evidence: Evidence) -> bool:
    """Whether the drug must not be dosed without the clearance."""
    name = order.drug.name if order.drug else ""
    if name in evidence.lists["vital"]:
        return True
    born = case.patient.born
    if name not in evidence.lists["vital_in_old_age"] or born is None:
        return False
    return age_years(born, PartialDate.on(case.patient.as_of)) >= evidence.number("old_age_years")


def _for_devices(case: Case, evidence: Evidence) -> list[str]:
    """A filter or thrombolysis is judged by the platelets."""
    service = case.service
    order = case.medication
    lysis = order is not None and order.drug is not None and order.drug.thrombolytic
    lysis = lysis and not (order and order.drug and order.drug.use == "catheter-clearance")
    filter_or_lysis = service is not None and service.means("procedure", *evidence.lists["procedures_need_platelets"])
    platelets = case.picture.platelets
    return [platelets.problem] if (lysis or filter_or_lysis) and platelets.state != "fresh" else []


def _for_start(case: Case, evidence: Evidence) -> list[str]:
    """An untreated clot is to be treated by weight, kidneys and platelets."""
    picture = case.picture
    if not case.on_patient_view or picture.population != "cat" or picture.treatment.covered or picture.hit:
        return []
    if picture.clot is None or not picture.clot.may_be_within(evidence.days("within_days")) or picture.palliative:
        return []
    return [m.problem for m in (picture.weight, picture.creatinine, picture.platelets) if m.state != "fresh"]


def _failed(case: Case) -> list[str]:
    """Reads that were tried and failed, while an anticoagulant is in focus or runs."""
    focus = case.judged() or case.service is not None or case.medication is not None
    if not focus and not case.picture.treatment.running:
        return []
    spoken = {"creatinine", "platelets", "weight"}
    return [f"{g.key}: {g.reason}" for g in case.patient.gaps if g.failed and g.key not in spoken]


def _unread(case: Case, evidence: Evidence) -> Answer:
    """The problem list could not be read: nothing can be said about cancer or clot."""
    active = any(
        m.drug and m.drug.anticoagulant and m.status in ("active", "on-hold") for m in case.patient.medications
    )
    if case.on_patient_view and not active:
        return None
    lines = tuple(f"{g.key}: {g.reason}" for g in case.patient.gaps)
    return evidence.finding("unread", because=lines)
