"""Cancer and its activity: active, active-unconfirmed, remission, history or none."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from hooks.clinic.clot import NEVER, UNSURE, days_since, is_current
from hooks.dates import PartialDate
from hooks.facts import Diagnosis, MedicationOrder, Patient
from hooks.guidelines import Profile

Activity = Literal["active", "active-unconfirmed", "remission", "history", "none"]
_KINDS = ("primary", "metastatic", "haematological", "unspecified-site")
_ICD_CATEGORY_LENGTH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancer:
    """The patient's cancer. ``diagnoses`` are those that make up ``activity``, most telling first."""

    activity: Activity
    diagnoses: tuple[Diagnosis, ...] = ()
    unconfirmed: bool = False
    metastatic: bool = False
    treatments: tuple[MedicationOrder, ...] = ()
    on_chemotherapy: bool = False
    luminal_gi: tuple[Diagnosis, ...] = ()
    luminal_gu: tuple[Diagnosis, ...] = ()
    cns: tuple[Diagnosis, ...] = ()
    remission_since: PartialDate | None = None

    @property
    def is_active(self) -> bool:
        """Whether it counts as active, confirmed or not."""
        return self.activity in ("active", "active-unconfirmed")


def find_cancer(patient: Patient, profile: Profile) -> Cancer:
    """The cancer picture on the day of the request (ISTH-style definition of active cancer)."""
    cancers = [d for d in patient.diagnoses if d.means("malignancy", *_KINDS) and d.verification_status not in NEVER]
    window = profile.days("cancer_treatment_days")
    if not cancers:
        return _past(patient, window)
    treatments = recent_treatments(patient, window)
    last_treatment = _last_treatment(patient, treatments, window)
    remissions = [d for d in cancers if _in_remission(d)]
    current = [d for d in cancers if is_current(d) and not _in_remission(d)]
    current = [d for d in current if not _superseded(d, remissions)]
    remission_since = max((_remission_date(d) for d in remissions), key=_latest, default=None)
    active = _active(cancers, current, remissions, remission_since, last_treatment)
    if active:
        activity: Activity = "active"
        if not last_treatment and all(_may_be_stale(d, patient, profile) for d in active):
            activity = "active-unconfirmed"
        telling = active
    elif remissions:
        activity, telling = "remission", remissions
    else:
        activity, telling = "history", cancers
    metastatic = any(d.means("malignancy", "metastatic") for d in active)
    telling = sorted(telling, key=_telling, reverse=True)
    return Cancer(
        activity=activity,
        diagnoses=tuple(telling),
        unconfirmed=all(d.verification_status in UNSURE for d in telling),
        metastatic=metastatic,
        treatments=treatments,
        on_chemotherapy=_on_chemotherapy(patient, treatments, window),
        luminal_gi=_tagged(cancers, "luminal-gi"),
        luminal_gu=_tagged(cancers, "luminal-gu"),
        cns=_tagged(cancers, "cns"),
        remission_since=remission_since,
    )


def _past(patient: Patient, window: int) -> Cancer:
    """Cancer that is on record as past only. Treated lately all the same, it may be active: that is to be confirmed."""
    past = tuple(
        d for d in patient.diagnoses if d.means("malignancy", "history") and d.verification_status not in NEVER
    )
    if not past:
        return Cancer(activity="none")
    treatments = recent_treatments(patient, window)
    if _last_treatment(patient, treatments, window) is None:
        return Cancer(activity="history")
    return Cancer(
        activity="active-unconfirmed",
        diagnoses=past,
        treatments=treatments,
        on_chemotherapy=_on_chemotherapy(patient, treatments, window),
    )


def recent_treatments(patient: Patient, window: int) -> tuple[MedicationOrder, ...]:
    """Cancer medicines on record that ran at some time in the last ``window`` days."""
    found = []
    for order in patient.medications:
        if order.drug is None or not order.drug.antineoplastic or order.do_not_perform:
            continue
        if order.status in ("entered-in-error", "cancelled", "draft"):
            continue
        last = _last_day(order, patient)
        if last is None or (patient.as_of - last).days <= window:
            found.append(order)
    return tuple(found)


def _last_day(order: MedicationOrder, patient: Patient) -> date | None:
    """The last day a medicine is known to have run; None when that is today, or cannot be told.

    An open endocrine order is daily treatment and runs until it is ended; an open chemotherapy order is
    often a past cycle that nobody closed, and counts on its own date.
    """
    if order.ends is not None:
        return min(order.ends.latest, patient.as_of)
    daily = order.drug is not None and order.drug.antineoplastic == "endocrine"
    if order.status in ("active", "on-hold") and daily:
        return None
    return order.starts.latest if order.starts else None


def _last_treatment(patient: Patient, treatments: tuple[MedicationOrder, ...], window: int) -> date | None:
    days = [_last_day(order, patient) or patient.as_of for order in treatments]
    days += [
        p.performed.latest
        for p in patient.procedures
        if p.performed
        and any(m.topic == "procedure" and m.kind in ("chemotherapy", "radiotherapy") for m in p.meanings)
        and p.performed.days_before(patient.as_of).may_be_at_most(window)
    ]
    days += [
        d.since.latest
        for d in patient.diagnoses
        if d.means("malignancy", "treatment-encounter")
        and d.since
        and d.verification_status not in NEVER
        and d.since.days_before(patient.as_of).may_be_at_most(window)
    ]
    return max((min(day, patient.as_of) for day in days), default=None)


def _on_chemotherapy(patient: Patient, treatments: tuple[MedicationOrder, ...], window: int) -> bool:
    return any(_is_chemotherapy(m) for m in treatments) or _chemotherapy_procedure(patient, window)


def _chemotherapy_procedure(patient: Patient, window: int) -> bool:
    return any(
        p.performed is not None
        and p.performed.days_before(patient.as_of).may_be_at_most(window)
        and any(m.topic == "procedure" and m.kind == "chemotherapy" for m in p.meanings)
        for p in patient.procedures
    )


def _is_chemotherapy(order: MedicationOrder) -> bool:
    return order.drug is not None and order.drug.antineoplastic == "chemotherapy"


def _in_remission(d: Diagnosis) -> bool:
    if d.clinical_status == "remission":
        return True
    return is_current(d) and d.has_tag("malignancy", "in-remission")


def _remission_date(d: Diagnosis) -> PartialDate | None:
    """Since when it is in remission: its end, the day of the entry, or the onset of a code that says "in remission"."""
    coded = d.clinical_status != "remission" and d.has_tag("malignancy", "in-remission")
    return d.abated or d.recorded or (d.onset if coded else None)


def _latest(day: PartialDate | None) -> date:
    return day.latest if day else date.min


def _superseded(d: Diagnosis, remissions: list[Diagnosis]) -> bool:
    """Whether a later entry of the same cancer says that it is in remission."""
    if d.clinical_status in ("recurrence", "relapse") or d.has_tag("malignancy", "relapse"):
        return False
    for later in remissions:
        when = _remission_date(later)
        if _same_cancer(d, later) and when and d.since and d.since.latest <= when.latest:
            return True
    return False


def _same_cancer(one: Diagnosis, other: Diagnosis) -> bool:
    def categories(d: Diagnosis) -> set[str]:
        return {c if c.isdigit() else c[:_ICD_CATEGORY_LENGTH] for c in d.codes}

    return bool(categories(one) & categories(other))


def _active(
    cancers: list[Diagnosis],
    current: list[Diagnosis],
    remissions: list[Diagnosis],
    remission_since: PartialDate | None,
    last_treatment: date | None,
) -> list[Diagnosis]:
    if current:
        return current
    if last_treatment is None:
        return []
    if remissions and remission_since and last_treatment <= remission_since.latest:
        return []
    return remissions or cancers


def _may_be_stale(d: Diagnosis, patient: Patient, profile: Profile) -> bool:
    """Whether an active solid tumour was entered so long ago that its activity needs confirming."""
    if d.means("malignancy", "haematological", "metastatic") or d.clinical_status in ("recurrence", "relapse"):
        return False
    days = days_since(d.since, patient)
    years = profile.days("solid_tumour_unconfirmed_years")
    if days is None or d.since is None:
        return False
    past = d.since.latest
    return (patient.as_of.year - past.year, patient.as_of.month, patient.as_of.day) > (years, past.month, past.day)


def _telling(d: Diagnosis) -> tuple[bool, bool, date]:
    return (
        d.verification_status not in UNSURE,
        d.means("malignancy", "metastatic") or d.clinical_status in ("recurrence", "relapse"),
        _latest(d.since),
    )


def _tagged(cancers: list[Diagnosis], tag: str) -> tuple[Diagnosis, ...]:
    return tuple(
        d for d in cancers if d.has_tag("malignancy", tag) and d.clinical_status not in ("resolved", "inactive")
    )
