"""Runs the rules of a hook over its cases. A rule that raises does not silence the others."""

from dataclasses import dataclass, replace

from hooks.clinic.picture import Case, Picture, find_cases, find_picture, may_concern
from hooks.facts import Orders, Patient
from hooks.finding import Answer, Finding, Urgency
from hooks.guidelines import Evidence, Profile
from hooks.knowledge import Knowledge
from hooks.rulebook import RuleRow
from hooks.rules import RULES

__all__ = ["Outcome", "decide", "may_concern"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one rule answered about one case.

    ``order`` is the draft's reference, ``on_view`` whether the chart was only opened. ``error`` names the kind of
    failure of a rule that raised.
    """

    rule: RuleRow
    evidence: Evidence
    order: str
    answer: Answer
    on_view: bool = False
    error: str = ""
    treatment_day: str = ""


def decide(hook: str, patient: Patient, orders: Orders, profile: Profile, knowledge: Knowledge) -> tuple[Outcome, ...]:
    """All that the rules of ``hook`` say about the orders in focus (or the open chart), in the rules' order.

    A rule that was checked and has nothing to say has no outcome.
    """
    picture = find_picture(patient, orders, profile, knowledge.dosing)
    if picture.population == "none":
        return ()
    rows = [
        row
        for row in knowledge.rules
        if hook in row.hooks and picture.population in row.population and row.code in profile.rules
    ]
    outcomes: list[Outcome] = []
    for case in find_cases(hook, picture, orders, profile, knowledge.dosing):
        outcomes += _suppressed([told for row in rows if (told := _outcome(row, case, profile)) is not None])
    return tuple(outcomes)


def _outcome(row: RuleRow, case: Case, profile: Profile) -> Outcome | None:
    evidence = profile.rules[row.code]
    error = ""
    answer: Answer = None
    try:
        answer = RULES[row.code](case, evidence)
    except Exception as fault:  # noqa: BLE001 - a broken rule is reported on the card and in the log, never swallowed
        error = type(fault).__name__
    if answer is None and not error:
        return None
    if isinstance(answer, Finding):
        answer = _soften(answer, row, case.picture)
        if case.on_patient_view:
            answer = replace(answer, urgency=min(answer.urgency, Urgency.WARNING))
    day = case.picture.treatment.day
    return Outcome(
        rule=row,
        evidence=evidence,
        order=case.order.reference if case.order else "",
        answer=answer,
        on_view=case.on_patient_view,
        error=error,
        treatment_day=str(day) if day else "",
    )


def _soften(finding: Finding, row: RuleRow, picture: Picture) -> Finding:
    """Uncertain clot or cancer: drug-choice and duration cards drop one level and say so."""
    doubts = picture.uncertainties if row.softened else ()
    if not doubts:
        return finding
    lowered = finding.urgency.lowered()
    head = "Lowered one level" if lowered < finding.urgency else "Not sure"
    note = f"{head}: {', '.join(doubts)}. Confirm before acting."
    return replace(finding, urgency=lowered, notes=(*finding.notes, note), doubts=doubts)


def _suppressed(outcomes: list[Outcome]) -> list[Outcome]:
    """Outcomes less those that another finding of the same case stands in for."""
    found = {o.rule.code for o in outcomes if isinstance(o.answer, Finding)}
    return [o for o in outcomes if not (isinstance(o.answer, Finding) and o.rule.suppressed_by & found)]
