"""The short list of what can be ordered on the demo page, and the drafts that its rows become."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from app.demo.drafts import Wish, draft, wish
from app.demo.ehr.roster import Story

ORDER_LIST = Path(__file__).with_name("order_list.toml")
USER = "Practitioner/demo"
OF_THE_STORY = "of-the-story"
"""Key of the order that a patient's story is about."""

_RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
_ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
_CONCEPT = {
    "MedicationRequest": "medicationCodeableConcept",
    "DeviceRequest": "codeCodeableConcept",
    "ServiceRequest": "code",
}

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One row of the list: its key, and what a clinician reads."""

    key: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows under one heading."""

    label: str
    choices: tuple[Choice, ...]


def groups(story: Story) -> tuple[Group, ...]:
    """The list for one patient: the order of the story first, then what anybody can be given."""
    own = _own(story)
    first = (Group(label=f"In the story of {story.name}", choices=(own,)),) if own else ()
    return (*first, *(Group(label=label, choices=tuple(_choices(row))) for label, row in _list().items()))


def drafted(story: Story, key: str, *, draft_id: str, day: date) -> Resource:
    """The draft that the row ``key`` becomes when it is picked for this patient on ``day``.

    Raises:
        KeyError: there is no such row.
    """
    if key == OF_THE_STORY and story.order:
        return _of_the_story(story, draft_id, day)
    for row in _list().values():
        if key in row.get("drugs", ()):
            return draft(wish(key), draft_id=draft_id, patient_id=story.id, user_id=USER, day=day)
        for order in row.get("order", ()):
            if order["key"] == key:
                return _written_out(order, story.id, draft_id, day)
    raise KeyError(key)


@cache
def _list() -> dict[str, Resource]:
    return {row["label"]: row for row in tomllib.loads(ORDER_LIST.read_text(encoding="utf-8"))["group"]}


def _choices(row: Mapping[str, Any]) -> Iterator[Choice]:
    for drug in row.get("drugs", ()):
        yield Choice(key=drug, label=str(wish(drug)))
    for order in row.get("order", ()):
        yield Choice(key=order["key"], label=order["display"])


def _own(story: Story) -> Choice | None:
    return Choice(key=OF_THE_STORY, label=_spoken(story.order)) if story.order else None


def _spoken(order: Mapping[str, Any]) -> str:
    reason = f", for {order['reason_text']}" if "reason_text" in order else ""
    return f"{_wished(order)}{reason}"


def _wished(order: Mapping[str, Any]) -> Wish:
    return Wish(
        drug=order["drug"],
        amount=Decimal(str(order["dose"])),
        unit=order["unit"].strip("[]"),
        times_per_day=order["times_per_day"],
        route=order["route"],
    )


def _of_the_story(story: Story, draft_id: str, day: date) -> Resource:
    order = story.order
    product = (_RXNORM, order["rxnorm"], order["display"])
    resource = draft(_wished(order), draft_id=draft_id, patient_id=story.id, user_id=USER, day=day, product=product)
    if "reason_icd10" in order:
        coding = {"system": _ICD10, "code": order["reason_icd10"], "display": order["reason_text"]}
        resource["reasonCode"] = [{"coding": [coding], "text": order["reason_text"]}]
    return resource


def _written_out(order: Mapping[str, str], patient_id: str, draft_id: str, day: date) -> Resource:
    codings = [{name: order[name] for name in ("system", "code", "display")}] if "code" in order else []
    return {
        "resourceType": order["kind"],
        "id": draft_id,
        "status": "draft",
        "intent": "order",
        _CONCEPT[order["kind"]]: {"text": order["display"]} | ({"coding": codings} if codings else {}),
        "subject": {"reference": f"Patient/{patient_id}"},
        "authoredOn": day.isoformat(),
        "requester": {"reference": USER},
    }
