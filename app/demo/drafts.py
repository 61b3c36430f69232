"""Draft orders by name, as an EHR would write them: "apixaban", "dalteparin:15000", "enoxaparin:60x2"."""

import csv
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from hooks.tables import DATA

USUAL_ORDERS = Path(__file__).with_name("usual_orders.csv")
_PRODUCTS = DATA / "codes" / "drugs-rxnorm.csv"
_WISH = re.compile(r"(?P<drug>[a-z]+)(?::(?P<amount>\d+(?:\.\d+)?)(?:x(?P<times>[1-9]))?)?", re.IGNORECASE)
_UCUM_CODES = {"mg": "mg", "IU": "[iU]"}
_SNOMED_ROUTES = {"oral": "26643006", "subcutaneous": "34206005", "intravenous": "47625008"}

Product = tuple[str, str, str]
"""System, code and label of what is ordered."""


class OrderError(ValueError):
    """The text names no order that can be made; its message says what can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One order as asked for: dose each time in ``unit`` (mg or IU), and how often a day."""

    drug: str
    amount: Decimal
    unit: str
    times_per_day: int
    route: str

    def __str__(self) -> str:
        return f"{self.drug} {self.amount:f} {self.unit}, {self.times_per_day} x a day"


def wish(text: str) -> Wish:
    """What ``text`` asks for; what it leaves open is filled from the table of usual orders.

    Raises:
        OrderError: no such drug, or not of the form drug, drug:amount or drug:amountxtimes.
    """
    match = _WISH.fullmatch(text.strip())
    usual = _usual().get(match["drug"].lower()) if match else None
    if match is None or usual is None:
        raise OrderError(
            f"{text} is no order that I can write. Use a name, name:dose or name:dosextimes "
            f"(enoxaparin:60x2) with one of: {', '.join(_usual())}."
        )
    return Wish(
        drug=usual["drug"],
        amount=Decimal(match["amount"] or usual["amount"]),
        unit=usual["unit"],
        times_per_day=int(match["times"] or usual["times_per_day"]),
        route=usual["route"],
    )


def draft(
    order: Wish, *, draft_id: str, patient_id: str, user_id: str, day: date, product: Product | None = None
) -> dict[str, Any]:
    """The MedicationRequest that an EHR would hold for ``order`` before it is signed on ``day``.

    Without a ``product`` it is the one with just that dose, where there is one.
    """
    system, code, display = product or _product(order)
    amount = int(order.amount) if order.amount == order.amount.to_integral_value() else float(order.amount)
    quantity = {
        "value": amount,
        "unit": order.unit,
        "system": "http://unitsofmeasure.org",
        "code": _UCUM_CODES[order.unit],
    }
    repeat = {"frequency": order.times_per_day, "period": 1, "periodUnit": "d"}
    route = {"system": "http://snomed.info/sct", "code": _SNOMED_ROUTES[order.route], "display": order.route}
    return {
        "resourceType": "MedicationRequest",
        "id": draft_id,
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": {
            "coding": [{"system": system, "code": code, "display": display}],
            "text": display,
        },
        "subject": {"reference": f"Patient/{patient_id}"},
        "authoredOn": day.isoformat(),
        "requester": {"reference": user_id},
        "dosageInstruction": [
            {
                "text": str(order),
                "timing": {"repeat": repeat},
                "route": {"coding": [route]},
                "doseAndRate": [{"doseQuantity": quantity}],
            }
        ],
    }


@cache
def _usual() -> dict[str, dict[str, str]]:
    with USUAL_ORDERS.open(encoding="utf-8", newline="") as table:
        return {row["drug"]: row for row in csv.DictReader(table)}


@cache
def _products() -> tuple[dict[str, str], ...]:
    with _PRODUCTS.open(encoding="utf-8", newline="") as table:
        return tuple(row for row in csv.DictReader(table) if row["effect"] == "include" and row["drug"] in _usual())


def _product(order: Wish) -> Product:
    """System, code and label of the product with just that dose, else of the ingredient."""
    rows = [row for row in _products() if row["drug"] == order.drug and not row["second_drug"]]
    fitting = [
        row
        for row in rows
        if row["term_type"] == "SCD" and row["strength"] and Decimal(row["strength"]) == order.amount
    ]
    ingredient = [row for row in rows if row["term_type"] in ("IN", "PIN")]
    chosen = (fitting or ingredient or rows)[0]
    return chosen["system"], chosen["code"], chosen["display"]
