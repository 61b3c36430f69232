"""Facts far from any patient, for rules that must not fail on them: dates in any order, doses below zero."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cache

from hypothesis import strategies as st

from hooks.dates import PartialDate
from hooks.facts import (
    Allergy,
    Diagnosis,
    Dose,
    Drug,
    Gap,
    Meaning,
    MedicationOrder,
    Orders,
    PastProcedure,
    Patient,
    PregnancyStatus,
    Reading,
    ServiceOrder,
    Unusable,
)
from hooks.tables import DATA
from tests import build
from tests.hooks.strategies import knowledge

_NEAR = st.integers(-3000, 400).map(lambda days: build.TODAY + timedelta(days=days))
_DATES = st.one_of(_NEAR, _NEAR, _NEAR, st.dates(date(1850, 1, 1), date(2199, 12, 31)))
_PARTIAL = st.one_of(
    _DATES.map(PartialDate.on),
    st.tuples(_DATES, _DATES).map(lambda two: PartialDate(earliest=min(two), latest=max(two))),
)
_RECENT = st.one_of(st.integers(0, 40).map(lambda ago: PartialDate.on(build.TODAY - timedelta(days=ago))), _PARTIAL)
_NUMBERS = st.one_of(
    st.just(Decimal(0)),
    st.sampled_from([Decimal(n) for n in (0, 1, 2, 5, 10, 20, 25, 30, 50, 70, 100, 150, 15000)]),
    st.decimals(0, 200, allow_nan=False, places=2),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal("-1E+9"), max_value=Decimal("1E+9")),
)
_TEXT = st.one_of(st.just(""), st.text(max_size=12), st.sampled_from(["<b>", "{drug}", "a" * 300, "\n", "%s"]))
_STATUS = st.sampled_from(
    ["active", "on-hold", "draft", "stopped", "completed", "cancelled", "entered-in-error", "unknown", "", "?"]
)


@cache
def _meanings() -> tuple[Meaning, ...]:
    """Every meaning that the code lists give, once."""
    found = {}
    for name in sorted((DATA / "codes").glob("conditions-*.csv")) + sorted((DATA / "codes").glob("procedures-*.csv")):
        with name.open() as lines:
            for row in csv.DictReader(lines):
                if row.get("topic") and row.get("kind"):
                    tags = frozenset((row.get("tags") or "").split())
                    key = (row["topic"], row["kind"], tags)
                    found.setdefault(key, Meaning(topic=key[0], kind=key[1], tags=tags, code=row.get("code", "")))
    return tuple(found.values())


@cache
def _drugs() -> tuple[Drug, ...]:
    """Every anticoagulant and thrombolytic, and one drug of each other part that the rules play with."""
    parts: dict[object, Drug] = {}
    for drug in knowledge().drugs.drugs.values():
        part = drug.name if drug.anticoagulant or drug.thrombolytic else (drug.interaction, drug.antineoplastic)
        parts.setdefault(part, drug)
    return tuple(parts.values())


def _orders() -> st.SearchStrategy[MedicationOrder]:
    drug = st.builds(
        replace, st.sampled_from(_drugs()), use=st.sampled_from(["", "", "", "infusion-bag", "flush", "local"])
    )
    dose = st.builds(
        Dose,
        amount=st.none() | _NUMBERS,
        unit=st.sampled_from(["mg", "IU", ""]),
        times_per_day=st.none() | _NUMBERS,
        starts=st.none() | _PARTIAL,
        ends=st.none() | _PARTIAL,
        days=st.none() | st.integers(0, 10**6),
    )
    dated = {name: st.none() | _PARTIAL for name in ("authored", "starts", "ends")}
    meanings = st.lists(st.sampled_from(_meanings()), max_size=2).map(tuple)
    return st.builds(
        MedicationOrder,
        reference=st.integers(0, 9).map(lambda n: f"MedicationRequest/{n}"),
        label=_TEXT,
        drug=st.none() | drug | drug | drug,
        status=_STATUS,
        doses=st.lists(dose, max_size=2).map(tuple),
        reasons=meanings,
        stop_reasons=meanings,
        **dated,
    )


def wild_calls() -> st.SearchStrategy[tuple[Patient, Orders]]:
    """Facts far from any patient: dates in any order, doses below zero, labels that are markup or braces."""
    dated = {name: st.none() | _PARTIAL for name in ("onset", "recorded", "abated")}
    meaning = st.sampled_from(_meanings())
    diagnosis = st.builds(
        Diagnosis,
        reference=st.integers(0, 99).map(lambda n: f"Condition/{n}"),
        label=_TEXT,
        meanings=st.tuples(meaning) | st.tuples(meaning, meaning),
        clinical_status=st.sampled_from([None, "active", "remission", "resolved", "recurrence", "?"]),
        verification_status=st.sampled_from([None, "confirmed", "refuted", "unconfirmed", "?"]),
        **dated,
    )
    index = (
        [m for m in _meanings() if m.topic == "vte" and m.kind == "acute"],
        [m for m in _meanings() if m.topic == "malignancy"],
    )
    always = st.tuples(
        *[
            st.builds(
                Diagnosis,
                reference=st.just(f"Condition/i{i}"),
                label=_TEXT,
                meanings=st.tuples(st.sampled_from(pool)),
                onset=st.none() | _PARTIAL,
            )
            for i, pool in enumerate(index)
        ]
    )
    procedure = st.sampled_from([m for m in _meanings() if m.topic == "procedure"])
    service = st.builds(
        ServiceOrder, reference=st.just("ServiceRequest/1"), label=_TEXT, meanings=st.tuples(procedure), status=_STATUS
    )

    def readings(analyte: str) -> st.SearchStrategy[tuple[Reading, ...]]:
        one = st.builds(Reading, analyte=st.just(analyte), value=_NUMBERS, shown=_TEXT, taken=_RECENT)
        return st.tuples(one) | st.tuples(one, one)

    analytes = ("platelets_10e9_l", "creatinine_mg_dl", "weight_kg", "height_cm", "haemoglobin_g_l")
    gap = st.builds(
        Gap,
        key=st.sampled_from(["conditions", "medications", "platelets", "allergies"]),
        reason=_TEXT,
        failed=st.booleans(),
    )
    patient = st.builds(
        Patient,
        as_of=st.just(build.TODAY),
        born=st.dates(date(1930, 1, 1), date(2000, 1, 1)).map(PartialDate.on) | _PARTIAL | st.none(),
        sex=st.sampled_from(["female", "male", None]),
        diagnoses=st.tuples(always, st.lists(diagnosis, max_size=3).map(tuple)).map(lambda two: two[0] + two[1]),
        medications=st.lists(_orders(), max_size=3).map(tuple),
        procedures=st.lists(
            st.builds(
                PastProcedure,
                reference=st.just("Procedure/1"),
                label=_TEXT,
                meanings=st.tuples(procedure),
                performed=st.none() | _PARTIAL,
            ),
            max_size=1,
        ).map(tuple),
        services=st.lists(service, max_size=1).map(tuple),
        allergies=st.lists(
            st.builds(
                Allergy,
                reference=st.just("AllergyIntolerance/1"),
                label=_TEXT,
                drug=st.sampled_from((None, *_drugs())),
                reaction_is_hit=st.booleans(),
                recorded=st.none() | _PARTIAL,
            ),
            max_size=1,
        ).map(tuple),
        readings=st.fixed_dictionaries({a: readings(a) for a in analytes}),
        pregnancy=st.lists(st.builds(PregnancyStatus, pregnant=st.booleans(), taken=_PARTIAL), max_size=2).map(tuple),
        unusable=st.lists(
            st.builds(Unusable, item=st.sampled_from(analytes), reason=_TEXT, taken=st.none() | _PARTIAL), max_size=2
        ).map(tuple),
        gaps=st.lists(gap, max_size=2).map(tuple),
    )
    drafts = st.lists(_orders() | _orders() | service, max_size=2).map(tuple)
    return st.tuples(patient, st.builds(Orders, in_focus=drafts, others=drafts))
