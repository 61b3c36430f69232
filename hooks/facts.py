"""The facts about a patient and an order, in canonical units, that the rules reason about.

Made by ``app.read_*`` from FHIR and by the tests from plain values; read by everything else in
``hooks``. All are frozen. FHIR stops here: no resource, URL or system name of a transport is in them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

from hooks.dates import PartialDate

Sex = Literal["female", "male"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """A code as the record gave it, its system already brought to the canonical URI."""

    system: str
    code: str
    display: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What one code of the knowledge means: made only by ``hooks.codes`` from ``hooks/data/codes``."""

    topic: str
    kind: str
    tags: frozenset[str] = frozenset()
    code: str = ""
    display: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """A Condition whose codes mean something to us. Statuses are lower-case FHIR codes or None if absent."""

    reference: str
    label: str
    meanings: tuple[Meaning, ...]
    codes: tuple[str, ...] = ()
    clinical_status: str | None = None
    verification_status: str | None = None
    onset: PartialDate | None = None
    recorded: PartialDate | None = None
    abated: PartialDate | None = None

    def means(self, topic: str, *kinds: str) -> bool:
        """Whether a code of it belongs to ``topic`` (and to one of ``kinds``, when given)."""
        return any(m.topic == topic and (not kinds or m.kind in kinds) for m in self.meanings)

    def has_tag(self, topic: str, tag: str) -> bool:
        """Whether a code of it in ``topic`` carries ``tag``."""
        return any(m.topic == topic and tag in m.tags for m in self.meanings)

    @property
    def since(self) -> PartialDate | None:
        """Onset, else the day it was recorded."""
        return self.onset or self.recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A laboratory value or body measure in the canonical unit of its analyte, newest wins.

    ``analyte`` is a row key of ``hooks/data/labs.csv``: ``creatinine_mg_dl``, ``platelets_10e9_l``,
    ``weight_kg``, ``height_cm``, ``haemoglobin_g_l``. ``shown`` is the value as the record gave it,
    with its unit ("142 umol/L"). ``moment`` orders readings of one day (ISO instant, "" if unknown).
    ``comparator`` is ``<``, ``<=``, ``>=``, ``>`` or "". ``remark`` says what makes it weaker
    ("estimated from a smear", "stated by the patient").
    """

    analyte: str
    value: Decimal
    shown: str
    taken: PartialDate
    moment: str = ""
    comparator: str = ""
    remark: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """Something in the record that was there and could not be used, and why (in words for a clinician)."""

    item: str
    reason: str
    taken: PartialDate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drug:
    """A drug as the knowledge knows it. Made only by ``hooks.drugs``.

    ``anticoagulant``: LMWH, UFH, VKA, DOAC-Xa, DOAC-IIa, parenteral-Xa, parenteral-DTI, heparinoid or None.
    ``use``: what the product is for: "systemic", "infusion-bag", "flush", "line-irrigation",
    "catheter-lock", "catheter-clearance", "local", or "" when only the ingredient is known.
    ``interaction``: group key of the DOAC interactions list, or "".
    ``antineoplastic``: "chemotherapy" | "endocrine" | "". ``ambiguous`` marks antineoplastics that are
    common outside oncology. ``strength``/``strength_unit`` (mg or IU) of one tablet, syringe or vial where known.
    """

    name: str
    anticoagulant: str | None = None
    thrombolytic: bool = False
    antineoplastic: Literal["", "chemotherapy", "endocrine"] = ""
    ambiguous: bool = False
    interaction: str = ""
    antiplatelet: bool = False
    use: str = ""
    strength: Decimal | None = None
    strength_unit: str = ""
    product: str = ""
    matched_by: Literal["RxNorm", "ATC", "SNOMED CT", "local code", "name"] = "RxNorm"

    @property
    def is_doac(self) -> bool:
        """Whether it is a direct oral anticoagulant."""
        return self.anticoagulant in ("DOAC-Xa", "DOAC-IIa")

    @property
    def is_heparin(self) -> bool:
        """Whether it is a heparin or low-molecular-weight heparin, flushes and locks included."""
        return self.anticoagulant in ("LMWH", "UFH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """One step of a dosage: ``amount`` in mg or IU, each time; None where it cannot be computed.

    ``times_per_day`` is None when unknown. ``rate`` marks a continuous infusion. ``starts``/``ends``
    bound the step where the order says so; ``days`` its length. ``why_unknown`` says in words why
    ``amount`` is None. ``per_kg`` is True when the amount is per kilogram body weight.
    """

    amount: Decimal | None = None
    unit: Literal["mg", "IU", ""] = ""
    times_per_day: Decimal | None = None
    per_kg: bool = False
    rate: bool = False
    as_needed: bool = False
    route: str = ""
    starts: PartialDate | None = None
    ends: PartialDate | None = None
    days: int | None = None
    text: str = ""
    why_unknown: str = ""

    @property
    def per_day(self) -> Decimal | None:
        """The daily total, where both amount and frequency are known."""
        if self.amount is None or self.times_per_day is None:
            return None
        return self.amount * self.times_per_day


@dataclass(frozen=True, slots=True, kw_only=True)
class MedicationOrder:
    """A MedicationRequest, on record or under the pen.

    ``drug`` is None when the medicine is none of the knowledge's; ``unresolved`` is True when the
    medicine could not be identified at all (a reference that could not be read). ``ends`` is the last
    day covered by bounds or supply (refills included), None when the order does not say.
    ``reasons`` are the meanings of reasonCode and of Conditions under reasonReference;
    ``stop_reasons`` those of statusReason. ``label`` is text from the record: escape before showing.
    """

    reference: str
    label: str
    drug: Drug | None
    status: str
    intent: str = "order"
    doses: tuple[Dose, ...] = ()
    authored: PartialDate | None = None
    starts: PartialDate | None = None
    ends: PartialDate | None = None
    refills: int = 0
    reasons: tuple[Meaning, ...] = ()
    reason_text: str = ""
    stop_reasons: tuple[Meaning, ...] = ()
    stop_reason_text: str = ""
    do_not_perform: bool = False
    unresolved: bool = False
    inpatient: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOrder:
    """A ServiceRequest or DeviceRequest under the pen or on record whose codes mean something to us."""

    reference: str
    label: str
    meanings: tuple[Meaning, ...]
    status: str
    occurrence: PartialDate | None = None
    reasons: tuple[Meaning, ...] = ()
    reason_text: str = ""

    def means(self, topic: str, *kinds: str) -> bool:
        """Whether a code of it belongs to ``topic`` (and to one of ``kinds``, when given)."""
        return any(m.topic == topic and (not kinds or m.kind in kinds) for m in self.meanings)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastProcedure:
    """A Procedure on record whose codes mean something to us."""

    reference: str
    label: str
    meanings: tuple[Meaning, ...]
    status: str | None = None
    performed: PartialDate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allergy:
    """An active AllergyIntolerance to one of the knowledge's drugs or drug classes.

    ``drug`` is the matched drug; ``anticoagulant_class`` is set when the substance is a class ("LMWH").
    ``reaction_is_hit`` is True when a reaction's code or text says heparin-induced thrombocytopenia.
    """

    reference: str
    label: str
    drug: Drug | None = None
    anticoagulant_class: str | None = None
    reaction_is_hit: bool = False
    recorded: PartialDate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PregnancyStatus:
    """A pregnancy-status observation (LOINC 82810-3): pregnant or not, on a day."""

    pregnant: bool
    taken: PartialDate
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A kind of record that could not be had: its prefetch key, and why in words for a clinician.

    ``failed`` tells a read that was tried and failed, or broke off, from one that nobody could try.
    """

    key: str
    reason: str
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """All that the rules may know about a patient on one day (``as_of``, the date at the client)."""

    as_of: date
    born: PartialDate | None = None
    sex: Sex | None = None
    diagnoses: tuple[Diagnosis, ...] = ()
    medications: tuple[MedicationOrder, ...] = ()
    procedures: tuple[PastProcedure, ...] = ()
    services: tuple[ServiceOrder, ...] = ()
    allergies: tuple[Allergy, ...] = ()
    readings: Mapping[str, tuple[Reading, ...]] = field(default_factory=dict)
    pregnancy: tuple[PregnancyStatus, ...] = ()
    unusable: tuple[Unusable, ...] = ()
    gaps: tuple[Gap, ...] = ()

    def gap(self, key: str) -> Gap | None:
        """The gap of a kind of record, or None when it was read."""
        return next((g for g in self.gaps if g.key == key), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What is under the pen: the drafts in focus (selected, or all on signing) and the other drafts."""

    in_focus: tuple[MedicationOrder | ServiceOrder, ...] = ()
    others: tuple[MedicationOrder | ServiceOrder, ...] = ()
