"""The therapy of one patient over time: clot, anticoagulants, platelets, creatinine clearance, and its milestones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from app.demo.dates import Resource
from app.gather import Got
from app.reading.record import read_patient
from hooks.clinic import wording
from hooks.clinic.dalteparin import DALTEPARIN
from hooks.clinic.kidney import age_years, cockcroft_gault
from hooks.clinic.picture import Picture, find_picture
from hooks.clinic.treatment import Course
from hooks.dosing import Dosing
from hooks.facts import Orders, Patient, Reading
from hooks.guidelines import Profile
from hooks.knowledge import Knowledge

_BEFORE, _AFTER = timedelta(days=75), timedelta(days=14)
_LONGEST = timedelta(days=550)
_WITHOUT_CLOT = timedelta(days=365)

PLATELETS = "platelets_10e9_l"
CREATININE = "creatinine_mg_dl"
WEIGHT = "weight_kg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One anticoagulant from its first to its last day; ``intent`` is what its dose means today."""

    drug: str
    words: str
    intent: str
    starts: date
    ends: date
    running: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value on one day, in the unit of its line."""

    day: date
    value: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A day that is worth a line of its own."""

    day: date
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Therapy:
    """Everything in the picture. Platelets in 10⁹/L, clearance in mL/min; ``counted_from`` says what day 0 is."""

    first: date
    last: date
    today: date
    clot: Mark | None
    bars: tuple[Bar, ...]
    platelets: tuple[Point, ...]
    platelet_limits: tuple[Decimal, ...]
    clearance: tuple[Point, ...]
    clearance_limits: tuple[Decimal, ...]
    milestones: tuple[Mark, ...]
    counted_from: str

    @property
    def words(self) -> str:
        """The picture in a sentence or two, for those who do not see it."""
        clot = f"{self.clot.label} on {self.clot.day}" if self.clot else "No current thrombosis on record"
        bars = "; ".join(f"{bar.words} from {bar.starts} to {bar.ends}" for bar in self.bars)
        newest = [
            f"{name} {points[-1].value:.0f} {unit} on {points[-1].day}"
            for name, points, unit in (
                ("platelets", self.platelets, "× 10⁹/L"),
                ("creatinine clearance", self.clearance, "mL/min"),
            )
            if points
        ]
        return f"{clot}. {bars or 'No anticoagulant'}. Newest: {', '.join(newest) or 'no values'}."


def therapy(
    resources: Sequence[Resource], patient_id: str, today: date, knowledge: Knowledge, profile: Profile
) -> Therapy:
    """The therapy as the service itself reads it from ``resources``, thresholds from ``profile``."""
    got = {"record": Got(key="record", resources=tuple(resources))}
    patient = read_patient(got, patient_id, today, knowledge).patient
    picture = find_picture(patient, Orders(), profile, knowledge.dosing)
    clot = _clot(picture)
    bars = tuple(sorted(_bars(picture, today), key=lambda bar: (bar.starts, bar.drug)))
    milestones, counted_from = _milestones(picture, knowledge.dosing)
    begin = clot.day if clot else today - _WITHOUT_CLOT
    first = max(min([begin, *(bar.starts for bar in bars)]) - _BEFORE, today - _LONGEST)
    last = max([today, *(mark.day for mark in milestones)]) + _AFTER
    return Therapy(
        first=first,
        last=last,
        today=today,
        clot=clot,
        bars=tuple(bar for bar in bars if bar.ends >= first and bar.starts <= last),
        platelets=tuple(_line(patient.readings.get(PLATELETS, ()), first)),
        platelet_limits=_platelet_limits(profile),
        clearance=tuple(_clearances(patient, first)),
        clearance_limits=(profile.definitions["clearance_limit_ml_min"],),
        milestones=milestones,
        counted_from=counted_from,
    )


def _clot(picture: Picture) -> Mark | None:
    clot = picture.clot
    if clot is None or clot.onset is None:
        return None
    return Mark(day=clot.onset.earliest, label=clot.diagnosis.label)


def _bars(picture: Picture, today: date) -> Iterator[Bar]:
    for course in picture.treatment.courses:
        order = course.order
        if order.starts is None or order.drug is None:
            continue
        ends = order.ends.latest if order.ends else today
        yield Bar(
            drug=order.drug.name,
            words=_spoken(course),
            intent=course.intent,
            starts=order.starts.earliest,
            ends=max(ends, order.starts.earliest),
            running=course.running,
        )


def _spoken(course: Course) -> str:
    dose = next((dose for dose in course.order.doses if dose.amount is not None), None)
    drug = course.order.drug.name if course.order.drug else ""
    if dose is None or dose.amount is None:
        return drug
    times = f", {dose.times_per_day.normalize():f} × a day" if dose.times_per_day is not None else ""
    return f"{drug} {wording.dose(dose.amount, dose.unit)}{times}"


def _milestones(picture: Picture, dosing: Dosing) -> tuple[tuple[Mark, ...], str]:
    """Ends of month 1 and month 6, counted as on the cards: from the first treatment, else from the clot."""
    treatment, clot = picture.treatment, picture.clot
    zero = treatment.day_zero or (clot.onset if clot else None)
    if zero is None:
        return (), ""
    days = (
        ("month 1", int(dosing.regimen(DALTEPARIN, "months-2-6").first_day)),
        ("month 6", int(dosing.limits["months_2_6_last_day"])),
    )
    marks = tuple(Mark(day=zero.earliest + timedelta(days=count), label=label) for label, count in days)
    return marks, "the first day of treatment" if treatment.day_zero else "the thrombosis"


def _line(readings: Sequence[Reading], first: date) -> Iterator[Point]:
    """The values of an analyte, oldest first."""
    for reading in reversed(readings):
        if reading.taken.earliest >= first:
            yield Point(day=reading.taken.earliest, value=reading.value)


def _platelet_limits(profile: Profile) -> tuple[Decimal, ...]:
    """The limits at which advice changes when a chart is opened, without repetition."""
    evidence = profile.rules.get("low-platelets")
    bands = evidence.bands if evidence else ()
    return tuple(sorted({Decimal(str(band["below"])) for band in bands if band["when"] in ("view", "any")}))


def _clearances(patient: Patient, first: date) -> Iterator[Point]:
    """Cockcroft-Gault for each creatinine, with the weight of its day or the last one before it."""
    weights = patient.readings.get(WEIGHT, ())
    if patient.born is None or patient.sex is None or not weights:
        return
    for creatinine in reversed(patient.readings.get(CREATININE, ())):
        day = creatinine.taken.earliest
        weight = next((one for one in weights if one.taken.earliest <= day), weights[-1])
        if day < first or creatinine.value <= 0:
            continue
        cleared = cockcroft_gault(
            age_years=age_years(patient.born, creatinine.taken),
            weight_kg=weight.value,
            creatinine_mg_dl=creatinine.value,
            female=patient.sex == "female",
        )
        yield Point(day=day, value=cleared)
