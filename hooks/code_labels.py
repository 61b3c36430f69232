"""Labels of the code lists against second sources: the classification, and what a product's display says itself."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation

from hooks import drugs
from hooks.drugs import DrugBook
from hooks.listed_rows import Fault, ListedRow
from hooks.tables import ICD_10_CM, RXNORM

Describe = Callable[[str], str | None]
"""The label of an ICD-10-CM code in a second source; None when the code does not exist there."""

LAB_FILE = "codes/labs-loinc.csv"
_WORDS_OF_ANALYTE: Mapping[str, tuple[str, ...]] = {
    "creatinine_mg_dl": ("creatinine",),
    "creatinine_clearance_ml_min": ("creatinine", "clearance"),
    "platelets_10e9_l": ("platelet",),
    "weight_kg": ("weight",),
    "height_cm": ("height",),
    "haemoglobin_g_l": ("hemoglobin",),
    "egfr": ("glomerular filtration",),
    "anti-xa": ("heparin",),
    "inr": ("inr",),
    "aptt": ("aptt",),
    "pregnancy-status": ("pregnancy",),
    "cancer-disease-status": ("cancer disease",),
}
_VOLUME = re.compile(r"(\d+(?:\.\d+)?) ML ")
_STRENGTH = re.compile(r"(\d+(?:\.\d+)?) (MG|UNT)(/ML)?\b")
_UNITS = {"mg": "MG", "IU": "UNT"}


def icd_labels(rows: Iterable[ListedRow], describe: Describe) -> Iterator[Fault]:
    """Codes that ICD-10-CM does not have, or has under another label."""
    for row in rows:
        if row["system"] == ICD_10_CM:
            label = describe(row["code"])
            if label is None:
                yield row.fault(f"{row['code']} does not exist in ICD-10-CM")
            elif label != row["display"]:
                yield row.fault(f"{row['code']} is {label!r} in ICD-10-CM, not {row['display']!r}")


def loinc_labels(rows: Iterable[ListedRow]) -> Iterator[Fault]:
    """Laboratory codes whose display does not read like their analyte."""
    for row in rows:
        if row.file != LAB_FILE:
            continue
        missing = [word for word in _WORDS_OF_ANALYTE.get(row["analyte"], ()) if word not in row["display"].casefold()]
        if missing or row["analyte"] not in _WORDS_OF_ANALYTE:
            yield row.fault(f"{row['code']} {row['display']!r} does not read like {row['analyte']}")


def strengths(rows: Iterable[ListedRow]) -> Iterator[Fault]:
    """A strength that the display of the product does not give (amount, or concentration times volume)."""
    for row in rows:
        if row["system"] != RXNORM or not row["strength"]:
            continue
        volume = _VOLUME.match(row["display"])
        found = {
            (Decimal(amount) * (Decimal(volume[1]) if volume and per_ml else 1), unit)
            for amount, unit, per_ml in _STRENGTH.findall(row["display"])
            if volume or not per_ml
        }
        try:
            fits = (Decimal(row["strength"]), _UNITS.get(row["strength_unit"], "")) in found
        except InvalidOperation:
            fits = False
        if not fits:
            given = f"{row['strength']} {row['strength_unit']}"
            yield row.fault(f"{row['code']} {row['display']!r}: its display does not give {given}")


def drug_names(rows: Iterable[ListedRow], book: DrugBook) -> Iterator[Fault]:
    """A code whose display names another drug than the row, or none that is known."""
    for row in rows:
        name = row["drug"]
        if row.file not in drugs.FILES or name not in book.drugs or name in book.classes:
            continue
        display = row["display"].casefold()
        matched = [book.match((), part) for part in re.split(r" / |\(|\) ", display)]
        named = {drug.name for drug in matched if drug}
        if name not in display and not named & {name, row["second_drug"]} and not _kin(name, named, book):
            yield row.fault(f"{row['code']} {row['display']!r} does not name {name}")


def _kin(name: str, others: Iterable[str], book: DrugBook) -> bool:
    """Whether one of the others is a longer name of the drug, such as an antibody with its toxin."""
    return any(
        name in other and book.drugs[name].antineoplastic == book.drugs[other].antineoplastic for other in others
    )
