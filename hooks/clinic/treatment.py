"""The anticoagulant therapy over time: what runs, what ran, which day of treatment it is."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from hooks.clinic.clot import Clot
from hooks.clinic.intent import dose_intent, has_treated, is_treatment_drug
from hooks.dates import DayRange, PartialDate
from hooks.dosing import Dosing, Intent
from hooks.facts import MedicationOrder, Patient, ServiceOrder
from hooks.guidelines import Profile

ORDER_INTENTS = frozenset(
    {"", "order", "plan", "original-order", "reflex-order", "filler-order", "instance-order", "unknown"}
)
STOPPED = frozenset({"stopped", "cancelled", "completed", "ended", "revoked"})
NEVER_RAN = frozenset({"draft", "cancelled", "entered-in-error", "unknown"})
PARENTERAL = frozenset({"LMWH", "UFH", "parenteral-Xa"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One anticoagulant order on record with the intent of its dose today; ``treated``: of any of its steps."""

    order: MedicationOrder
    intent: Intent
    treated: bool
    running: bool
    within_grace: bool

    @property
    def anticoagulant(self) -> str:
        """The class of its drug."""
        drug = self.order.drug
        return (drug.anticoagulant if drug else None) or ""

    @property
    def has_treated(self) -> bool:
        """Whether a dose of it, today's or an earlier step's, is known to be a treatment dose."""
        return self.intent == "treatment" or (self.treated and self.intent != "unknown")

    @property
    def treats(self) -> bool:
        """Whether it is, or may be, a treatment dose."""
        return self.intent in ("treatment", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """All courses, newest first. ``day_zero`` is the first day of treatment of the index clot, if on record."""

    courses: tuple[Course, ...] = ()
    day_zero: PartialDate | None = None
    day: DayRange | None = None

    @property
    def running(self) -> tuple[Course, ...]:
        """Courses that run today, whatever their dose."""
        return tuple(c for c in self.courses if c.running)

    @property
    def running_treatment(self) -> tuple[Course, ...]:
        """Courses that run today with a treatment dose or a dose that is not known."""
        return tuple(c for c in self.running if c.treats)

    @property
    def covered(self) -> bool:
        """Whether a treatment runs, or its supply ended only just now."""
        return any((c.running or c.within_grace) and c.treats for c in self.courses)


def find_treatment(
    patient: Patient,
    clot: Clot | None,
    profile: Profile,
    dosing: Dosing,
    *,
    weight_kg: Decimal | None,
    drafts: tuple[MedicationOrder | ServiceOrder, ...],
) -> Treatment:
    """The therapy on record; an order that a draft of this session stops no longer runs."""
    stopped = stops(drafts)
    under_pen = {d.reference for d in drafts}
    courses = []
    for order in patient.medications:
        if not is_treatment_drug(order) or order.do_not_perform or order.status in ("entered-in-error", "draft"):
            continue
        if order.intent not in ORDER_INTENTS:
            continue
        if order.reference in under_pen and order.reference not in {s.reference for s in stopped}:
            continue
        is_stopped = any(is_stop_of(stop, order) for stop in stopped)
        running = _runs(order, patient.as_of) and not is_stopped
        grace = _in_grace(order, patient.as_of, profile.days("supply_grace_days")) and not is_stopped
        intent = dose_intent(order, dosing, weight_kg, patient.as_of)
        treated = has_treated(order, dosing, weight_kg)
        courses.append(Course(order=order, intent=intent, treated=treated, running=running, within_grace=grace))
    courses.sort(key=lambda c: (_start(c.order), c.order.reference), reverse=True)
    day_zero = _day_zero(courses, clot, profile, patient.as_of)
    return Treatment(
        courses=tuple(courses),
        day_zero=day_zero,
        day=day_zero.days_before(patient.as_of) if day_zero else None,
    )


def stops(drafts: tuple[MedicationOrder | ServiceOrder, ...]) -> tuple[MedicationOrder, ...]:
    """Orders under the pen that end an anticoagulant: their status is being set to stopped."""
    return tuple(d for d in drafts if isinstance(d, MedicationOrder) and d.status in STOPPED and is_treatment_drug(d))


def is_stop_of(stop: MedicationOrder, order: MedicationOrder) -> bool:
    """Whether a stop under the pen ends an order on record: the same order, or the same drug."""
    if stop.reference == order.reference:
        return True
    return stop.drug is not None and order.drug is not None and stop.drug.name == order.drug.name


def _start(order: MedicationOrder) -> date:
    return order.starts.earliest if order.starts else date.min


def _runs(order: MedicationOrder, today: date) -> bool:
    if order.status != "active":
        return False
    started = order.starts is None or order.starts.earliest <= today
    return started and (order.ends is None or order.ends.latest >= today)


def _in_grace(order: MedicationOrder, today: date, grace_days: int) -> bool:
    ended = order.ends
    return order.status == "active" and ended is not None and 0 < (today - ended.latest).days <= grace_days


def treats_clot(course: Course, clot: Clot, profile: Profile) -> bool:
    """Whether a course belongs to the index clot: begun not long before it, or later."""
    if clot.onset is None or course.order.starts is None:
        return True
    before = (clot.onset.earliest - course.order.starts.latest).days
    return before <= profile.days("treatment_before_onset_days")


def _day_zero(courses: list[Course], clot: Clot | None, profile: Profile, today: date) -> PartialDate | None:
    """The first treatment of the index clot; its onset where an earlier treatment simply goes on."""
    if clot is None:
        return None
    starts = [
        c.order.starts
        for c in courses
        if c.treated
        and c.order.starts is not None
        and c.order.starts.earliest <= today
        and c.order.status not in NEVER_RAN
        and treats_clot(c, clot, profile)
    ]
    if not starts and any(c.running and c.treats for c in courses):
        return clot.onset
    return min(starts, key=lambda s: (s.earliest, s.latest), default=None)
