"""Laws of reading: no JSON makes it raise, and the order in which resources come does not matter."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.hook_request import HookRequest
from app.reading.orders import read_orders
from hooks.facts import Patient
from tests.app.reading.books import (
    LOINC,
    RXNORM,
    SNOMED,
    books,
    concept,
    condition,
    medication_request,
    observation,
    read,
    resource,
)

TEXTS = st.sampled_from(
    [
        *(
            "",
            " ",
            "Patient/p1",
            "#a",
            "d",
            "mo",
            "a",
            "mg",
            "[iU]",
            "{pill}",
            "mL",
            "active",
            "final",
            "heparin",
            "HIT",
        ),
        *("2026-03-02", "2026", "2200-12-31", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1e15"),
        *("10 mg by mouth twice daily for 7 days, then 5 mg", "999999999999999", "1364445", "2160-0", "82810-3"),
        *(RXNORM, SNOMED, LOINC),
    ]
)
SCALARS = st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.floats() | st.text(max_size=8) | TEXTS
NAMES = st.sampled_from(
    [
        "coding",
        "system",
        "code",
        "display",
        "text",
        "value",
        "unit",
        "reference",
        "start",
        "end",
        "repeat",
        "frequency",
        "period",
        "periodUnit",
        "boundsPeriod",
        "boundsDuration",
        "low",
        "high",
        "doseQuantity",
        "doseRange",
        "timing",
        "event",
        "extension",
        "url",
        "concept",
        "count",
        "dayOfWeek",
        "timeOfDay",
        "sequence",
        "valueCode",
        "comparator",
    ]
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)

DOSAGE = {
    "sequence": 1,
    "text": "10 mg daily",
    "timing": {
        "repeat": {
            "frequency": 2,
            "period": 1,
            "periodUnit": "d",
            "boundsDuration": {"value": 7, "unit": "d"},
            "count": 3,
            "dayOfWeek": ["mon"],
        },
        "code": {"text": "BID"},
    },
    "asNeededBoolean": False,
    "route": {"text": "oral"},
    "doseAndRate": [{"type": concept("ordered", ""), "doseQuantity": {"value": 5, "unit": "mg", "code": "mg"}}],
}
WHOLE = [
    {
        "resourceType": "Patient",
        "id": "p1",
        "gender": "female",
        "birthDate": "1958-02-28",
        "deceasedBoolean": False,
        "extension": [{"url": "us-core-birthsex", "valueCode": "F"}],
    },
    condition(
        clinicalStatus=concept("active", "x"),
        verificationStatus="confirmed",
        onsetAge={"value": 60, "code": "a"},
        onsetPeriod={"start": "2026"},
        abatementPeriod={"start": "2026-01-01", "end": "2026-02"},
        recordedDate="2026-03-02",
        meta={"lastUpdated": "2026"},
    ),
    observation(issued="2026-03-10T08:00:00Z", dataAbsentReason={"text": "lost"}),
    observation(
        "85353-1", None, identity="o2", component=[{"code": concept("29463-7", LOINC), "valueString": "70 kg"}]
    ),
    observation("82810-3", None, identity="o3", valueCodeableConcept=concept("77386006", SNOMED)),
    medication_request(
        authoredOn="2026-03-01",
        dosageInstruction=[DOSAGE],
        dispenseRequest={
            "validityPeriod": {"start": "2026-03-01"},
            "expectedSupplyDuration": {"value": 30, "unit": "mo"},
            "numberOfRepeatsAllowed": 99,
        },
        reasonCode=[concept("I82.412", "x")],
        reasonReference=[{"reference": "Condition/c1"}],
        statusReason={"text": "x"},
        category=[{"text": "inpatient"}],
        note=[{"text": "x"}],
        contained=[{"resourceType": "Medication", "id": "a", "code": {"text": "heparin"}, "ingredient": [{}]}],
    ),
    medication_request(None, identity="m2", medicationReference={"reference": "#a"}, contained=[{"id": "a"}]),
    resource(
        "Procedure", status="completed", code=concept("397913009", SNOMED), performedDateTime="2026", usedCode=[{}]
    ),
    resource("ServiceRequest", status="active", code=concept("397913009", SNOMED), orderDetail=[{"text": "bed rest"}]),
    resource("DeviceRequest", status="active", codeCodeableConcept=concept("1142010007", SNOMED)),
    {
        "resourceType": "AllergyIntolerance",
        "id": "a1",
        "patient": {"reference": "Patient/p1"},
        "clinicalStatus": concept("active", "x"),
        "code": {"text": "heparin"},
        "reaction": [{"manifestation": [{"text": "HIT"}], "substance": {"text": "heparin"}, "description": "HIT"}],
    },
    {"resourceType": "Medication", "id": "m", "code": concept("1364445", RXNORM), "ingredient": [{"item": {}}]},
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, one in inner for place in places(one, (*path, name)))]


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The value with something else at one place."""
    if not path:
        return new
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[path[0]] = put(value[path[0]], path[1:], new)
    return changed


PLACES = [(at, path) for at, whole in enumerate(WHOLE) for path in places(whole) if path]


def read_everything(*resources: Any) -> Patient:
    entries = tuple({"resource": one, "fullUrl": one.get("fullUrl")} for one in resources)
    request = HookRequest(
        service_id="s", hook="order-sign", hook_instance="i", patient_id="p1", draft_orders=entries,
        in_focus=tuple(range(len(entries))),
    )  # fmt: skip
    orders = read_orders(request, books(), medications={"Medication/m": WHOLE[-1]}, conditions=(WHOLE[1],)).orders
    found = read(*resources, key="creatinine").patient
    for order in (*orders.in_focus, *orders.others, *found.medications):
        str(order)
    return found


@settings(max_examples=400)
@given(st.sampled_from(PLACES), JSON)
def test_any_json_at_any_element_never_raises(place, odd):
    at, path = place
    read_everything(*WHOLE[:at], put(WHOLE[at], path, odd), *WHOLE[at + 1 :])


@settings(max_examples=100)
@given(
    st.dictionaries(st.sampled_from(sorted({str(path[0]) for _, path in PLACES})), JSON, max_size=6),
    st.sampled_from(WHOLE),
)
def test_any_elements_together_never_raise(odd, whole):
    read_everything({**whole, **odd})


@given(st.permutations(WHOLE))
def test_the_order_of_resources_does_not_matter(shuffled):
    assert read(*shuffled, key="creatinine") == read(*WHOLE, key="creatinine")


@given(
    st.lists(st.sampled_from([0.8, 0.9, 1.0]), min_size=2, max_size=5).flatmap(
        lambda v: st.tuples(st.just(v), st.permutations(v))
    )
)
def test_conflicting_results_of_one_moment_come_in_one_order(values):
    given_order, shuffled = ([observation(value=v, identity=None) for v in listed] for listed in values)
    assert read(*given_order).patient.readings == read(*shuffled).patient.readings
