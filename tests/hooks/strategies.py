"""Patients and orders that a property test draws, in the words of ``tests/build.py``, biased to where rules turn.

A ``Scene`` is one hook call. ``scenes()`` draws mostly patients with cancer-associated VTE and mostly values at a
threshold; ``judge`` puts a scene through reading, rules and cards, without HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from random import Random
from typing import Any

import orjson
from hypothesis import strategies as st

from app import hook_request
from app.gather import Got
from app.reading.orders import read_orders
from app.reading.record import read_patient
from hooks.card import Card
from hooks.cards import cards
from hooks.decide import Outcome, decide
from hooks.facts import Orders, Patient
from hooks.knowledge import Knowledge, load
from tests import build

PROFILES = ("lmwh-first-2014", "contemporary-2023")
HOOKS = ("patient-view", "order-select", "order-sign")
DAYS = (0, 1, 5, 6, 7, 8, 9, 10, 14, 15, 20, 21, 28, 29, 30, 31, 59, 60, 61, 89, 90, 91, 99, 100, 101, 149, 150, 151,
        179, 180, 181, 182, 183, 199, 200, 201, 300, 365, 366, 500, 1826, 1830)  # fmt: skip
CLOTS = ("I82.412", "I26.99", "I82.A11", "I82.90", "I82.4Y2", "I81")
CANCERS = ("C49.21+443719001", "C18.9", "C67.9", "C71.9", "C79.31", "C34.90", "C90.00", "C90.01", "C50.911", "C25.9")
BLEEDS = ("R04.0", "R31.9", "K92.2", "I61.9", "D66")
OTHERS = ("D75.822", "D75.82", "D75.821", "N18.6", "N17.9", "K74.60", "K72.90", "Z33.1", "Z95.2", "I48.0", "D68.61",
          "Z51.5", "Z85.3", "Z51.11", "J45.909")  # fmt: skip
STATES = ("", "", "", "", "recurrence", "remission", "resolved", "inactive", "unconfirmed", "refuted", "nostatus",
          "entered-in-error")  # fmt: skip
PLATELETS = ("9", "19", "19.9", "20", "24", "24.9", "25", "49", "49.9", "50", "99", "99.9", "100", "149", "150", "220")
CREATININES = ("0.5", "0.8", "1.1", "1.4", "1.7", "1.9", "2.2", "2.48", "2.5", "2.7", "3.3", "4.9", "5.1", "7.5")
WEIGHTS = ("38", "45", "45.9", "46", "56", "56.9", "57", "60", "60.1", "68", "69", "70", "83", "99", "130", "180")
AGES = ("50", "50", "17", "18", "54", "56", "69", "70", "74", "75", "80", "91", "~1950", "~2008", "")
COURSES = (
    "dalteparin 15000 IU x1", "dalteparin 12500 IU x1", "dalteparin 18000 IU x1", "dalteparin 25000 IU x1",
    "dalteparin 5000 IU x1", "dalteparin", "enoxaparin 70 mg x2", "enoxaparin 100 mg x1", "enoxaparin 40 mg x1",
    "enoxaparin 70 mg x1", "tinzaparin 12000 IU x1", "tinzaparin", "fondaparinux 7.5 mg x1", "fondaparinux 2.5 mg x1",
    "heparin infusion", "heparin 5000 IU x3", "heparin", "warfarin 5 mg x1", "phenprocoumon", "apixaban 10 mg x2",
    "apixaban 5 mg x2", "apixaban 2.5 mg x2", "apixaban", "rivaroxaban 15 mg x2", "rivaroxaban 20 mg x1",
    "edoxaban 60 mg x1", "edoxaban 30 mg x1", "dabigatran 150 mg x2", "dabigatran", "betrixaban 80 mg x1",
)  # fmt: skip
BESIDES = ("rifampicin", "itraconazole", "clarithromycin", "verapamil", "dexamethasone", "aspirin", "cisplatin",
           "tamoxifen", "paracetamol")  # fmt: skip
DEVICES = ("filter", "stockings", "bed-rest", "lysis", "alteplase")
REASONS = ("", "", "", "", "for I48.0", "for I82.412", "because K92.1", "because D75.822", "inpatient")
ALLERGIES = ("heparin", "dalteparin", "enoxaparin", "fondaparinux", "heparin causing heparin-induced thrombocytopenia",
             "penicillin")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One hook call about one patient, in words. ``values`` are pairs of analyte and words."""

    hook: str
    sex: str = "female"
    age: str = "50"
    conditions: tuple[str, ...] = ("I82.412 d0", "C49.21+443719001 recurrence d-400")
    values: tuple[tuple[str, str], ...] = (("platelets", "220"), ("creatinine", "0.8"), ("weight", "70"))
    drugs: tuple[str, ...] = ()
    procedures: tuple[str, ...] = ()
    allergies: tuple[str, ...] = ()
    pregnant: str = ""
    orders: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def of(self, analyte: str) -> tuple[str, ...]:
        """The values of one analyte."""
        return tuple(words for name, words in self.values if name == analyte)

    def with_values(self, analyte: str, *words: str) -> Scene:
        """The scene with other values of one analyte."""
        return replace(self, values=(*(v for v in self.values if v[0] != analyte), *((analyte, w) for w in words)))

    def and_condition(self, *words: str) -> Scene:
        """The scene with more diagnoses."""
        return replace(self, conditions=(*self.conditions, *words))

    def codes(self) -> list[str]:
        """The codes of all diagnoses that are neither refuted nor entered in error."""
        valid = [words.split() for words in self.conditions]
        return [w[0].split("+")[0] for w in valid if not {"refuted", "entered-in-error"} & set(w)]

    def body(self) -> dict[str, Any]:
        """The request as JSON."""
        chart = build.Chart(
            sex=self.sex,
            age=self.age,
            conditions=list(self.conditions),
            values={name: list(self.of(name)) for name in build.LOINC},
            drugs=list(self.drugs),
            procedures=list(self.procedures),
            allergies=list(self.allergies),
            pregnant=self.pregnant,
        )
        return build.request(self.hook, chart, list(self.orders), list(self.others))


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A scene with everything that came of it."""

    patient: Patient
    orders: Orders
    outcomes: tuple[Outcome, ...]
    cards: tuple[Card, ...]


def _resources(value: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return tuple(e["resource"] for e in value["entry"]) if value["resourceType"] == "Bundle" else (value,)


@cache
def knowledge() -> Knowledge:
    """The knowledge, loaded once."""
    return load()


def judge(body: dict[str, Any], profile: str) -> Judged:
    """A request with everything in prefetch through reading, rules and cards."""
    book = knowledge()
    request = hook_request.parse(orjson.dumps(body), f"cat-{body['hook']}", (body["hook"],))
    got = {
        key: Got(
            key=key,
            resources=tuple(e["resource"] for e in value.get("entry", ())) or ((value,) if key == "patient" else ()),
        )
        for key, value in request.prefetch.items()
    }
    patient = read_patient(got, request.patient_id, build.TODAY, book).patient
    orders = read_orders(request, book, {}, got["conditions"].resources).orders
    chosen = book.profiles[profile]
    outcomes = decide(request.hook, patient, orders, chosen, book)
    return Judged(patient=patient, orders=orders, outcomes=outcomes, cards=cards(outcomes, patient, chosen, book))


def _words(*choices: tuple[str, ...]) -> tuple[str, ...]:
    """Every way to join one word of each choice: one draw then picks all of them."""
    return tuple(" ".join(filter(None, words)) for words in product(*choices))


def _days(last: int, letter: str = "d") -> tuple[str, ...]:
    return tuple(f"{letter}-{day}" for day in DAYS if day <= last)


ANY_DAY = (*_days(2000), *_days(400, "r"), "@2026-01", "@2025", "")
RECENT = ("d-0", "d-1", "d-1", "d-1", "d-1", "d-13", "d-14", "d-15", "d-29", "d-30", "d-31", "d-89", "d-90", "d-91")
FLAWS = ("", "", "", "", "", "", "", "nounit", "preliminary")
INDEX_CLOTS = _words(CLOTS[:5], _days(200))
ACTIVE_CANCERS = _words(CANCERS, _days(400))
ANY_DIAGNOSES = _words((*CLOTS, *CANCERS, *BLEEDS, *OTHERS), STATES, ANY_DAY)
RISKS = _words((*BLEEDS, *OTHERS, "D75.822", "D75.822"), ("", "", "resolved"), (*_days(100), ""))
ENDS = ("", "", "", "", "to d-1", "to d1", "to d-13", "to d-15", "to d30", "stopped", "on-hold")
RUNNING = _words(COURSES, _days(400), ENDS)
ALSO_TAKEN = _words(BESIDES, _days(200), ("", "", "", "stopped"))
DRAFTS = _words(COURSES, ("", "", "", "to d30", "to d90", "to d400", "stopped"), REASONS)
LABS = {
    "platelets": _words(PLATELETS, RECENT, FLAWS),
    "creatinine": _words(CREATININES, RECENT, FLAWS),
    "weight": _words(WEIGHTS, (*RECENT, "d-365", "d-366"), FLAWS),
}


def scenes(hooks: tuple[str, ...] = HOOKS) -> st.SearchStrategy[Scene]:
    """A hook call: four times in five about a patient with cancer-associated VTE, most values on record.

    Hypothesis draws only a seed: its own draws repeat themselves too much to reach the rarer rules.
    """
    return st.integers(0, 2**64 - 1).map(lambda seed: _scene(Random(seed), hooks))


def _scene(chance: Random, hooks: tuple[str, ...]) -> Scene:
    hook = chance.choice(hooks)
    on_order = hook != "patient-view"
    values = [
        (analyte, chance.choice(pool))
        for analyte, pool in LABS.items()
        for _ in range(chance.choice((0, 1, 1, 1, 1, 1, 1, 2)))
    ]
    if not chance.randrange(4):
        values.append(("height", chance.choice(("150 d-1", "165 d-9", "180 d-500"))))
    return Scene(
        hook=hook,
        sex=chance.choice(("female", "female", "female", "male", "male", "")),
        age=chance.choice(AGES),
        conditions=tuple(dict.fromkeys(_conditions(chance))),
        values=tuple(values),
        drugs=_few(chance, RUNNING, RUNNING, ALSO_TAKEN, most=3),
        procedures=_few(chance, ("Colectomy d-30", "Chemotherapy d-20", "Cystectomy d-90"), most=1),
        allergies=(chance.choice(ALLERGIES),) if not chance.randrange(5) else (),
        pregnant=chance.choice(("d-10", "not d-3", "d-61")) if not chance.randrange(5) else "",
        orders=tuple({_draft(chance): None for _ in range(chance.choice((1, 1, 1, 2)))}) if on_order else (),
        others=tuple(chance.choice((_draft(chance), chance.choice(BESIDES))) for _ in range(chance.choice((0, 0, 1))))
        if on_order
        else (),
    )


def _conditions(chance: Random) -> list[str]:
    if chance.randrange(5):
        index = [chance.choice(INDEX_CLOTS), chance.choice(ACTIVE_CANCERS)]
        return [*index, *_few(chance, RISKS, RISKS, ANY_DIAGNOSES, most=2)]
    return list(_few(chance, ANY_DIAGNOSES, most=4))


def _few(chance: Random, *pools: tuple[str, ...], most: int) -> tuple[str, ...]:
    words = [chance.choice(chance.choice(pools)) for _ in range(chance.randint(0, most))]
    return tuple(dict.fromkeys(words))


def _draft(chance: Random) -> str:
    """An order under the pen: mostly an anticoagulant, else a device or another order that the rules judge."""
    return chance.choice(DRAFTS if chance.randrange(5) else DEVICES)
