"""What can forbid an anticoagulant: bleeding, heparin-induced thrombocytopenia, pregnancy, allergy."""

import re
from dataclasses import dataclass
from decimal import Decimal

from hooks.clinic import wording
from hooks.clinic.clot import NEVER, days_since, is_current
from hooks.clinic.kidney import age_years
from hooks.dates import DayRange, PartialDate
from hooks.facts import Diagnosis, Meaning, MedicationOrder, Patient
from hooks.guidelines import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Bleeding:
    """Active bleeding on record, by kind; each line describes one source."""

    major: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    minor: tuple[str, ...] = ()
    diathesis: tuple[str, ...] = ()
    intracranial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HeparinThrombocytopenia:
    """A history of immune HIT. ``days`` since it was recorded, None when not dated."""

    source: str
    days: DayRange | None
    acute: bool
    remote: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pregnancy:
    """A current pregnancy and where it is recorded."""

    source: str


def find_bleeding(patient: Patient, profile: Profile, drafts: tuple[MedicationOrder, ...] = ()) -> Bleeding:
    """Bleeding that is active and recent, from diagnoses and from the reason given for stopping a drug."""
    lines: dict[str, list[str]] = {"major": [], "other": [], "minor": [], "diathesis": []}
    intracranial = False
    for d in patient.diagnoses:
        if not d.means("bleeding") or d.verification_status in NEVER or not is_current(d):
            continue
        kinds = {m.kind for m in d.meanings if m.topic == "bleeding"}
        days = days_since(d.since, patient)
        recent = days is None or days.may_be_at_most(profile.days("bleeding_recent_days"))
        kind = next((k for k in ("major", "other", "minor", "diathesis") if k in kinds), None)
        if kind is None or (kind != "diathesis" and not recent):
            continue
        lines[kind].append(wording.diagnosis(d, patient))
        intracranial = intracranial or d.has_tag("bleeding", "intracranial")
    for draft in drafts:
        for meaning in draft.stop_reasons:
            if meaning.topic == "bleeding" and meaning.kind in ("major", "other", "minor"):
                lines[meaning.kind].append(f"{meaning.display} ({meaning.code}), given as the reason for stopping")
    return Bleeding(
        major=tuple(lines["major"]),
        other=tuple(lines["other"]),
        minor=tuple(lines["minor"]),
        diathesis=tuple(lines["diathesis"]),
        intracranial=intracranial,
    )


def find_hit(patient: Patient, profile: Profile, platelets_10e9_l: Decimal | None) -> HeparinThrombocytopenia | None:
    """The most recent record of HIT that forbids heparins: a diagnosis or an allergy with that reaction."""
    dated: list[tuple[PartialDate | None, str]] = [
        (d.since, wording.diagnosis(d, patient))
        for d in patient.diagnoses
        if d.means("hit", "contraindication") and d.verification_status not in NEVER
    ]
    dated += [
        (a.recorded, f"{a.label}: heparin-induced thrombocytopenia recorded as reaction")
        for a in patient.allergies
        if a.reaction_is_hit
    ]
    if not dated:
        return None
    day, source = max(dated, key=lambda item: item[0].latest.toordinal() if item[0] else 0)
    days = days_since(day, patient)
    below = profile.definitions["hit_acute_platelets_below_10e9_l"]
    low = platelets_10e9_l is not None and platelets_10e9_l < below
    recent = days is not None and days.may_be_at_most(profile.days("hit_acute_days"))
    remote = days is None or not days.may_be_at_most(profile.days("hit_remote_after_days"))
    return HeparinThrombocytopenia(source=source, days=days, acute=recent or low, remote=remote)


def find_pregnancy(patient: Patient, profile: Profile) -> Pregnancy | None:
    """A current pregnancy; not in a man, nor outside the ages in which it can be."""
    if patient.sex == "male":
        return None
    today = PartialDate.on(patient.as_of)
    if patient.born is not None:
        oldest = age_years(patient.born, today)
        youngest = patient.as_of.year - patient.born.latest.year - 1
        if youngest > profile.days("pregnancy_age_max_years") or oldest < profile.days("pregnancy_age_min_years"):
            return None
        if patient.born.is_exact and oldest > profile.days("pregnancy_age_max_years"):
            return None
    window = profile.days("pregnancy_observation_days")
    recent = sorted(
        (p for p in patient.pregnancy if p.taken.days_before(patient.as_of).may_be_at_most(window)),
        key=lambda p: p.taken.latest,
        reverse=True,
    )
    if recent and recent[0].pregnant:
        return Pregnancy(source=f"pregnancy status 'pregnant', {wording.day_of(recent[0].taken)}")
    limit = profile.days("pregnancy_diagnosis_days")
    for d in patient.diagnoses:
        if not d.means("pregnancy", "state") or d.verification_status in NEVER or not is_current(d):
            continue
        days = days_since(d.since, patient)
        if days is None or days.may_be_at_most(limit):
            newer_negative = bool(recent and d.since and recent[0].taken.latest > d.since.latest)
            if not newer_negative:
                return Pregnancy(source=wording.diagnosis(d, patient))
    return None


def is_allergic(patient: Patient, drug: str, drug_class: str) -> str:
    """The allergy that forbids a drug: to it, or to its class; "" when none. Heparin and LMWH count as one class."""
    heparins = ("LMWH", "UFH")
    for allergy in patient.allergies:
        classes = {allergy.anticoagulant_class, allergy.drug.anticoagulant if allergy.drug else None}
        same_drug = allergy.drug is not None and allergy.drug.name == drug
        same_class = drug_class in classes or (drug_class in heparins and bool(classes & set(heparins)))
        if same_drug or same_class:
            return allergy.label
    return ""


def competing(meanings: tuple[Meaning, ...], kinds: tuple[str, ...] = ()) -> Meaning | None:
    """A reason other than the clot for an anticoagulant, among the meanings of an order or diagnosis."""
    return next((m for m in meanings if m.topic == "competing-indication" and (not kinds or m.kind in kinds)), None)


def competing_reason(order: MedicationOrder, profile: Profile) -> str:
    """The other indication that an order gives as its reason, by code or in plain words; "" when none.

    Plain words count only where they do not name the clot as well.
    """
    coded = competing(order.reasons)
    if coded:
        return coded.display
    evidence = profile.rules.get("ordered-for-other-indication")
    if evidence is None:
        return ""
    text = order.reason_text.lower()
    if _first_of(evidence.lists["clot_words"], text):
        return ""
    return _first_of(evidence.lists["reason_words"], text)


def _first_of(words: tuple[str, ...], text: str) -> str:
    return next((word for word in words if re.search(rf"\b{re.escape(word)}\b", text)), "")


def competing_diagnosis(patient: Patient, kinds: tuple[str, ...]) -> Diagnosis | None:
    """A current diagnosis that is another reason for an anticoagulant, of one of ``kinds``."""
    return next(
        (
            d
            for d in patient.diagnoses
            if d.means("competing-indication", *kinds) and is_current(d) and d.verification_status not in NEVER
        ),
        None,
    )
