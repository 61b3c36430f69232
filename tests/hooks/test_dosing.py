"""Worked examples C1-C12 and D1-D13 of the dosing knowledge, and the whole table of dose intent."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from hooks.clinic.dalteparin import phase_dose, phase_on
from hooks.clinic.intent import computable, dose_intent, has_treated
from hooks.clinic.kidney import adjusted_weight_kg, cockcroft_gault, ideal_weight_kg
from hooks.clinic.lmwh import due_for
from hooks.clinic.picture import Case, find_cases, find_picture
from hooks.dates import PartialDate
from hooks.dosing import load_dosing
from hooks.facts import Diagnosis, Dose, Drug, Meaning, MedicationOrder, Orders, Patient, Reading
from hooks.knowledge import load

D = Decimal
TODAY = date(2026, 1, 15)
DOSING = load_dosing()
KNOWLEDGE = load()
PROFILE = KNOWLEDGE.profiles["lmwh-first-2014"]
UMOL_PER_MG_DL = D("88.4")
CLASSES = {
    "dalteparin": "LMWH",
    "enoxaparin": "LMWH",
    "tinzaparin": "LMWH",
    "fondaparinux": "parenteral-Xa",
    "heparin": "UFH",
    "warfarin": "VKA",
    "apixaban": "DOAC-Xa",
    "rivaroxaban": "DOAC-Xa",
    "edoxaban": "DOAC-Xa",
    "dabigatran": "DOAC-IIa",
}


def order(drug: str, *doses: Dose, days_ago: int = 0, status: str = "draft", use: str = "") -> MedicationOrder:
    return MedicationOrder(
        reference=f"MedicationRequest/{status}",
        label=drug,
        drug=Drug(name=drug, anticoagulant=CLASSES[drug], use=use),
        status=status,
        doses=doses,
        starts=PartialDate.on(TODAY - timedelta(days=days_ago)),
    )


def dose(amount: str, unit: str = "mg", times: str | None = "1", **more: object) -> Dose:
    return Dose(amount=D(amount), unit=unit, times_per_day=D(times) if times else None, **more)  # type: ignore[arg-type]


def case(
    drug: str, given: Dose, *, weight: str, day: int = 0, creatinine: str = "0.8", platelets: str = "220",
    sex: str = "female", age: int = 50, height: str = "",
) -> Case:  # fmt: skip
    """A draft of a drug for a patient with cancer and a clot, on a day of dalteparin treatment."""
    readings = {"weight_kg": weight, "creatinine_mg_dl": creatinine, "platelets_10e9_l": platelets, "height_cm": height}
    onset = PartialDate.on(TODAY - timedelta(days=day))
    found = [("vte", "acute"), ("malignancy", "primary")]
    patient = Patient(
        as_of=TODAY,
        born=PartialDate.on(date(TODAY.year - age, 1, 1)),
        sex=sex if sex in ("female", "male") else None,  # type: ignore[arg-type]
        diagnoses=tuple(
            Diagnosis(
                reference=f"Condition/{topic}",
                label=topic,
                meanings=(Meaning(topic=topic, kind=kind),),
                clinical_status="active",
                onset=onset,
            )
            for topic, kind in found
        ),
        medications=(order("dalteparin", dose("15000", "IU"), days_ago=day, status="completed"),) if day else (),
        readings={
            name: (Reading(analyte=name, value=D(value), shown=value, taken=PartialDate.on(TODAY)),)
            for name, value in readings.items()
            if value
        },
    )
    orders = Orders(in_focus=(order(drug, given),))
    picture = find_picture(patient, orders, PROFILE, DOSING)
    (only,) = find_cases("order-select", picture, orders, PROFILE, DOSING)
    return only


def accepts(found: Case) -> bool:
    draft = found.medication
    assert draft is not None and draft.drug is not None
    known = computable(draft, draft.drug, DOSING, found.picture.weight.value, TODAY)
    assert known is not None and known.per_day is not None
    return any(due.accepts(known.per_day) for due in due_for(found, draft, recurrence=False))


# Creatinine clearance


@pytest.mark.parametrize(
    ("number", "female", "age", "weight", "mg_dl", "clearance"),
    [
        ("C1", True, 50, "70", D("0.8"), "92.97"),
        ("C2", False, 70, "72", D("1.4"), "50.00"),
        ("C3", True, 78, "55", D("1.5"), "26.84"),
        ("C4", True, 80, "60", D("1.416"), "30.01"),
        ("C5", True, 80, "60", D("1.42"), "29.93"),
        ("C6", False, 60, "54", D("2.0"), "30.00"),
        ("C7", True, 65, "68", D(124) / UMOL_PER_MG_DL, "42.92"),
        ("C8", False, 82, "64", D(115) / UMOL_PER_MG_DL, "39.63"),
        ("C9", True, 74, "62", D(142) / UMOL_PER_MG_DL, "30.07"),
        ("C10 actual weight", False, 75, "110", D("2.6"), "38.19"),
        ("C11 as a man", False, 68, "58", D("1.6"), "36.25"),
        ("C11 as a woman", True, 68, "58", D("1.6"), "30.81"),
        ("C12 read as umol/L", True, 50, "70", D(71) / UMOL_PER_MG_DL, "92.60"),
    ],
)
def test_clearance(number: str, *, female: bool, age: int, weight: str, mg_dl: Decimal, clearance: str):
    got = cockcroft_gault(age_years=age, weight_kg=D(weight), creatinine_mg_dl=mg_dl, female=female)
    assert f"{got:.2f}" == clearance, number


def test_c6_exactly_30_is_not_below_and_c5_is():
    at = case("enoxaparin", dose("54"), weight="54", creatinine="2.0", sex="male", age=60).picture.clearance
    below = case("enoxaparin", dose("60"), weight="60", creatinine="1.42", age=80).picture.clearance
    assert (at.ml_min, at.is_below(D(30)), below.is_below(D(30))) == (D(30), False, True)


def test_c10_adjusted_weight_is_acted_on_when_the_two_straddle_the_limit():
    ideal = ideal_weight_kg(height_cm=D(170), female=False)
    lean = adjusted_weight_kg(weight_kg=D(110), height_cm=D(170), female=False)
    assert (f"{ideal:.2f}", f"{lean:.2f}") == ("65.94", "83.56")
    found = case("enoxaparin", dose("110"), weight="110", creatinine="2.6", sex="male", age=75, height="170")
    assert f"{found.picture.clearance.ml_min:.2f}" == "29.01"
    assert "38.2" in found.picture.clearance.words
    assert "29.0" in found.picture.clearance.words


def test_c11_unknown_sex_takes_the_lower_and_says_so():
    clearance = case("enoxaparin", dose("58"), weight="58", creatinine="1.6", sex="", age=68).picture.clearance
    assert f"{clearance.ml_min:.2f}" == "30.81"
    assert any("sex not recorded" in note for note in clearance.notes)


def test_c12_taken_literally_is_not_plausible():
    literal = cockcroft_gault(age_years=50, weight_kg=D(70), creatinine_mg_dl=D(71), female=True)
    assert f"{literal:.2f}" == "1.05"


# Dose


@pytest.mark.parametrize(
    ("number", "day", "weight", "exact", "band"),
    [
        ("D1", 0, "70", 14000, 15000),
        ("D2", 0, "56.4", 11280, 10000),
        ("D3", 0, "56.5", 11300, 12500),
        ("D4, UK band", 0, "40", 8000, 7500),
        ("D5", 0, "90", 18000, 18000),
        ("D6", 0, "130", 18000, 18000),
        ("D7, day 29", 29, "70", 14000, 15000),
        ("D7, day 30", 30, "70", 10500, 12500),
        ("D8", 60, "99", 14850, 18000),
        ("D13", 0, str(D(154) * D("0.45359237")), 13971, 15000),
    ],
)
def test_dalteparin(number: str, day: int, weight: str, exact: int, band: int):
    due = phase_dose(phase_on(day, DOSING), D(weight), DOSING, D(220))
    assert due is not None
    assert (round(due.exact_iu), due.band_iu) == (exact, band), number


def test_d4_the_us_band_overshoots_at_40_kg():
    band = DOSING.band("month-1", D(40))
    assert band is not None
    assert band.dose_iu / 40 == 250


def test_d6_is_capped():
    capped, free = (phase_dose("month-1", D(weight), DOSING, None) for weight in (130, 90))
    assert capped is not None
    assert free is not None
    assert (capped.capped, free.capped) == (True, False)


@pytest.mark.parametrize(("platelets", "due"), [("99", 12500), ("100", 15000), ("50", 12500)])
def test_d9_d10_platelets_take_2500_off(platelets: str, due: int):
    found = phase_dose("month-1", D(70), DOSING, D(platelets))
    assert found is not None
    assert found.due_iu == due


@pytest.mark.parametrize(
    ("number", "found", "passes"),
    [
        ("D1 exact", case("dalteparin", dose("14000", "IU"), weight="70"), True),
        ("D1 band", case("dalteparin", dose("15000", "IU"), weight="70"), True),
        ("D1 0.9", case("dalteparin", dose("12600", "IU"), weight="70"), True),
        ("D1 under 0.9", case("dalteparin", dose("12599", "IU"), weight="70"), False),
        ("D1 1.1", case("dalteparin", dose("15400", "IU"), weight="70"), True),
        ("D1 over 1.1", case("dalteparin", dose("15401", "IU"), weight="70"), False),
        ("split twice daily", case("dalteparin", dose("7000", "IU", "2"), weight="70"), True),
        ("100 IU/kg twice daily", case("dalteparin", dose("100", "IU", "2", per_kg=True), weight="70"), True),
        ("D2 11 000", case("dalteparin", dose("11000", "IU"), weight="56.4"), True),
        ("D2 12 500", case("dalteparin", dose("12500", "IU"), weight="56.4"), False),
        ("D3", case("dalteparin", dose("12500", "IU"), weight="56.5"), True),
        ("D5 cap", case("dalteparin", dose("18000", "IU"), weight="90"), True),
        ("D6 over the cap", case("dalteparin", dose("18001", "IU"), weight="130"), False),
        ("D7 day 30", case("dalteparin", dose("15000", "IU"), weight="70", day=30), False),
        ("D7 day 29", case("dalteparin", dose("15000", "IU"), weight="70", day=29), True),
        ("D8 label", case("dalteparin", dose("18000", "IU"), weight="99", day=60), True),
        ("D8 exact", case("dalteparin", dose("14850", "IU"), weight="99", day=60), True),
        ("D9", case("dalteparin", dose("12500", "IU"), weight="70", platelets="99"), True),
        ("D11 at 29.9", case("enoxaparin", dose("80"), weight="78", creatinine="2.9", sex="male", age=60), True),
        ("D11 at 30.0", case("enoxaparin", dose("54"), weight="54", creatinine="2.0", sex="male", age=60), False),
        ("D11 twice daily", case("enoxaparin", dose("80", times="2"), weight="78"), True),
        ("D12 syringe of 12 000", case("tinzaparin", dose("12000", "IU"), weight="64"), True),
        ("D12 exact", case("tinzaparin", dose("11200", "IU"), weight="64"), True),
        ("enoxaparin in IU", case("enoxaparin", dose("7000", "IU", "2"), weight="70"), True),
        ("fondaparinux below 50 kg", case("fondaparinux", dose("7.5"), weight="49.9"), False),
        ("fondaparinux at 50 kg", case("fondaparinux", dose("7.5"), weight="50"), True),
        ("fondaparinux at 100 kg", case("fondaparinux", dose("7.5"), weight="100"), True),
        ("fondaparinux above 100 kg", case("fondaparinux", dose("10"), weight="100.1"), True),
    ],
)
def test_dose_passes(number: str, found: Case, passes: bool):
    assert accepts(found) is passes, number


# Dose intent (section 6)

PROPHYLAXIS, TREATMENT, EXTENDED, UNKNOWN = "prophylaxis", "treatment", "extended", "unknown"


@pytest.mark.parametrize(
    ("drug", "given", "weight", "intent"),
    [
        ("dalteparin", dose("2500", "IU"), "70", PROPHYLAXIS),
        ("dalteparin", dose("5000", "IU"), "70", PROPHYLAXIS),
        ("dalteparin", dose("5000", "IU"), "50", PROPHYLAXIS),
        ("dalteparin", dose("5000", "IU"), "40", PROPHYLAXIS),
        ("dalteparin", dose("7000", "IU"), "70", TREATMENT),
        ("dalteparin", dose("6900", "IU"), "70", PROPHYLAXIS),
        ("dalteparin", dose("7500", "IU"), "100", TREATMENT),
        ("dalteparin", dose("7500", "IU"), None, TREATMENT),
        ("dalteparin", dose("100", "IU", "2", per_kg=True), "70", TREATMENT),
        ("dalteparin", dose("100", "IU", "2", per_kg=True), None, UNKNOWN),
        ("dalteparin", dose("100"), "70", UNKNOWN),
        *[("enoxaparin", dose(amount), "50", PROPHYLAXIS) for amount in ("20", "30", "40")],
        ("enoxaparin", dose("4000", "IU"), "70", PROPHYLAXIS),
        ("enoxaparin", dose("30", times="2"), "70", PROPHYLAXIS),
        ("enoxaparin", dose("40", times="2"), "120", PROPHYLAXIS),
        ("enoxaparin", dose("40", times="2"), "51", PROPHYLAXIS),
        ("enoxaparin", dose("40", times="2"), "50", TREATMENT),
        ("enoxaparin", dose("56", times="2"), "70", TREATMENT),
        ("enoxaparin", dose("6000", "IU", "2"), "60", TREATMENT),
        ("enoxaparin", dose("105"), "70", TREATMENT),
        ("tinzaparin", dose("3500", "IU"), "70", PROPHYLAXIS),
        ("tinzaparin", dose("4500", "IU"), "70", PROPHYLAXIS),
        ("tinzaparin", dose("50", "IU", per_kg=True), "100", PROPHYLAXIS),
        ("tinzaparin", dose("150", "IU", per_kg=True), "70", TREATMENT),
        ("fondaparinux", dose("1.5"), "70", PROPHYLAXIS),
        ("fondaparinux", dose("2.5"), "70", PROPHYLAXIS),
        *[("fondaparinux", dose(amount), "70", TREATMENT) for amount in ("5", "7.5", "10")],
        ("heparin", dose("5000", "IU", "2"), "70", PROPHYLAXIS),
        ("heparin", dose("5000", "IU", "3"), "70", PROPHYLAXIS),
        ("heparin", dose("80", "IU", None, per_kg=True), "70", TREATMENT),
        ("heparin", dose("17500", "IU", "2"), "70", TREATMENT),
        ("heparin", Dose(rate=True), "70", TREATMENT),
        ("apixaban", dose("2.5", times="2"), "70", EXTENDED),
        *[("apixaban", dose(amount, times="2"), "70", TREATMENT) for amount in ("5", "10")],
        ("rivaroxaban", dose("10"), "70", EXTENDED),
        ("rivaroxaban", dose("2.5", times="2"), "70", PROPHYLAXIS),
        ("rivaroxaban", dose("15", times="2"), "70", TREATMENT),
        *[("rivaroxaban", dose(amount), "70", TREATMENT) for amount in ("15", "20")],
        ("edoxaban", dose("15"), "70", PROPHYLAXIS),
        *[("edoxaban", dose(amount), "70", TREATMENT) for amount in ("30", "60")],
        ("dabigatran", dose("75"), "70", PROPHYLAXIS),
        ("dabigatran", dose("110"), "70", PROPHYLAXIS),
        *[("dabigatran", dose(amount, times="2"), "70", TREATMENT) for amount in ("110", "150")],
        ("warfarin", Dose(), None, TREATMENT),
        ("warfarin", dose("1"), "70", TREATMENT),
        *[(drug, Dose(), "70", UNKNOWN) for drug in CLASSES if drug != "warfarin"],
    ],
)
def test_intent(drug: str, given: Dose, weight: str | None, intent: str):
    assert dose_intent(order(drug, given), DOSING, D(weight) if weight else None, TODAY) == intent


@pytest.mark.parametrize("use", ["flush", "line-irrigation", "catheter-lock"])
def test_flush_and_lock_never_treat(use: str):
    assert dose_intent(order("heparin", dose("17500", "IU", "2"), use=use), DOSING, D(70), TODAY) == PROPHYLAXIS


# The step that holds today

STEPS = (dose("5", times="2", days=180), dose("2.5", times="2"))


def stepped(days_ago: int, status: str) -> MedicationOrder:
    first = PartialDate.on(TODAY - timedelta(days=days_ago))
    later = (
        Dose(amount=STEPS[0].amount, unit="mg", times_per_day=D(2), starts=first, days=180),
        Dose(amount=STEPS[1].amount, unit="mg", times_per_day=D(2), starts=first.plus(180)),
    )
    return order("apixaban", *later, days_ago=days_ago, status=status)


@pytest.mark.parametrize(
    ("days_ago", "status", "intent"),
    [(0, "active", TREATMENT), (179, "active", TREATMENT), (180, "active", EXTENDED), (180, "draft", TREATMENT)],
)
def test_the_step_of_today_counts_and_of_a_draft_the_first(days_ago: int, status: str, intent: str):
    assert dose_intent(stepped(days_ago, status), DOSING, D(70), TODAY) == intent


def test_an_order_that_treated_is_remembered_after_its_step_down():
    assert has_treated(stepped(300, "active"), DOSING, D(70))


def test_steps_side_by_side_that_differ_give_no_dose():
    both = order("dalteparin", dose("15000", "IU"), dose("12500", "IU"), status="active")
    assert computable(both, Drug(name="dalteparin", anticoagulant="LMWH"), DOSING, D(70), TODAY) is None
    assert dose_intent(both, DOSING, D(70), TODAY) == TREATMENT
