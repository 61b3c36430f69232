"""Procedures done, services and devices ordered."""

import pytest

from hooks.facts import PastProcedure, ServiceOrder
from tests.app.reading.books import SNOMED, concept, day, read, resource

FILTER = concept("397913009", SNOMED)


def procedures(**elements) -> tuple[PastProcedure, ...]:
    given = {"status": "completed", "code": FILTER, "performedDateTime": "2026-03-02", **elements}
    return read(resource("Procedure", **given), key="procedures").patient.procedures


def services(kind="ServiceRequest", **elements) -> tuple[ServiceOrder, ...]:
    return read(resource(kind, status="active", **elements), key="procedures").patient.services


def test_a_procedure_that_was_done():
    (found,) = procedures()
    assert found.meanings[0].kind == "ivc-filter"
    assert (found.status, found.performed, found.reference) == ("completed", day("2026-03-02"), "Procedure/x1")


@pytest.mark.parametrize("status", ["not-done", "preparation", "entered-in-error", "stopped", "on-hold", "unknown"])
def test_a_procedure_that_was_not_done_is_none(status):
    assert procedures(status=status) == ()


@pytest.mark.parametrize("code", [{}, None, {"coding": {}}, concept("71651007", SNOMED)])
def test_other_procedures_are_none(code):
    assert procedures(code=code) == ()


@pytest.mark.parametrize(
    ("elements", "performed"),
    [
        ({"performedPeriod": {"start": "2026-02", "end": "2026-03"}}, "2026-02"),
        ({"occurrenceDateTime": "2026-03-04"}, "2026-03-04"),
        ({"performedString": "long ago"}, "None"),
    ],
)
def test_when_it_was_done(elements, performed):
    (found,) = procedures(performedDateTime=None, **elements)
    assert str(found.performed) == performed


@pytest.mark.parametrize(
    ("kind", "elements", "meant"),
    [
        ("ServiceRequest", {"code": FILTER}, "ivc-filter"),
        ("ServiceRequest", {"code": {"concept": FILTER}}, "ivc-filter"),
        ("ServiceRequest", {"code": {"text": "Bed rest"}}, "bed-rest"),
        (
            "ServiceRequest",
            {"code": {"coding": [{"system": "urn:own", "code": "7", "display": "IVC filter"}]}},
            "ivc-filter",
        ),
        ("ServiceRequest", {"code": {"text": "Activity"}, "orderDetail": [{"text": "strict bed rest"}]}, "bed-rest"),
        ("DeviceRequest", {"codeCodeableConcept": concept("1142010007", SNOMED)}, "stockings"),
        ("DeviceRequest", {"codeReference": {"display": "Compression stockings"}}, "stockings"),
    ],
)
def test_services_and_devices_that_are_ordered(kind, elements, meant):
    (found,) = services(kind, **elements)
    assert [meaning.kind for meaning in found.meanings] == [meant]
    assert found.status == "active"


@pytest.mark.parametrize(
    "elements",
    [
        {"code": {"coding": {}}},
        {"code": {"coding": [{}]}},
        {},
        {"code": {"text": "CT"}},
        {"code": FILTER, "doNotPerform": True},
    ],
)
def test_other_services_are_none(elements):
    assert services(**elements) == ()
