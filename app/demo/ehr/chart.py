"""What the demo page shows of a record: problems, medicines, allergies and laboratory values, newest first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from app.demo.dates import Resource
from app.reading.elements import earliest, label, objects, read_date, read_quantity, status, string
from hooks.clinic.kidney import age_years
from hooks.dates import PartialDate

_OVER = frozenset({"resolved", "inactive", "remission", "stopped", "completed", "cancelled", "entered-in-error"})
_WITHDRAWN = frozenset({"refuted", "entered-in-error"})
_IN_FRONT = ("2160-0", "777-3", "718-7", "29463-7", "8302-2")
"""LOINC codes that a clinician who thinks of anticoagulants looks at first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One problem, medicine or allergy: what, its state, from when to when. ``current``: it goes on."""

    what: str
    detail: str
    state: str
    since: str
    until: str
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """The newest value of one laboratory test or measure, with the one before it. ``front``: shown at once."""

    name: str
    value: str
    unit: str
    day: str
    state: str
    earlier: str
    front: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One patient's chart, ready to be shown."""

    name: str
    born: str
    age: int | None
    sex: str
    number: str
    problems: tuple[Line, ...]
    medicines: tuple[Line, ...]
    allergies: tuple[Line, ...]
    values: tuple[Value, ...]


def chart(resources: Sequence[Resource], today: date) -> Chart:
    """The chart in ``resources``, of which the first is the Patient."""
    person = resources[0]
    born = read_date(person.get("birthDate"))
    numbers = [string(one.get("value")) for one in objects(person.get("identifier"))]
    return Chart(
        name=name_of(person),
        born=str(born or "not known"),
        age=age_years(born, PartialDate.on(today)) if born else None,
        sex=string(person.get("gender")) or "sex not recorded",
        number=next((number for number in numbers if number), ""),
        problems=_ordered(_problem(one) for one in resources if one["resourceType"] == "Condition"),
        medicines=_ordered(
            _medicine(one, resources) for one in resources if one["resourceType"] == "MedicationRequest"
        ),
        allergies=_ordered(_allergy(one) for one in resources if one["resourceType"] == "AllergyIntolerance"),
        values=_values(one for one in resources if one["resourceType"] == "Observation"),
    )


def name_of(person: Resource) -> str:
    """The name of a Patient as one reads it."""
    name = next(iter(objects(person.get("name"))), {})
    given = " ".join(string(one) for one in name.get("given", ()))
    return string(name.get("text")) or f"{given} {string(name.get('family'))}".strip() or string(person.get("id"))


def _ordered(lines: Iterable[Line]) -> tuple[Line, ...]:
    """What goes on first, each part with the newest first."""
    newest = sorted(lines, key=lambda line: line.since, reverse=True)
    return tuple(sorted(newest, key=lambda line: not line.current))


def _problem(resource: Resource) -> Line:
    clinical, verification = status(resource.get("clinicalStatus")), status(resource.get("verificationStatus"))
    codes = ", ".join(string(one.get("code")) for one in objects((resource.get("code") or {}).get("coding")))
    doubt = verification if verification not in (None, "confirmed") else ""
    return Line(
        what=label(resource.get("code")),
        detail=codes,
        state=", ".join(word for word in (clinical, doubt) if word) or "no status",
        since=_day(resource, "onsetDateTime", "onsetPeriod", "recordedDate"),
        until=_day(resource, "abatementDateTime"),
        current=clinical not in _OVER and verification not in _WITHDRAWN,
    )


def _medicine(resource: Resource, resources: Sequence[Resource]) -> Line:
    state = status(resource.get("status")) or "no status"
    dosage = next(iter(objects(resource.get("dosageInstruction"))), {})
    supply = resource.get("dispenseRequest") or {}
    return Line(
        what=_drug_name(resource, resources),
        detail=string(dosage.get("text")),
        state=state,
        since=_day(resource, "authoredOn"),
        until=_day(supply, "validityPeriod") and str(read_date(supply["validityPeriod"].get("end")) or ""),
        current=state not in _OVER,
    )


def _drug_name(resource: Resource, resources: Sequence[Resource]) -> str:
    """The label of the medicine, of one in a Medication resource (own or contained) too."""
    if resource.get("medicationCodeableConcept"):
        return label(resource["medicationCodeableConcept"])
    reference = resource.get("medicationReference") or {}
    wanted = string(reference.get("reference")).rpartition("/")[2].removeprefix("#")
    known = [*objects(resource.get("contained")), *(one for one in resources if one["resourceType"] == "Medication")]
    found = next((label(one.get("code")) for one in known if one.get("id") == wanted), "")
    return found or string(reference.get("display")) or "medicine not named"


def _allergy(resource: Resource) -> Line:
    clinical = status(resource.get("clinicalStatus"))
    reactions = [label(sign) for one in objects(resource.get("reaction")) for sign in objects(one.get("manifestation"))]
    return Line(
        what=label(resource.get("code")),
        detail=", ".join(reactions),
        state=clinical or "no status",
        since=_day(resource, "recordedDate", "onsetDateTime"),
        until="",
        current=clinical not in _OVER,
    )


def _values(observations: Iterable[Resource]) -> tuple[Value, ...]:
    found: dict[str, list[Resource]] = {}
    for one in observations:
        if read_quantity(one.get("valueQuantity")) is not None and one.get("valueQuantity"):
            found.setdefault(_loinc(one) or label(one.get("code")), []).append(one)
    rows = [_value(code, sorted(listed, key=_moment, reverse=True)) for code, listed in found.items()]
    places = {code: place for place, code in enumerate(_IN_FRONT)}
    keyed = zip(found, rows, strict=True)
    return tuple(row for _, row in sorted(keyed, key=lambda pair: (places.get(pair[0], len(places)), pair[1].name)))


def _value(code: str, newest_first: list[Resource]) -> Value:
    newest = newest_first[0]
    shown, unit = _shown(newest)
    earlier = (
        " ".join(part for part in (*_shown(newest_first[1]), f"({_day(newest_first[1], 'effectiveDateTime')})"))
        if len(newest_first) > 1
        else ""
    )
    state = status(newest.get("status")) or ""
    return Value(
        name=label(newest.get("code")),
        value=shown,
        unit=unit,
        day=_day(newest, "effectiveDateTime"),
        state=state if state != "final" else "",
        earlier=earlier,
        front=code in _IN_FRONT,
    )


def _shown(observation: Resource) -> tuple[str, str]:
    quantity = observation["valueQuantity"]
    comparator = string(quantity.get("comparator"))
    return f"{comparator}{quantity.get('value')}", string(quantity.get("unit") or quantity.get("code"))


def _loinc(observation: Resource) -> str:
    codings = objects((observation.get("code") or {}).get("coding"))
    return next((string(one.get("code")) for one in codings if one.get("system") == "http://loinc.org"), "")


def _moment(observation: Resource) -> str:
    return string(observation.get("effectiveDateTime"))


def _day(resource: Resource, *names: str) -> str:
    return str(earliest(resource, *names) or "")
