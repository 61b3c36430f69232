"""The index clot: the latest venous thromboembolism that counts, how sure and how old it is."""

from dataclasses import dataclass

from hooks.dates import DayRange, PartialDate
from hooks.facts import Diagnosis, Patient
from hooks.guidelines import Profile

CURRENT = (None, "active", "recurrence", "relapse")
NEVER = ("refuted", "entered-in-error", "differential")
UNSURE = ("unconfirmed", "provisional")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clot:
    """The index VTE. ``days`` since onset, None when no date is recorded.

    ``possible``: the code does not say whether the vein is deep. ``unconfirmed``: the record says so.
    """

    diagnosis: Diagnosis
    onset: PartialDate | None
    days: DayRange | None
    possible: bool
    unconfirmed: bool

    @property
    def is_leg_dvt(self) -> bool:
        """Whether it is a deep-vein thrombosis of the leg (or one whose site is not given)."""
        tagged = self.diagnosis.has_tag
        return tagged("vte", "leg") or (tagged("vte", "dvt") and not tagged("vte", "arm"))

    @property
    def is_dvt(self) -> bool:
        """Whether it is a deep-vein thrombosis at any site."""
        return self.diagnosis.has_tag("vte", "dvt") or self.diagnosis.has_tag("vte", "leg") or self.is_arm

    @property
    def is_arm(self) -> bool:
        """Whether it is in the arm or neck, mostly around a catheter."""
        return self.diagnosis.has_tag("vte", "arm")

    @property
    def is_pe(self) -> bool:
        """Whether it is a pulmonary embolism."""
        return self.diagnosis.has_tag("vte", "pe")

    def may_be_within(self, days: int) -> bool:
        """Whether it can be ``days`` old or younger; an unknown date can."""
        return self.days is None or self.days.may_be_at_most(days)

    def may_have_reached(self, days: int) -> bool:
        """Whether it can be ``days`` old or older; an unknown date cannot."""
        return self.days is not None and self.days.may_be_at_least(days)


def days_since(day: PartialDate | None, patient: Patient) -> DayRange | None:
    """Days from ``day`` to the day of the request; None when unknown or plainly in the future."""
    if day is None:
        return None
    days = day.days_before(patient.as_of)
    if days.most < -1:
        return None
    return DayRange(fewest=max(days.fewest, 0), most=max(days.most, 0))


def find_clot(patient: Patient, profile: Profile) -> Clot | None:
    """The index VTE: the latest that is active, a sure one before a possible one.

    An entry without an onset that repeats the code of one with an onset (a later visit, a discharge list) is the
    same clot told again, not a new one.
    """
    return max(active_clots(patient, profile), key=_rank, default=None)


def active_clots(patient: Patient, profile: Profile) -> list[Clot]:
    """Every clot that is active (leg and lung are often told as two), without those that are only told again."""
    active = [c for c in (_clot(d, patient) for d in clots_on_record(patient)) if _is_active(c, profile)]
    dated = {code for c in active if c.diagnosis.onset for code in c.diagnosis.codes}
    return [c for c in active if c.diagnosis.onset or not dated & set(c.diagnosis.codes)]


def clots_on_record(patient: Patient) -> list[Diagnosis]:
    """All deep clots and lung emboli that are neither refuted nor entered in error."""
    return [d for d in patient.diagnoses if d.means("vte", "acute", "ambiguous") and d.verification_status not in NEVER]


def has_unusual_clot(patient: Patient) -> bool:
    """Whether a clot at an unusual site, or a chronic one, is current: safety rules apply, dose rules do not."""
    return any(
        d.means("vte", "unusual-site", "chronic") and is_current(d) and d.verification_status not in NEVER
        for d in patient.diagnoses
    )


def is_current(diagnosis: Diagnosis) -> bool:
    """Whether the record holds it to be going on: active, recurrent, relapsed or without a status and an end."""
    if diagnosis.clinical_status is None:
        return diagnosis.abated is None
    return diagnosis.clinical_status in CURRENT


def _clot(diagnosis: Diagnosis, patient: Patient) -> Clot:
    sure = diagnosis.means("vte", "acute") and not diagnosis.means("vte", "chronic", "history", "unusual-site")
    return Clot(
        diagnosis=diagnosis,
        onset=diagnosis.since,
        days=days_since(diagnosis.since, patient),
        possible=not sure,
        unconfirmed=diagnosis.verification_status in UNSURE,
    )


def _is_active(clot: Clot, profile: Profile) -> bool:
    if is_current(clot.diagnosis):
        return True
    return clot.days is not None and clot.days.may_be_at_most(profile.days("vte_recent_days"))


def _rank(clot: Clot) -> tuple[bool, bool, int, str]:
    sure = not (clot.possible or clot.unconfirmed)
    return sure, clot.days is not None, -(clot.days.fewest if clot.days else 0), clot.diagnosis.reference
