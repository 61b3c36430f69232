"""What a card offers to do, in the language of facts; ``app.wire`` turns it into FHIR resources."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedOrder:
    """One medication order to create: one phase, one product, one dose.

    ``amount`` is the dose each time in ``unit``; ``product_code`` is an RxNorm code with its
    ``product_display``; ``product_text`` names the product for people.
    ``reason`` is the reference of the Condition treated ("Condition/dx-1") with its plain label.
    ``first_day``/``last_day`` are both inside the phase.
    """

    drug: str
    product_code: str
    product_display: str
    product_text: str
    amount: Decimal
    unit: Literal["mg", "IU"]
    times_per_day: int
    route: Literal["subcutaneous", "oral"]
    first_day: date
    last_day: date
    note: str
    reason: str
    reason_label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One button on a card: orders to create and the draft to delete, taken together.

    ``replaces`` is the reference of a draft in focus ("MedicationRequest/draft-1"), or None.
    A proposal with no ``orders`` only deletes. At least one of the two is set.
    """

    label: str
    orders: tuple[ProposedOrder, ...] = ()
    replaces: str | None = None
    replaces_label: str = ""
