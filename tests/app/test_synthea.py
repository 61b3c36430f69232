"""Twelve Synthea charts, which nobody here wrote: no card and no error as they are; right cards with cancer and clot.

The charts lie beside the checkout and are not part of it. Where they are absent only their number is tested.
"""

import gzip
import os
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.demo.drafts import draft, wish
from tests.app.service import Service, running
from tests.cds_hooks_validator import service_response_faults

Json = dict[str, Any]

BESIDE = Path(__file__).resolve().parents[3] / "shared"
FILES = sorted((BESIDE / "data" / "synthea").glob("*.json.gz"))
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
USER = "Practitioner/dr-1"
CALLS = (("patient-view", ()), ("order-select", ("apixaban",)), ("order-sign", ("warfarin",)))
USUAL = {"doac-luminal-gi", "data-not-usable"}
TWO_DRUGS = {"doac-luminal-gi", "duplicate-anticoagulant"}
WITH_CANCER_AND_CLOT = {
    "blaze-44717d84": USUAL,
    "blaze-52ebdcae": set(),  # dead
    "blaze-771500c7": TWO_DRUGS | {"data-not-usable"},  # enoxaparin, through medicationReference
    "smart-r4-Andy-Schaden": USUAL,
    "smart-r4-Caridad-Olivares": USUAL,
    "smart-r4-Cleo-Friesen": set(),  # dead
    "smart-r4-Gus-Dicki": USUAL,
    "smart-r4-Lavelle-Kuvalis": USUAL,
    "smart-r4-Librada-Tromp": USUAL,
    "smart-r4-Mafalda-Turcotte": TWO_DRUGS | {"recurrent-vte-on-treatment"},  # warfarin and verapamil, never ended
    "smart-r4-Malik-Ward": TWO_DRUGS | {"recurrent-vte-on-treatment", "data-not-usable"},  # the same
    "smart-r4-Vannessa-Batz": USUAL,
}
"""What apixaban for a clot of last week in colon cancer gets: by drugs on record, and by how old the results are."""
CHILDREN = {"blaze-771500c7", "smart-r4-Gus-Dicki", "smart-r4-Vannessa-Batz"}


def short(path: Path) -> str:
    """The name of a chart's file without the long id."""
    return next(name for name in WITH_CANCER_AND_CLOT if path.name.startswith(name))


@cache
def chart(path: Path) -> tuple[Json, ...]:
    """The entries of a chart's Bundle: ``fullUrl`` (``urn:uuid:``, as all references) and ``resource``."""
    return tuple(orjson.loads(gzip.decompress(path.read_bytes()))["entry"])


def patient_id(path: Path) -> str:
    (found,) = (e["resource"]["id"] for e in chart(path) if e["resource"]["resourceType"] == "Patient")
    return str(found)


def last_day(path: Path) -> date:
    days = (str(e["resource"].get("effectiveDateTime", ""))[:10] for e in chart(path))
    return date.fromisoformat(max(days))


@pytest.fixture(scope="module")
def today() -> list[date]:
    return [date(2026, 3, 10)]


@pytest.fixture(scope="module")
def service(today: list[date]) -> Iterator[Service]:
    with running(today=lambda _zone: today[-1]) as one:
        yield one


def prefetch(entries: tuple[Json, ...], templates: dict[str, str]) -> Json:
    """What an EHR would send: one collection Bundle for each template, its entries as in the chart."""
    filled: Json = {}
    for key, template in templates.items():
        kind, _, query = template.partition("?")
        parameters = dict(part.partition("=")[::2] for part in query.split("&"))
        codes = {code for code in parameters.get("code", "").split(",") if code}
        kinds = {"MedicationRequest", "Medication"} if key == "medications" else {kind}
        chosen = [e for e in entries if e["resource"]["resourceType"] in kinds and (not codes or _is_one(e, codes))]
        filled[key] = {"resourceType": "Bundle", "type": "collection", "entry": chosen}
    (person,) = (e["resource"] for e in entries if e["resource"]["resourceType"] == "Patient")
    return filled | {"patient": person}


def _is_one(entry: Json, codes: set[str]) -> bool:
    return any(f"{c.get('system')}|{c.get('code')}" in codes for c in entry["resource"]["code"]["coding"])


def call(service: Service, path: Path, hook: str, orders: tuple[str, ...], day: date, *more: Json) -> Json:
    listed = {row["hook"]: row["prefetch"] for row in service.get("/cds-services").json()["services"]}
    patient = patient_id(path)
    context: Json = {"userId": USER, "patientId": patient}
    drafts = [draft(wish(one), draft_id="d1", patient_id=patient, user_id=USER, day=day) for one in orders]
    if drafts:
        context["draftOrders"] = {"resourceType": "Bundle", "entry": [{"resource": one} for one in drafts]}
    if hook == "order-select":
        context["selections"] = ["MedicationRequest/d1"]
    return {
        "hook": hook,
        "hookInstance": "6f2b8d0e-3c1a-4e55-9d6b-2a7f0c9e41b7",
        "context": context,
        "prefetch": prefetch((*chart(path), *more), listed[hook]),
    }


def problem(path: Path, code: str, onset: date) -> Json:
    return {
        "fullUrl": f"urn:uuid:{code}",
        "resource": {
            "resourceType": "Condition",
            "id": code.replace(".", "-").lower(),
            "clinicalStatus": {"coding": [{"code": "active"}]},
            "code": {"coding": [{"system": ICD_10_CM, "code": code}]},
            "subject": {"reference": f"urn:uuid:{patient_id(path)}"},
            "onsetDateTime": onset.isoformat(),
        },
    }


def answer(service: Service, body: Json) -> list[Json]:
    got = service.post(body)
    assert got.status_code == 200, got.text
    patient = body["context"]["patientId"]
    assert service_response_faults(got.json(), draft_orders={"MedicationRequest/d1"}, patient_id=patient) == []
    assert (service.log[-1].broken_rules, service.log[-1].dropped) == ([], 0)
    return list(got.json()["cards"])


def test_all_charts_are_there_where_they_must_be() -> None:
    expected = {12} if os.environ.get("CI") and BESIDE.is_dir() else {0, 12}
    assert len(FILES) in expected


if FILES:  # an empty list of parameters is refused at collection

    @pytest.mark.parametrize(("hook", "orders"), CALLS)
    @pytest.mark.parametrize("path", FILES, ids=short)
    def test_a_chart_as_it_is_gets_no_card(
        service: Service, today: list[date], path: Path, hook: str, orders: tuple[str, ...]
    ) -> None:
        today.append(last_day(path) + timedelta(days=1))
        assert answer(service, call(service, path, hook, orders, today[-1])) == []

    @pytest.mark.parametrize("path", FILES, ids=short)
    def test_apixaban_for_a_clot_in_colon_cancer_gets_the_right_cards(
        service: Service, today: list[date], path: Path
    ) -> None:
        day = last_day(path) + timedelta(days=1)
        today.append(day)
        added = (
            problem(path, "C18.7", day - timedelta(days=60)),
            problem(path, "I82.412", day - timedelta(days=7)),
        )
        cards = answer(service, call(service, path, "order-select", ("apixaban",), day, *added))
        by_rule = {card["source"]["topic"]["code"]: card for card in cards}
        assert set(by_rule) == WITH_CANCER_AND_CLOT[short(path)]
        offered = {rule for rule, card in by_rule.items() if card.get("suggestions")}
        assert ("doac-luminal-gi" in offered) is (bool(by_rule) and short(path) not in CHILDREN)
