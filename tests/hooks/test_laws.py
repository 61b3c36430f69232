"""Laws that hold for every patient and order: drawn at random, mostly at the thresholds, under both profiles.

``--hypothesis-profile=thorough`` draws ten times as many (profiles: ``tests/conftest.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

import flask.testing
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import create_app
from app.settings import Settings
from hooks.cards import cards
from hooks.clinic.picture import Case, find_picture
from hooks.decide import decide
from hooks.facts import MedicationOrder, Orders, Patient
from hooks.finding import Answer, Finding, Urgency
from hooks.guidelines import Evidence
from hooks.proposal import ProposedOrder
from hooks.rules import RULES
from tests import build
from tests.cds_hooks_validator import service_response_faults
from tests.hooks.strategies import HOOKS, PROFILES, Judged, Scene, judge, knowledge, scenes
from tests.hooks.wild_facts import wild_calls

SAFETY = frozenset(
    {
        "active-bleeding",
        "renal-function",
        "low-platelets",
        "duplicate-anticoagulant",
        "doac-interaction",
        "hepatic-impairment",
    }
)
DATA = "data-not-usable"
PROFILE = st.sampled_from(PROFILES)
DRUG = st.sampled_from([
    "apixaban 5 mg x2", "rivaroxaban 20 mg x1", "edoxaban 60 mg x1", "edoxaban 30 mg x1", "dabigatran 150 mg x2",
    "fondaparinux 7.5 mg x1", "enoxaparin 60 mg x2", "tinzaparin 10000 IU x1", "",
])  # fmt: skip
SHUFFLES = st.integers(0, 2**32 - 1).map(Random)


def examples(times: int) -> settings:
    """So many times the examples of the profile in force."""
    return settings(max_examples=times * settings.default.max_examples)


def severity(judged: Judged) -> dict[str, int]:
    """The greatest urgency of the safety rules, by order."""
    worst: dict[str, int] = {o.order: 0 for o in judged.outcomes}
    for o in judged.outcomes:
        if isinstance(o.answer, Finding) and o.rule.code in SAFETY:
            worst[o.order] = max(worst[o.order], o.answer.urgency)
    return worst


def shown_severity(judged: Judged) -> int:
    """The greatest urgency of a card that speaks for one of the safety rules."""
    return max((card.urgency for card in judged.cards if SAFETY & set(card.rules)), default=0)


def check_no_milder(better: Scene, worse: Scene, profile: str) -> None:
    before, after = judge(better.body(), profile), judge(worse.body(), profile)
    mild, severe = severity(before), severity(after)
    assert all(severe.get(order, 0) >= urgency for order, urgency in mild.items()), (better, worse)
    assert shown_severity(after) >= shown_severity(before), (better, worse)


def with_drug(scene: Scene, drug: str) -> Scene:
    """The scene about an order for ``drug``, or with it running when the chart is opened."""
    if not drug:
        return scene
    if scene.hook == "patient-view":
        return replace(scene, drugs=(*scene.drugs, f"{drug} d-40"))
    return replace(scene, orders=(drug,))


class TestWorseIsNeverMilder:
    @examples(4)
    @given(scenes(), PROFILE, st.sampled_from(["9", "19", "19.9", "20", "24", "24.9", "25", "49", "49.9", "50"]),
           st.sampled_from(["20", "25", "50", "99", "99.9", "100", "149", "150", "220"]))  # fmt: skip
    def test_platelets(self, scene: Scene, profile: str, one: str, other: str) -> None:
        low, high = sorted((one, other), key=Decimal)
        check_no_milder(
            scene.with_values("platelets", f"{high} d-1"), scene.with_values("platelets", f"{low} d-1"), profile
        )

    @examples(4)
    @given(scenes(), PROFILE, st.lists(st.integers(5, 150), min_size=2, max_size=2), DRUG)
    def test_clearance(self, scene: Scene, profile: str, tenths: list[int], drug: str) -> None:
        low, high = sorted(Decimal(t) / 10 for t in tenths)
        known = with_drug(scene, drug).with_values("weight", "60 d-1")
        better, worse = (known.with_values("creatinine", f"{value} d-1") for value in (low, high))
        check_no_milder(better, worse, profile)

    @examples(2)
    @given(scenes(), PROFILE, st.sampled_from(["0.8", "2.4", "5"]))
    def test_dialysis(self, scene: Scene, profile: str, creatinine: str) -> None:
        known = scene.with_values("creatinine", f"{creatinine} d-1")
        check_no_milder(known, known.and_condition("Z99.2 d-10"), profile)

    @examples(4)
    @given(scenes(), PROFILE, st.sampled_from(["d-1", "d-29", "d-30"]), st.integers(0, 2))
    def test_bleeding(self, scene: Scene, profile: str, day: str, step: int) -> None:
        ladder = [(), (f"R04.0 {day}",), (f"R31.9 {day}",), (f"K92.2 {day}",)]
        check_no_milder(scene.and_condition(*ladder[step]), scene.and_condition(*ladder[step + 1]), profile)

    @examples(4)
    @given(scenes(("order-select", "order-sign")), PROFILE, st.integers(0, 2), DRUG)
    def test_interaction(self, scene: Scene, profile: str, step: int, drug: str) -> None:
        scene = with_drug(scene, drug)
        ladder = [(), ("clarithromycin",), ("itraconazole",), ("rifampicin",)]
        better, worse = (replace(scene, drugs=(*scene.drugs, *ladder[i])) for i in (step, step + 1))
        check_no_milder(better, worse, profile)

    @examples(4)
    @given(scenes(("order-select", "order-sign")), PROFILE, st.integers(0, 1), DRUG)
    def test_liver(self, scene: Scene, profile: str, step: int, drug: str) -> None:
        scene = with_drug(scene, drug)
        ladder = [(), ("K74.60 d-50",), ("K72.90 d-50",)]
        check_no_milder(scene.and_condition(*ladder[step]), scene.and_condition(*ladder[step + 1]), profile)

    @examples(4)
    @given(
        scenes(),
        PROFILE,
        st.sampled_from(["apixaban 5 mg x2 d-40", "warfarin 5 mg x1 d-40", "enoxaparin 70 mg x2 d-40"]),
    )
    def test_a_second_anticoagulant(self, scene: Scene, profile: str, drug: str) -> None:
        check_no_milder(scene, replace(scene, drugs=(*scene.drugs, drug)), profile)


def is_anticoagulant(order: MedicationOrder) -> bool:
    return order.drug is not None and order.drug.anticoagulant is not None


def spoken(judged: Judged) -> set[str]:
    """The rules that a card speaks for."""
    return {rule for card in judged.cards for rule in card.rules}


@examples(5)
@given(scenes(), PROFILE, st.sampled_from(["platelets", "creatinine", "weight"]))
def test_a_lost_value_turns_no_finding_into_silence(scene: Scene, profile: str, analyte: str) -> None:
    before, after = judge(scene.body(), profile), judge(scene.with_values(analyte).body(), profile)
    lost = (spoken(before) & SAFETY) - spoken(after)
    book = knowledge()
    picture = find_picture(before.patient, before.orders, book.profiles[profile], book.dosing)
    if scene.hook == "patient-view" and picture.palliative and not picture.treatment.running:
        return  # palliative care and nothing given: no treatment is asked for, so no value is
    assert not lost or DATA in spoken(after) or "hit-history" in spoken(after), lost


HEPARINS = frozenset({"dalteparin", "enoxaparin", "tinzaparin", "heparin"})
MONTH_1 = ((46, 7500), (56.99, 10000), (68.99, 12500), (82.99, 15000), (999, 18000))
MONTHS_2_6 = ((56.99, 7500), (68.99, 10000), (82.99, 12500), (98.99, 15000), (999, 18000))


def newest(scene: Scene, analyte: str, within: int, *, worst: Callable[[Iterable[Decimal]], Decimal]) -> Decimal | None:
    """The value that counts: the newest usable one; of several on one day the worse."""
    found: dict[int, list[Decimal]] = {}
    for words in scene.of(analyte):
        number, day, *flaws = words.split()
        if not flaws and int(day[2:]) <= within:
            found.setdefault(int(day[2:]), []).append(Decimal(number))
    return worst(found[min(found)]) if found else None


def clearance(scene: Scene, weight: Decimal | None) -> Decimal | None:
    """Cockcroft and Gault with the actual weight; the lower of both sexes where the record gives none.

    A year younger than today: the creatinine may be from before the last birthday.
    """
    creatinine = newest(scene, "creatinine", 90, worst=max)
    if creatinine is None or weight is None or not scene.age:
        return None
    age = 2026 - int(scene.age[1:]) if scene.age.startswith("~") else int(scene.age)
    male = (141 - age) * weight / (72 * creatinine)
    return male if scene.sex == "male" else male * Decimal("0.85")


def bleeds(scene: Scene) -> bool:
    """Whether major bleeding is current and at most 30 days old, or undated."""
    for words in scene.conditions:
        code, *rest = words.split()
        if code not in ("K92.2", "I61.9") or {"refuted", "entered-in-error", "resolved", "inactive", "remission"} & set(
            rest
        ):
            continue
        days = [int(w[2:]) for w in rest if w[:2] in ("d-", "r-")]
        if not {"@2025", "@2026-01"} & set(rest) and (not days or days[0] <= 30):
            return True
    return False


def forbidden(scene: Scene) -> set[str]:
    """The drugs that may on no account be offered."""
    drugs: set[str] = set()
    allergies = " ".join(scene.allergies)
    if {"D75.822", "D75.82"} & set(scene.codes()) or any(name in allergies for name in HEPARINS):
        drugs |= HEPARINS
    if "fondaparinux" in allergies:
        drugs.add("fondaparinux")
    weight = newest(scene, "weight", 365, worst=min)
    platelets = newest(scene, "platelets", 90, worst=min)
    crcl = clearance(scene, weight)
    child = scene.age in ("17", "~2008", "")
    if (
        bleeds(scene)
        or weight is None
        or child
        or (platelets is not None and platelets < 50)
        or (crcl is not None and crcl < 30)
    ):
        drugs |= {*HEPARINS, "fondaparinux"}
    return drugs


@examples(10)
@given(scenes(), PROFILE)
def test_no_forbidden_drug_and_no_strange_dose_is_offered(scene: Scene, profile: str) -> None:
    judged = judge(scene.body(), profile)
    proposals = [proposal for card in judged.cards for proposal in card.proposals]
    drafts = {o.reference for o in judged.orders.in_focus if o.status == "draft"}
    assert all(p.replaces is None or p.replaces in drafts for p in proposals)
    assert all(p.orders or p.replaces for p in proposals)
    orders = [order for proposal in proposals for order in proposal.orders]
    assert {order.drug for order in orders} <= {"dalteparin", "fondaparinux"} - forbidden(scene)
    weight = newest(scene, "weight", 365, worst=min)
    platelets = newest(scene, "platelets", 90, worst=min)
    for order in orders:
        assert build.TODAY <= order.first_day <= order.last_day
        assert order.reason in {d.reference for d in judged.patient.diagnoses if d.means("vte", "acute", "ambiguous")}
        if order.drug == "dalteparin":
            assert weight is not None
            check_dalteparin(order, weight, Decimal(2500) if platelets is not None and platelets < 100 else Decimal(0))
        else:
            assert order.unit == "mg"
            assert order.amount == (5 if weight < 50 else Decimal("7.5") if weight <= 100 else 10)


def check_dalteparin(order: ProposedOrder, weight: Decimal, reduction: Decimal) -> None:
    """At most 18 000 IU a day, and near the exact dose or in the label's band, of one of the two regimens."""
    given = order.amount * order.times_per_day
    exact = [min(per_kg * weight, Decimal(18000)) - reduction for per_kg in (200, 150)]
    bands = [next(dose for top, dose in table if weight <= top) - reduction for table in (MONTH_1, MONTHS_2_6)]
    assert order.unit == "IU"
    assert given <= 18000
    assert given in bands or any(abs(given - dose) <= dose / 4 for dose in exact), (given, exact, bands)


@examples(3)
@given(wild_calls(), st.sampled_from(HOOKS), PROFILE)
def test_no_facts_make_a_rule_fail(call: tuple[Patient, Orders], hook: str, profile: str) -> None:
    patient, orders = call
    chosen = knowledge().profiles[profile]
    outcomes = decide(hook, patient, orders, chosen, knowledge())
    assert [(o.rule.code, o.error) for o in outcomes if o.error] == []
    for card in cards(outcomes, patient, chosen, knowledge()):
        assert len(card.summary) < 140


@examples(3)
@given(scenes(), PROFILE, st.sampled_from(sorted(RULES)))
def test_a_broken_rule_silences_no_other_and_is_told(scene: Scene, profile: str, code: str) -> None:
    def broken(_case: Case, _evidence: Evidence) -> Answer:
        raise ZeroDivisionError

    before = judge(scene.body(), profile)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RULES, code, broken)  # type: ignore[arg-type]
        after = judge(scene.body(), profile)
    ran = [o for o in after.outcomes if o.rule.code == code]
    assert all(o.error == "ZeroDivisionError" for o in ran)
    assert findings(before) - {(o.rule.code, o.order) for o in ran} <= findings(after)
    if ran:
        assert any(f"rule {code} failed and was not checked" in card.detail for card in after.cards)


def findings(judged: Judged) -> set[tuple[str, str]]:
    return {(o.rule.code, o.order) for o in judged.outcomes if isinstance(o.answer, Finding)}


def told(card: dict[str, Any]) -> Any:
    """What a card says and offers, without the numbers that show how the record wrote a value, and without uuids."""
    actions = [(s["label"], [_action(a) for a in s["actions"]]) for s in card.get("suggestions", ())]
    return card["summary"], card["indicator"], card["extension"]["cat-cds"]["rules"], actions


def _action(action: dict[str, Any]) -> Any:
    if action["type"] == "delete":
        return action["type"], action["resourceId"]
    dosage = action["resource"]["dosageInstruction"][0]
    medicine = action["resource"]["medicationCodeableConcept"]["text"]
    return action["type"], medicine, dosage["doseAndRate"], dosage["timing"]


@pytest.fixture(scope="module")
def clients() -> dict[str, flask.testing.FlaskClient]:
    """The service under each profile, on the day of the tables."""
    return {
        name: create_app(Settings(demo=True, guideline=name), today=lambda _: build.TODAY).test_client()
        for name in PROFILES
    }


def ask(clients: dict[str, flask.testing.FlaskClient], profile: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    answer = clients[profile].post(f"/cds-services/cat-{body['hook']}", json=body)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.get_json()["cards"]
    return found


def in_pounds(kg: Decimal) -> tuple[str, Decimal]:
    """A weight in whole hundredths of a pound near ``kg``, and exactly that weight in kg."""
    pounds = round(kg / Decimal("0.45359237"), 2)
    return f"{pounds} [lb_av]", pounds * Decimal("0.45359237")


OTHER_UNIT = {
    "platelets": lambda value: (f"{value * 1000:f} /uL", value),
    "creatinine": lambda value: (f"{value * Decimal('88.4'):f} umol/L", value),
    "weight": in_pounds,
}


@examples(3)
@given(scenes(), PROFILE, st.sampled_from(sorted(OTHER_UNIT)))
def test_the_unit_of_a_value_changes_nothing(
    clients: dict[str, flask.testing.FlaskClient], scene: Scene, profile: str, analyte: str
) -> None:
    given = [words.split() for words in scene.of(analyte) if "nounit" not in words]
    other, same = [], []
    for number, *day in given:
        converted, exact = OTHER_UNIT[analyte](Decimal(number))
        other.append(" ".join((converted, *day)))
        same.append(" ".join((f"{exact:f}", *day)))
    one, two = (ask(clients, profile, scene.with_values(analyte, *words).body()) for words in (same, other))
    assert list(map(told, one)) == list(map(told, two))


@examples(4)
@given(scenes(), PROFILE, SHUFFLES)
def test_the_order_of_resources_changes_nothing(
    clients: dict[str, flask.testing.FlaskClient], scene: Scene, profile: str, chance: Random
) -> None:
    body = scene.body()
    assert ask(clients, profile, shuffled(body, chance)) == ask(clients, profile, body)


@pytest.mark.parametrize("seed", range(6))
def test_nor_does_the_order_of_three_drafts_that_do_not_go_together(
    clients: dict[str, flask.testing.FlaskClient], seed: int
) -> None:
    drafts = Scene(hook="order-sign", orders=("apixaban 5 mg x2", "enoxaparin 70 mg x1"), others=("betrixaban 80 mg",))
    body = drafts.body()
    assert ask(clients, PROFILES[0], shuffled(body, Random(seed))) == ask(clients, PROFILES[0], body)


def shuffled(body: dict[str, Any], chance: Random) -> dict[str, Any]:
    """The request with its record, drafts and selections in another order."""
    body = deepcopy(body)
    keys = list(body["prefetch"])
    chance.shuffle(keys)
    body["prefetch"] = {key: body["prefetch"][key] for key in keys}
    for value in (*body["prefetch"].values(), body["context"].get("draftOrders", {})):
        chance.shuffle(value.get("entry", []))
    chance.shuffle(body["context"].get("selections", []))
    return body


STRANGERS = (
    ("conditions", build.condition("K92.2 d-1", "x1")),
    ("conditions", build.condition("D75.822 d-1", "x2")),
    ("medications", build.medication("rifampicin", "x3", state="active")),
    ("medications", build.medication("warfarin 5 mg x1 d-3", "x4", state="active")),
    ("platelets", build.observation("platelets", "3 d0", "x5")),
    ("creatinine", build.observation("creatinine", "9 d0", "x6")),
    ("weight", build.observation("weight", "30 d0", "x7")),
    ("pregnancy", build.pregnancy("d-1")),
    ("allergies", build.allergy("heparin", "x9")),
)


@examples(2)
@given(scenes(), PROFILE)
def test_data_of_another_patient_change_nothing(
    clients: dict[str, flask.testing.FlaskClient], scene: Scene, profile: str
) -> None:
    body = scene.body()
    mixed = deepcopy(body)
    for key, resource in STRANGERS:
        owner = "patient" if "patient" in resource else "subject"
        entry = {"resource": {**resource, owner: {"reference": "Patient/p2"}}}
        mixed["prefetch"][key]["entry"].insert(0, entry)
    assert ask(clients, profile, mixed) == ask(clients, profile, body)


IRRELEVANT = (
    ("conditions", build.condition("J45.909 d-1", "y1")),
    ("conditions", build.condition("E11.9", "y2")),
    ("medications", build.medication("paracetamol", "y3", state="active")),
    ("medications", build.medication("salbutamol d-3", "y4", state="active")),
    (
        "platelets",
        {
            **build.observation("platelets", "3 d0", "y5"),
            "code": {"coding": [{"system": build.SYSTEMS["loinc"], "code": "2345-7"}]},
        },
    ),
    ("procedures", build.procedure("Cataract surgery d-5", "y6")),
    ("allergies", build.allergy("penicillin", "y7")),
)


@examples(2)
@given(scenes(), PROFILE)
def test_what_does_not_matter_changes_nothing(
    clients: dict[str, flask.testing.FlaskClient], scene: Scene, profile: str
) -> None:
    body = scene.body()
    fuller = deepcopy(body)
    for key, resource in IRRELEVANT:
        fuller["prefetch"][key]["entry"].insert(0, {"resource": resource})
    assert ask(clients, profile, fuller) == ask(clients, profile, body)


@examples(4)
@given(scenes(), PROFILE)
def test_every_answer_obeys_the_specification(
    clients: dict[str, flask.testing.FlaskClient], scene: Scene, profile: str
) -> None:
    body = scene.body()
    answer = clients[profile].post(f"/cds-services/cat-{scene.hook}", json=body)
    drafts = [e["resource"] for e in body["context"].get("draftOrders", {}).get("entry", ())]
    references = [f"{r['resourceType']}/{r['id']}" for r in drafts]
    assert answer.status_code == 200
    assert service_response_faults(answer.get_json(), draft_orders=references, patient_id="p1") == []


@examples(6)
@given(scenes(), PROFILE)
def test_cards_are_few_and_the_most_urgent_come_first(scene: Scene, profile: str) -> None:
    judged = judge(scene.body(), profile)
    assert not [o for o in judged.outcomes if o.error]
    urgencies = [card.urgency for card in judged.cards]
    assert len(urgencies) <= 4
    assert urgencies == sorted(urgencies, reverse=True)
    if scene.hook == "patient-view":
        assert Urgency.CRITICAL not in urgencies
        assert urgencies.count(Urgency.INFO) <= 1
    for card in judged.cards:
        assert bool(card.override_reasons) == (card.urgency > Urgency.INFO)


@examples(4)
@given(scenes(), PROFILE, st.booleans())
def test_without_cancer_or_without_a_clot_there_is_no_card(scene: Scene, profile: str, no_clot: bool) -> None:
    dropped = ("I8", "I26") if no_clot else ("C", "Z85")  # treated lately, a history of cancer may be cancer
    rest = tuple(c for c in scene.conditions if not c.startswith(dropped))
    assert judge(replace(scene, conditions=rest).body(), profile).cards == ()
