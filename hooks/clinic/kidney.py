"""Creatinine clearance by Cockcroft and Gault, and what makes it unsure."""

from dataclasses import dataclass
from decimal import Decimal

from hooks.clinic import wording
from hooks.clinic.clot import NEVER, is_current
from hooks.clinic.measures import Measure
from hooks.dates import PartialDate
from hooks.facts import Patient
from hooks.guidelines import Profile

CM_PER_INCH = Decimal("2.54")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearance:
    """Creatinine clearance in mL/min, unrounded; ``ml_min`` is the value to act on, None when not computable.

    ``why_not`` says why it is None; ``notes`` are caveats. On dialysis ``on_dialysis`` is True and no
    number is given: thresholds then treat it as below every limit.
    """

    ml_min: Decimal | None
    words: str
    why_not: str = ""
    notes: tuple[str, ...] = ()
    on_dialysis: bool = False
    stale: bool = False

    def is_below(self, limit_ml_min: Decimal) -> bool:
        """Whether it is below a limit; an unknown clearance is not."""
        return self.on_dialysis or (self.ml_min is not None and self.ml_min < limit_ml_min)

    def is_at_least(self, limit_ml_min: Decimal) -> bool:
        """Whether it is known to be at or above a limit."""
        return not self.on_dialysis and self.ml_min is not None and self.ml_min >= limit_ml_min

    @property
    def is_known(self) -> bool:
        """Whether thresholds can be judged."""
        return self.on_dialysis or self.ml_min is not None


def cockcroft_gault(*, age_years: int, weight_kg: Decimal, creatinine_mg_dl: Decimal, female: bool) -> Decimal:
    """Creatinine clearance in mL/min (Cockcroft and Gault, Nephron 1976;16:31-41).

    ``age_years`` completed years, adults; ``weight_kg`` > 0; ``creatinine_mg_dl`` > 0 (µmol/L divided by 88.4
    first). Woman of 50 years, 70 kg, 0.8 mg/dL: 92.97.
    """
    male = (140 - age_years) * weight_kg / (72 * creatinine_mg_dl)
    return male * Decimal("0.85") if female else male


def ideal_weight_kg(*, height_cm: Decimal, female: bool) -> Decimal:
    """Ideal body weight in kg (Devine 1974): 50 or 45.5 kg plus 2.3 kg for each inch over 60."""
    base = Decimal("45.5") if female else Decimal(50)
    return base + Decimal("2.3") * (height_cm / CM_PER_INCH - 60)


def adjusted_weight_kg(*, weight_kg: Decimal, height_cm: Decimal, female: bool) -> Decimal:
    """Adjusted body weight in kg: ideal + 0.4 of what lies above it."""
    ideal = ideal_weight_kg(height_cm=height_cm, female=female)
    return ideal + Decimal("0.4") * (weight_kg - ideal)


def body_mass_index(*, weight_kg: Decimal, height_cm: Decimal) -> Decimal:
    """Body mass index in kg/m²."""
    return weight_kg / (height_cm / 100) ** 2


def age_years(born: PartialDate, on: PartialDate) -> int:
    """Completed years; of a partial birth date the oldest that it can be, which gives the lower clearance."""
    birth, day = born.earliest, on.latest
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def is_on_dialysis(patient: Patient) -> bool:
    """Whether dialysis or end-stage renal disease is on record."""
    return any(
        d.has_tag("renal", "dialysis") and is_current(d) and d.verification_status not in NEVER
        for d in patient.diagnoses
    )


def find_clearance(
    patient: Patient, profile: Profile, creatinine: Measure, weight: Measure, height: Measure, *, pregnant: bool
) -> Clearance:
    """The clearance to act on, from the newest creatinine and the actual body weight.

    With a BMI of 30 or more the adjusted weight is tried too, and the lower result is taken when the two
    lie on different sides of the limit. Unknown sex: the lower of both.
    """
    if is_on_dialysis(patient):
        return Clearance(
            ml_min=None,
            words="dialysis or end-stage kidney disease on record",
            why_not="clearance: not valid on dialysis",
            on_dialysis=True,
        )
    missing = _missing(patient, creatinine, weight)
    if missing or creatinine.reading is None or weight.value is None or patient.born is None:
        return Clearance(ml_min=None, words="creatinine clearance not known", why_not=missing)
    age = age_years(patient.born, creatinine.reading.taken)
    if age_years(patient.born, PartialDate.on(patient.as_of)) < profile.days("adult_age_years"):
        return Clearance(ml_min=None, words="creatinine clearance not known", why_not="clearance: not valid in a child")
    if creatinine.reading.value <= 0 or weight.value <= 0:
        return Clearance(ml_min=None, words="creatinine clearance not known", why_not="clearance: value not above zero")
    sexes = [patient.sex == "female"] if patient.sex else [True, False]
    scr = creatinine.reading.value
    results = []
    for female in sexes:
        actual = cockcroft_gault(age_years=age, weight_kg=weight.value, creatinine_mg_dl=scr, female=female)
        result = _acted_on(
            profile, actual, age=age, weight_kg=weight.value, height_cm=height.value, scr=scr, female=female
        )
        results.append(result)
    value, words = min(results, key=lambda result: result[0])
    notes = []
    if patient.sex is None:
        shown = wording.listed([_shown(result, profile) for result, _ in sorted(results)])
        notes.append(f"sex not recorded: clearance {shown} mL/min as a woman or a man, the lower is used")
    if pregnant:
        notes.append("clearance by Cockcroft-Gault is not valid in pregnancy")
    if not patient.born.is_exact:
        notes.append(f"birth date known only as {patient.born}: the older age is used")
    if age >= profile.days("wasting_age_years") and value > profile.definitions["implausible_clearance_ml_min"]:
        notes.append("clearance implausibly high for the age: low creatinine can come from muscle loss")
    stale = "stale" in (creatinine.state, weight.state)
    return Clearance(ml_min=value, words=f"CrCl {words}", notes=tuple(notes), stale=stale)


def _missing(patient: Patient, creatinine: Measure, weight: Measure) -> str:
    if creatinine.reading is None:
        return creatinine.problem
    if weight.value is None:
        return weight.problem
    if patient.born is None:
        return "age: no birth date on record"
    return ""


def _acted_on(
    profile: Profile,
    actual: Decimal,
    *,
    age: int,
    weight_kg: Decimal,
    height_cm: Decimal | None,
    scr: Decimal,
    female: bool,
) -> tuple[Decimal, str]:
    limit = profile.definitions["clearance_limit_ml_min"]
    obese = profile.definitions["obesity_bmi_kg_m2"]
    if height_cm and height_cm > 0 and body_mass_index(weight_kg=weight_kg, height_cm=height_cm) >= obese:
        lean = adjusted_weight_kg(weight_kg=weight_kg, height_cm=height_cm, female=female)
        if lean > 0:
            adjusted = cockcroft_gault(age_years=age, weight_kg=lean, creatinine_mg_dl=scr, female=female)
            if (adjusted < limit) != (actual < limit):
                words = (
                    f"{_shown(adjusted, profile)} mL/min with adjusted weight "
                    f"({_shown(actual, profile)} with actual weight); the lower is used"
                )
                return min(actual, adjusted), words
    return actual, f"{_shown(actual, profile)} mL/min"


def _shown(value: Decimal, profile: Profile) -> str:
    """One decimal; two when one would hide that the value is below the limit."""
    limit = profile.definitions["clearance_limit_ml_min"]
    one = f"{value:.1f}"
    return f"{value:.2f}" if value < limit <= Decimal(one) else one
