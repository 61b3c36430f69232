"""R30: other medicines that change the level of a direct oral anticoagulant."""

from hooks.clinic import describe, wording
from hooks.clinic.interacting import interacting, lesser_lines
from hooks.clinic.offer import Offer, replacement
from hooks.clinic.picture import Case
from hooks.finding import Answer, CannotTell
from hooks.guidelines import Evidence

GROUPS = ("inducer-strong", "inhibitor-combined", "inhibitor-moderate-or-pgp")


def doac_interaction(case: Case, evidence: Evidence) -> Answer:
    """Strong inducers take the effect away; combined strong inhibitors raise the level; others a little.

    When: a DOAC is under the pen and a listed medicine runs or is drafted. The strongest group speaks.
    Needs: medications.
    """
    order, picture = case.medication, case.picture
    if order is None or order.drug is None or not order.drug.is_doac or not case.choice_is_open:
        return None
    for group in GROUPS:
        others = interacting(case, group)
        if others:
            names = wording.listed([wording.drug_name(o) for o in others])
            slots = {"drug": wording.drug_name(order).capitalize(), "other": names}
            because = (f"Ordered: {wording.order(order)}", *(f"Also on record: {wording.order(o)}" for o in others))
            because += lesser_lines(case)
            offers = group in evidence.lists["offers_replacement"] and picture.hit is None
            offer = replacement(case) if offers else Offer()
            because = (*describe.both(picture), *because)
            return evidence.finding(group, slots=slots, because=because, notes=offer.notes, proposals=offer.proposals)
    gap = case.patient.gap("medications")
    return CannotTell(missing=(f"medications: {gap.reason}; interactions were not checked",)) if gap else None
