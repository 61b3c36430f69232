"""Units of dose -> mg, IU, or a count of the product: UCUM codes and what EHRs write instead."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from app.reading.elements import Quantity
from hooks.facts import Drug

Kind = Literal["mg", "IU", "product", "mL"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseUnit:
    """What a unit counts (``factor`` of it), and whether per kilogram body weight."""

    kind: Kind
    factor: Decimal = Decimal(1)
    per_kg: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A dose in mg or IU; or, with ``why`` set, the reason that there is none."""

    value: Decimal | None = None
    unit: Literal["mg", "IU", ""] = ""
    per_kg: bool = False
    why: str = ""


_WORDS: dict[str, tuple[Kind, str]] = {
    **dict.fromkeys(("mg", "milligram", "milligrams", "mgs"), ("mg", "1")),
    **dict.fromkeys(("g", "gm", "gram", "grams"), ("mg", "1000")),
    **dict.fromkeys(("ug", "mcg", "µg", "μg", "microgram", "micrograms"), ("mg", "0.001")),
    **dict.fromkeys(("iu", "[iu]", "i.u.", "ui", "int'l units"), ("IU", "1")),
    **dict.fromkeys(("international unit", "international units"), ("IU", "1")),
    **dict.fromkeys(("unt", "u", "unit", "units", "{unit}", "{units}", "usp units", "usp unit"), ("IU", "1")),
    **dict.fromkeys(("[usp'u]", "anti-xa iu", "iu anti-xa", "anti-xa units", "anti-xa", "axa iu"), ("IU", "1")),
    **dict.fromkeys(("kunt", "k unt", "ku", "k[iu]", "kiu", "k iu", "k[usp'u]", "1000 unt"), ("IU", "1000")),
    **dict.fromkeys(("ml", "milliliter", "milliliters", "millilitre", "millilitres", "cc"), ("mL", "1")),
    **dict.fromkeys(("tablet", "tablets", "tab", "tabs", "tbl", "tbs", "pill", "pills"), ("product", "1")),
    **dict.fromkeys(("capsule", "capsules", "cap", "caps"), ("product", "1")),
    **dict.fromkeys(
        ("syringe", "syringes", "syr", "prefilled syringe", "pre-filled syringe", "each"), ("product", "1")
    ),
}
_ORNAMENT = re.compile(r"\(s\)|^(?:oral|film[- ]coated|coated) | \(?unit of (?:presentation|product usage)\)?")
_PER_KG = re.compile(r"(.+?)\s*(?:/|\bper\b)\s*(?:kg|kilogram)(?:\s*(?:/|\bper\b)\s*dose)?")
_ONE_DOSE = re.compile(r"(.+?)\s*(?:/|\bper\b)\s*(?:dose|\{dose\})")
_VOLUME_FIRST = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*mL\b", re.IGNORECASE)


def read_unit(text: str) -> DoseUnit | None:
    """The unit of a dose, or None when it is none of ours (rates per hour included)."""
    word = _ORNAMENT.sub("", " ".join(text.lower().split()))
    once = _ONE_DOSE.fullmatch(word)
    if once is not None:
        word = once[1]
    per_kg = _PER_KG.fullmatch(word)
    if per_kg is not None:
        word = per_kg[1]
    found = _WORDS.get(word) or _WORDS.get(word.strip("{}").rstrip("."))
    if found is None or (per_kg is not None and found[0] not in ("mg", "IU")):
        return None
    return DoseUnit(kind=found[0], factor=Decimal(found[1]), per_kg=per_kg is not None)


def read_amount(quantity: Quantity, drug: Drug | None) -> Amount:
    """A dose quantity in mg or IU. Products count by the strength of ``drug``; nothing is guessed."""
    if quantity.comparator:
        return Amount(why=f"dose is given as {quantity}, not as one number")
    if quantity.value <= 0:
        return Amount(why=f"dose of {quantity} is not above zero")
    unit = read_unit(quantity.code) or read_unit(quantity.unit)
    by_text = read_unit(quantity.unit) if quantity.unit else None
    if unit is not None and by_text is not None and unit != by_text:
        return Amount(why=f"dose has two units that differ: {quantity.code} and {quantity.unit}")
    if unit is None:
        bare = not quantity.unit and quantity.code in ("", "1")
        return Amount(why=f"dose {quantity} has no unit" if bare else f"dose unit of {quantity} is not known")
    match unit.kind:
        case "mg" | "IU":
            return Amount(value=quantity.value * unit.factor, unit=unit.kind, per_kg=unit.per_kg)
        case _:
            return _of_products(quantity, unit, drug)


def _of_products(quantity: Quantity, unit: DoseUnit, drug: Drug | None) -> Amount:
    """Tablets, capsules, syringes by the strength of one; a volume only where it is that of one whole product."""
    strength = _strength(drug)
    if drug is None or strength is None or strength.value is None:
        return Amount(why=f"dose is {quantity} of a product whose strength is not known")
    if unit.kind == "product":
        return Amount(value=quantity.value * strength.value, unit=strength.unit)
    volume = _VOLUME_FIRST.match(drug.product)
    if volume is None or Decimal(volume[1]) != quantity.value:
        return Amount(why=f"dose is {quantity}, which is not one whole product of known strength")
    return strength


def _strength(drug: Drug | None) -> Amount | None:
    if drug is None or drug.strength is None:
        return None
    if drug.strength_unit == "mg":
        return Amount(value=drug.strength, unit="mg")
    return Amount(value=drug.strength, unit="IU") if drug.strength_unit == "IU" else None
