"""R31: liver disease and a direct oral anticoagulant."""

from hooks.clinic import wording
from hooks.clinic.clot import NEVER, is_current
from hooks.clinic.offer import Offer, replacement
from hooks.clinic.picture import Case
from hooks.finding import Answer
from hooks.guidelines import Evidence


def hepatic_impairment(case: Case, evidence: Evidence) -> Answer:
    """DOACs are to be avoided in severe liver disease; cirrhosis without a stage asks for one.

    When: a DOAC is under the pen and such a diagnosis is current. Major bleeding, pregnancy: R20, R27 speak.
    """
    order = case.medication
    if order is None or order.drug is None or not order.drug.is_doac:
        return None
    if case.picture.bleeding.major or case.picture.pregnancy:
        return None
    for kind in ("severe", "cirrhosis-stage-unknown"):
        found = [
            d
            for d in case.patient.diagnoses
            if d.means("hepatic", kind) and is_current(d) and d.verification_status not in NEVER
        ]
        if found:
            because = (f"Liver: {wording.diagnosis(found[0], case.patient)}", f"Ordered: {wording.order(order)}")
            offers = kind == "severe" and case.choice_is_open and case.picture.hit is None
            offer = replacement(case) if offers else Offer()
            slots = {"drug": wording.drug_name(order).capitalize()}
            return evidence.finding(kind, slots=slots, because=because, notes=offer.notes, proposals=offer.proposals)
    return None
