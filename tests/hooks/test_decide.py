"""Running the rules: which are asked, what is softened, suppressed, capped, and that one failure stays one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hooks.clinic.picture import Case
from hooks.decide import Outcome, may_concern
from hooks.finding import Answer, CannotTell, Finding, Urgency
from hooks.guidelines import Evidence
from hooks.rules import RULES
from tests.hooks.strategies import PROFILES, Judged, Scene, judge, knowledge

LMWH_FIRST, CONTEMPORARY = PROFILES
APIXABAN = Scene(hook="order-select", orders=("apixaban 5 mg x2",))


def run(scene: Scene, profile: str = LMWH_FIRST) -> Judged:
    return judge(scene.body(), profile)


def answers(judged: Judged) -> dict[str, Answer]:
    return {o.rule.rule: o.answer for o in judged.outcomes}


def found(judged: Judged) -> dict[str, Urgency]:
    return {rule: a.urgency for rule, a in answers(judged).items() if isinstance(a, Finding)}


class Asked(dict[str, Any]):
    """The rules, and which of them were asked."""

    def __init__(self) -> None:
        super().__init__(RULES)
        self.codes: set[str] = set()

    def __getitem__(self, code: str) -> Any:
        self.codes.add(code)
        return super().__getitem__(code)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    rules = Asked()
    monkeypatch.setattr("hooks.decide.RULES", rules)
    return rules


@pytest.mark.parametrize(
    ("hook", "orders"), [("patient-view", ()), ("order-select", ("warfarin",)), ("order-sign", ("warfarin",))]
)
def test_all_rules_of_the_hook_and_the_population_are_asked(hook: str, orders: tuple[str, ...], asked: Asked) -> None:
    run(Scene(hook=hook, orders=orders))
    assert asked.codes == {r.code for r in knowledge().rules if hook in r.hooks and "cat" in r.population}


def test_in_remission_only_the_rules_for_it_are_asked(asked: Asked) -> None:
    run(Scene(hook="patient-view", conditions=("I82.412 d-100", "C50.911 remission d-500")))
    rules = {r.rule for r in knowledge().rules if r.code in asked.codes}
    assert rules == {"R12", "R20", "R23", "R25", "R26", "R27", "R29"}


def test_a_rule_that_the_profile_does_not_hold_is_not_asked(asked: Asked) -> None:
    code = next(row.code for row in knowledge().rules if row.rule == "R4a")
    run(APIXABAN)
    assert code in asked.codes
    asked.codes.clear()
    run(APIXABAN, CONTEMPORARY)
    assert asked.codes
    assert code not in asked.codes


@pytest.mark.parametrize(
    "conditions",
    [
        (),
        ("I82.412 d0",),
        ("C18.9 d-10",),
        ("I82.412 d0", "Z85.3"),
        ("I82.412 refuted d0", "C18.9 d-10"),
        ("I80.01 d0", "C18.9"),
    ],
)
def test_without_cancer_and_clot_nothing_is_asked(conditions: tuple[str, ...], asked: Asked) -> None:
    scene = replace(APIXABAN, conditions=conditions)
    judged = run(scene)
    assert judged.outcomes == ()
    assert asked.codes == set()
    assert not may_concern(judged.patient, knowledge().profiles[LMWH_FIRST])


def test_a_patient_with_both_may_be_concerned() -> None:
    assert may_concern(run(APIXABAN).patient, knowledge().profiles[LMWH_FIRST])


def test_each_order_in_focus_is_judged_for_itself() -> None:
    judged = run(replace(APIXABAN, hook="order-sign", orders=("apixaban 5 mg x2", "filter")))
    by_order = {o.order for o in judged.outcomes}
    assert by_order == {"MedicationRequest/draft-0", "ServiceRequest/draft-1"}
    assert {o.order for o in judged.outcomes if o.rule.rule == "R4a" and o.answer} == {"MedicationRequest/draft-0"}
    assert not any(o.on_view for o in judged.outcomes)


class TestSoftening:
    UNSURE = ("I82.412 unconfirmed d0", "C49.21+443719001 recurrence d-400")

    def test_an_unconfirmed_clot_lowers_drug_choice_one_level_and_says_so(self) -> None:
        assert found(run(APIXABAN))["R4a"] is Urgency.WARNING
        answer = answers(run(replace(APIXABAN, conditions=self.UNSURE)))["R4a"]
        assert isinstance(answer, Finding)
        assert (answer.urgency, answer.doubts) == (Urgency.INFO, ("unconfirmed VTE",))
        assert answer.notes[-1] == "Lowered one level: unconfirmed VTE. Confirm before acting."

    def test_information_stays_information_and_the_note_does_not_claim_more(self) -> None:
        scene = Scene(hook="order-select", conditions=self.UNSURE, orders=("apixaban 5 mg x2 for I48.0",))
        answer = answers(run(scene))["R4x"]
        assert isinstance(answer, Finding)
        assert answer.urgency is Urgency.INFO
        assert answer.notes[-1] == "Not sure: unconfirmed VTE. Confirm before acting."

    def test_safety_is_not_lowered(self) -> None:
        scene = replace(APIXABAN, conditions=(*self.UNSURE, "K92.2 d-1"))
        assert found(run(scene))["R20"] is Urgency.CRITICAL


class TestSuppression:
    RUNNING = ("dalteparin 15000 IU x1 d-60",)
    NEW_CLOT = ("I82.412 d-5", "C49.21+443719001 recurrence d-400")

    def test_a_new_clot_on_treatment_stands_in_for_the_step_down(self) -> None:
        before = Scene(hook="patient-view", conditions=("I82.412 d-60", self.NEW_CLOT[1]), drugs=self.RUNNING)
        assert "R6" in found(run(before))
        rules = found(run(replace(before, conditions=self.NEW_CLOT)))
        assert "R24" in rules
        assert "R6" not in rules


class TestChartOpened:
    def test_nothing_is_critical(self) -> None:
        scene = Scene(hook="patient-view", drugs=("apixaban 5 mg x2 d-3", "warfarin d-30"))
        assert found(run(scene))["R29"] is Urgency.WARNING
        assert found(run(replace(APIXABAN, drugs=("dalteparin 15000 IU x1 d-3",))))["R29"] is Urgency.CRITICAL

    def test_outcomes_say_so_and_know_the_day_of_treatment(self) -> None:
        judged = run(
            Scene(
                hook="patient-view", conditions=("I82.412 d-40", "C18.9 d-90"), drugs=("dalteparin 10000 IU x1 d-40",)
            )
        )
        assert all(o.on_view and o.treatment_day == "40" for o in judged.outcomes)


class TestABrokenRule:
    def test_is_told_by_its_kind_and_the_others_go_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(_case: Case, _evidence: Evidence) -> Answer:
            raise ZeroDivisionError("platelets of Mrs Smith")

        monkeypatch.setitem(RULES, "low-platelets", broken)  # type: ignore[arg-type]
        judged = run(APIXABAN)
        (failed,) = [o for o in judged.outcomes if o.error]
        assert (failed.rule.rule, failed.error, failed.answer) == ("R22", "ZeroDivisionError", None)
        assert "R4a" in found(judged)
        assert "Smith" not in repr(failed)

    def test_a_text_with_an_empty_slot_breaks_only_that_rule(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def careless(_case: Case, evidence: Evidence) -> Answer:
            return evidence.finding("hold")

        monkeypatch.setitem(RULES, "low-platelets", careless)  # type: ignore[arg-type]
        errors = [(o.rule.rule, o.error) for o in run(APIXABAN).outcomes if o.error]
        assert errors == [("R22", "KeyError")]


def test_an_answer_is_a_finding_or_nothing_or_cannot_tell() -> None:
    kinds: set[type] = set()
    for scene in (APIXABAN, replace(APIXABAN, values=())):
        kinds |= {type(o.answer) for o in run(scene).outcomes}
    assert kinds == {Finding, CannotTell}  # nothing leaves no outcome
    assert isinstance(run(APIXABAN).outcomes[0], Outcome)
