"""The picture of a patient that all rules share, and the case that one rule judges."""

from dataclasses import dataclass
from decimal import Decimal

from hooks.clinic.blocks import Bleeding, HeparinThrombocytopenia, Pregnancy, find_bleeding, find_hit, find_pregnancy
from hooks.clinic.cancer import Cancer, find_cancer
from hooks.clinic.clot import NEVER, Clot, find_clot, has_unusual_clot, is_current
from hooks.clinic.intent import dose_intent, is_treatment_drug
from hooks.clinic.kidney import Clearance, find_clearance
from hooks.clinic.measures import Limits, Measure, newest
from hooks.clinic.treatment import STOPPED, Course, Treatment, find_treatment
from hooks.dosing import Dosing, Intent
from hooks.facts import MedicationOrder, Orders, Patient, ServiceOrder
from hooks.guidelines import Profile

HEIGHT_NEVER_OLD_DAYS = 36500


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Derived facts of one patient on one day under one profile.

    ``population``: "cat" (cancer-associated VTE), "remission", "unusual-site", "unknown" (the problem list
    could not be read) or "none".
    """

    patient: Patient
    population: str
    clot: Clot | None
    cancer: Cancer
    treatment: Treatment
    platelets: Measure
    creatinine: Measure
    weight: Measure
    clearance: Clearance
    bleeding: Bleeding
    hit: HeparinThrombocytopenia | None
    pregnancy: Pregnancy | None
    stale_clot: bool
    palliative: bool

    @property
    def uncertainties(self) -> tuple[str, ...]:
        """What is not sure about clot or cancer, in words; drug-choice and duration cards drop one level."""
        words = []
        if self.clot and self.clot.possible:
            words.append("possible VTE")
        if self.clot and self.clot.unconfirmed:
            words.append("unconfirmed VTE")
        if self.stale_clot:
            words.append("VTE entry may be out of date")
        if self.cancer.unconfirmed or self.cancer.activity == "active-unconfirmed":
            words.append("unconfirmed cancer" if self.cancer.unconfirmed else "cancer activity unconfirmed")
        return tuple(words)

    @property
    def platelets_10e9_l(self) -> Decimal | None:
        """The platelet count to act on."""
        return self.platelets.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing to judge: the order under the pen (None on patient-view), with everything around it."""

    hook: str
    picture: Picture
    order: MedicationOrder | ServiceOrder | None
    intent: Intent
    others: tuple[MedicationOrder | ServiceOrder, ...]
    dosing: Dosing
    profile: Profile

    @property
    def patient(self) -> Patient:
        """The patient."""
        return self.picture.patient

    @property
    def medication(self) -> MedicationOrder | None:
        """The medication order under the pen, unless it ends one, forbids one or was entered in error."""
        if isinstance(self.order, MedicationOrder) and _is_meant(self.order):
            return self.order
        return None

    @property
    def stop(self) -> MedicationOrder | None:
        """The medication order that is being stopped under the pen."""
        if isinstance(self.order, MedicationOrder) and self.order.status in STOPPED:
            return self.order
        return None

    @property
    def service(self) -> ServiceOrder | None:
        """The service or device order under the pen."""
        return self.order if isinstance(self.order, ServiceOrder) else None

    @property
    def drug_class(self) -> str:
        """The anticoagulant class of the order under the pen, "" when it is none (flushes and locks included)."""
        order = self.medication
        if order is None or order.drug is None or not is_treatment_drug(order):
            return ""
        return order.drug.anticoagulant or ""

    @property
    def drug(self) -> str:
        """The name of the drug under the pen, "" when it is none of ours."""
        order = self.medication
        return order.drug.name if order and order.drug else ""

    @property
    def may_treat(self) -> bool:
        """Whether the order under the pen is a treatment dose of an anticoagulant, or a dose not known."""
        return bool(self.drug_class) and self.intent in ("treatment", "unknown")

    @property
    def on_patient_view(self) -> bool:
        """Whether nothing is being ordered: the chart was opened."""
        return self.order is None

    @property
    def drafts(self) -> tuple[MedicationOrder, ...]:
        """The other medication drafts of this session, less those that end or forbid one or are errors."""
        return tuple(o for o in self.others if isinstance(o, MedicationOrder) and _is_meant(o))

    @property
    def choice_is_open(self) -> bool:
        """Whether drug choice is still a question: no block in front of it has ended the evaluation."""
        picture = self.picture
        evidence = self.profile.rules.get("low-platelets")
        floor = evidence.numbers["hold_below_10e9_l"] if evidence else None
        count = picture.platelets_10e9_l
        held = floor is not None and count is not None and count < floor and bool(self.judged_treatments())
        held = held and (picture.hit is None or picture.hit.remote)  # in acute HIT low platelets do not hold
        return not (picture.bleeding.major or picture.pregnancy or held)

    def judged(self) -> tuple[MedicationOrder, ...]:
        """The anticoagulants that safety rules judge: the order under the pen, or on patient-view those that run."""
        if self.on_patient_view:
            return tuple(c.order for c in self.picture.treatment.running)
        order = self.medication
        return (order,) if order is not None and self.drug_class else ()

    def judged_treatments(self) -> tuple[MedicationOrder, ...]:
        """As ``judged``, less those with a prophylactic dose: an extended-phase dose treats, and harms, as well."""
        if self.on_patient_view:
            return tuple(c.order for c in self.picture.treatment.running if c.intent != "prophylaxis")
        return self.judged() if self.intent != "prophylaxis" else ()


def find_picture(patient: Patient, orders: Orders, profile: Profile, dosing: Dosing) -> Picture:
    """Everything that is derived from the record, once for a request."""
    drafts = (*orders.in_focus, *orders.others)
    clot = find_clot(patient, profile)
    cancer = find_cancer(patient, profile)
    platelets = newest(patient, "platelets_10e9_l", _platelet_limits(cancer, profile))
    creatinine = newest(patient, "creatinine_mg_dl", _creatinine_limits(patient, cancer, drafts, profile))
    weight = newest(patient, "weight_kg", _weight_limits(cancer, profile))
    height = newest(
        patient,
        "height_cm",
        Limits(fresh_days=HEIGHT_NEVER_OLD_DAYS, missing_after_days=HEIGHT_NEVER_OLD_DAYS),
    )
    pregnancy = find_pregnancy(patient, profile)
    treatment = find_treatment(patient, clot, profile, dosing, weight_kg=weight.value, drafts=drafts)
    clearance = find_clearance(patient, profile, creatinine, weight, height, pregnant=pregnancy is not None)
    return Picture(
        patient=patient,
        population=_population(patient, clot, cancer),
        clot=clot,
        cancer=cancer,
        treatment=treatment,
        platelets=platelets,
        creatinine=creatinine,
        weight=weight,
        clearance=clearance,
        bleeding=find_bleeding(patient, profile, tuple(d for d in drafts if isinstance(d, MedicationOrder))),
        hit=find_hit(patient, profile, platelets.value),
        pregnancy=pregnancy,
        stale_clot=_is_stale(clot, treatment, profile),
        palliative=_is_palliative(patient),
    )


def find_cases(hook: str, picture: Picture, orders: Orders, profile: Profile, dosing: Dosing) -> tuple[Case, ...]:
    """One case on patient-view; on the order hooks one for each order in focus."""
    focus: tuple[MedicationOrder | ServiceOrder | None, ...] = orders.in_focus or (None,)
    if hook != "patient-view" and not orders.in_focus:
        return ()
    if hook == "patient-view":
        focus = (None,)
    return tuple(
        Case(
            hook=hook,
            picture=picture,
            order=order,
            intent=_intent(order, dosing, picture),
            others=tuple(o for o in (*orders.in_focus, *orders.others) if o is not order),
            dosing=dosing,
            profile=profile,
        )
        for order in focus
    )


def may_concern(patient: Patient, profile: Profile) -> bool:
    """Whether, from patient and conditions alone, a rule could have something to say about this patient."""
    return _population(patient, find_clot(patient, profile), find_cancer(patient, profile)) != "none"


def _is_meant(order: MedicationOrder) -> bool:
    return order.status not in STOPPED and order.status != "entered-in-error" and not order.do_not_perform


def _intent(order: MedicationOrder | ServiceOrder | None, dosing: Dosing, picture: Picture) -> Intent:
    if not isinstance(order, MedicationOrder):
        return "unknown"
    return dose_intent(order, dosing, picture.weight.value, picture.patient.as_of)


def _population(patient: Patient, clot: Clot | None, cancer: Cancer) -> str:
    gap = patient.gap("conditions")
    if clot and cancer.is_active:
        return "cat"
    if clot and cancer.activity == "remission":
        return "remission"
    if has_unusual_clot(patient) and (cancer.is_active or cancer.activity == "remission"):
        return "unusual-site"
    return "unknown" if gap else "none"


def _is_palliative(patient: Patient) -> bool:
    """Whether palliative or hospice care is on record, as a diagnosis or as a procedure."""
    coded = any(
        d.means("palliative") and is_current(d) and d.verification_status not in NEVER for d in patient.diagnoses
    )
    return coded or any(m.topic == "palliative" for p in patient.procedures for m in p.meanings)


def _is_stale(clot: Clot | None, treatment: Treatment, profile: Profile) -> bool:
    if clot is None or any(c.order.status == "active" and c.treats for c in treatment.courses):
        return False
    return clot.days is not None and not clot.may_be_within(profile.days("vte_stale_days"))


def _platelet_limits(cancer: Cancer, profile: Profile) -> Limits:
    fresh = "platelets_fresh_chemotherapy_days" if cancer.on_chemotherapy else "platelets_fresh_days"
    return Limits(fresh_days=profile.days(fresh), missing_after_days=profile.days("platelets_missing_after_days"))


def _creatinine_limits(
    patient: Patient, cancer: Cancer, drafts: tuple[MedicationOrder | ServiceOrder, ...], profile: Profile
) -> Limits:
    platinum = frozenset(profile.lists["platinum"])
    close = any(m.drug is not None and m.drug.name in platinum for m in cancer.treatments)
    close = close or any(isinstance(d, MedicationOrder) and d.inpatient for d in drafts)
    fresh = "creatinine_fresh_close_days" if close else "creatinine_fresh_days"
    return Limits(fresh_days=profile.days(fresh), missing_after_days=profile.days("creatinine_missing_after_days"))


def _weight_limits(cancer: Cancer, profile: Profile) -> Limits:
    fresh = "weight_fresh_chemotherapy_days" if cancer.on_chemotherapy else "weight_fresh_days"
    return Limits(fresh_days=profile.days(fresh), missing_after_days=profile.days("weight_missing_after_days"))


def running_courses(picture: Picture, *classes: str) -> tuple[Course, ...]:
    """Treatment courses that run today, of the given anticoagulant classes (all when none is given)."""
    return tuple(c for c in picture.treatment.running_treatment if not classes or c.anticoagulant in classes)
