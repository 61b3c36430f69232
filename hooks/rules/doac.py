"""R4a-R4x: direct oral anticoagulants in cancer-associated VTE."""

from hooks.clinic import describe, wording
from hooks.clinic.blocks import competing_reason
from hooks.clinic.interacting import lesser_lines
from hooks.clinic.lead_in import lead_in_days
from hooks.clinic.offer import Offer, replacement
from hooks.clinic.picture import Case
from hooks.facts import Diagnosis, MedicationOrder
from hooks.finding import Answer, CannotTell
from hooks.guidelines import Evidence


def doac_in_cancer(case: Case, evidence: Evidence) -> Answer:
    """Seed (2014): no DOAC in cancer. Superseded for many patients; the card says so.

    When: apixaban, rivaroxaban or edoxaban is under the pen, VTE up to 6 months, no luminal GI or urothelial
    cancer, platelets and clearance not known to be below the limits, no HIT, not for another indication.
    """
    order, picture = case.medication, case.picture
    if order is None or not _is_asked(case, evidence) or picture.cancer.luminal_gi or picture.cancer.luminal_gu:
        return None
    count = picture.platelets_10e9_l
    low = count is not None and count < evidence.number("platelets_from_10e9_l")
    if low or picture.clearance.is_below(evidence.number("clearance_from_ml_min")):
        return None
    return _finding(case, evidence, order, describe.both(picture))


def doac_luminal_gi(case: Case, evidence: Evidence) -> Answer:
    """Seed and trials: more major GI bleeding with edoxaban and rivaroxaban, mainly in upper GI cancer.

    When: as R4a, with a luminal gastrointestinal cancer. A resection on record is said, not concluded from.
    """
    return _luminal(case, evidence, case.picture.cancer.luminal_gi, "luminal-gi")


def doac_luminal_gu(case: Case, evidence: Evidence) -> Answer:
    """Trials: more urinary tract bleeding with DOACs in bladder and other urothelial tumours.

    When: as R4a, with a urothelial (luminal genitourinary) cancer.
    """
    return _luminal(case, evidence, case.picture.cancer.luminal_gu, "luminal-gu")


def doac_untested_in_cancer(case: Case, evidence: Evidence) -> Answer:
    """Dabigatran and betrixaban have no adequate trials in cancer-associated VTE.

    When: one of them is under the pen, VTE up to 6 months, no HIT, not for another indication.
    """
    order = case.medication
    if order is None or not _is_asked(case, evidence):
        return None
    return _finding(case, evidence, order, describe.both(case.picture))


def doac_needs_lead_in(case: Case, evidence: Evidence) -> Answer:
    """Edoxaban and dabigatran were tried after 5 or more days of parenteral anticoagulation.

    When: one of them is under the pen, the VTE is less than 10 days old, and fewer than 5 days are on record or
    drafted before it.
    Needs: medications.
    """
    order, picture = case.medication, case.picture
    if order is None or not _is_drug(case, evidence) or not case.choice_is_open or _other_indication(case):
        return None
    if picture.clot is None or not picture.clot.may_be_within(evidence.days("younger_than_days") - 1):
        return None
    gap = case.patient.gap("medications")
    if gap:
        return CannotTell(missing=(f"medications: {gap.reason}; the parenteral lead-in was not checked",))
    days = lead_in_days(case, order)
    if days >= evidence.number("lead_in_days"):
        return None
    given = f"{days} days of parenteral treatment" if days else "No parenteral treatment on record"
    text = "hit" if picture.hit else "main"
    slots = {"drug": _name(order)}
    because = (*describe.clot(picture), f"Ordered: {wording.order(order)}", given)
    return evidence.finding(text, slots=slots, because=because)


def ordered_for_other_indication(case: Case, evidence: Evidence) -> Answer:
    """A DOAC ordered for another reason, such as atrial fibrillation, must cover the clot as well.

    When: a DOAC under the pen names a competing indication, and not the VTE, as its reason.
    """
    order, picture = case.medication, case.picture
    reason = _other_indication(case)
    if order is None or reason is None or picture.hit or not case.choice_is_open:
        return None
    because = (*describe.both(picture), f"Ordered: {wording.order(order)}, for {reason}")
    return evidence.finding(slots={"indication": reason, "drug": _name(order)}, because=because)


def _is_drug(case: Case, evidence: Evidence) -> bool:
    order = case.medication
    is_doac = order is not None and order.drug is not None and order.drug.is_doac
    return is_doac and case.drug in evidence.lists["drugs"]


def _is_asked(case: Case, evidence: Evidence) -> bool:
    """The conditions that all drug-choice rules for DOACs share."""
    picture = case.picture
    return (
        _is_drug(case, evidence)
        and case.intent != "prophylaxis"
        and case.choice_is_open
        and picture.hit is None
        and _other_indication(case) is None
        and picture.clot is not None
        and picture.clot.may_be_within(evidence.days("within_days"))
    )


def _other_indication(case: Case) -> str | None:
    """The competing indication that a DOAC order gives as its reason, unless it names the clot as well."""
    order = case.medication
    if order is None or order.drug is None or not order.drug.is_doac:
        return None
    if any(m.topic == "vte" for m in order.reasons):
        return None
    return competing_reason(order, case.profile) or None


def _luminal(case: Case, evidence: Evidence, found: tuple[Diagnosis, ...], organ: str) -> Answer:
    order = case.medication
    if order is None or not found or not _is_asked(case, evidence):
        return None
    because = (*describe.both(case.picture, found), *_resection(case, found[0], organ))
    return _finding(case, evidence, order, because)


def _resection(case: Case, cancer: Diagnosis, organ: str) -> tuple[str, ...]:
    for procedure in case.patient.procedures:
        resected = any(m.topic == "procedure" and m.kind == "resection" and organ in m.tags for m in procedure.meanings)
        after = (
            procedure.performed is None or cancer.since is None or procedure.performed.latest >= cancer.since.earliest
        )
        if resected and after:
            on = f" {wording.day_of(procedure.performed)}" if procedure.performed else ""
            return (f"{procedure.label}{on}: the primary may be resected, check",)
    return ()


def _finding(case: Case, evidence: Evidence, order: MedicationOrder, because: tuple[str, ...]) -> Answer:
    text = case.drug if case.drug in evidence.texts else "main"
    offers = evidence.lists.get("offers_replacement", ())
    offer = replacement(case) if text in offers or "all" in offers else Offer()
    lines = (*because, f"Ordered: {wording.order(order)}", *lesser_lines(case))
    slots = {"drug": _name(order)}
    return evidence.finding(text, slots=slots, because=lines, notes=offer.notes, proposals=offer.proposals)


def _name(order: MedicationOrder) -> str:
    name = wording.drug_name(order)
    return name[:1].upper() + name[1:]
