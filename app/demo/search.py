"""One search on the demo FHIR server: from the parameters that came to the Bundle that answers them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from app.demo.charts import Charts
from app.demo.dates import Resource
from app.demo.matching import (
    check_date,
    matches_date,
    matches_reference,
    matches_string,
    matches_token,
    matches_token_text,
    reference_target,
    resource_values,
    sort_moment,
    values,
)
from app.demo.outcome import not_found, not_understood
from app.demo.parameters import PARAMETERS, SORT_ONLY_BY, Parameter

_PAGE_LENGTH = 500
_LONGEST_PAGE = 1000
_MODIFIERS = {
    "token": {"", "not", "text", "missing"},
    "date": {"", "missing"},
    "string": {"", "exact", "contains", "missing"},
    "reference": {"", "missing", *PARAMETERS},
}
_INCLUDES = {"medication": "medicationReference", "patient": "subject", "subject": "subject", "encounter": "encounter"}
_OFFSET = "_offset"
_RESULT = frozenset({"_sort", "_count", "_summary", "_include", "_format", "_total", "_pretty", _OFFSET})
_UNKNOWN = "unknown search parameter (the request asks for strict handling)"

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Condition:
    """One parameter of the search: a resource must answer at least one of the values."""

    parameter: Parameter
    name: str
    modifier: str
    wanted: tuple[str, ...]

    def holds(self, resource: Resource) -> bool:
        found = list(resource_values(resource, self.parameter.paths))
        if self.modifier == "missing":
            return (not found) == (self.wanted[0] == "true")
        answered = any(self._answers(value, wanted) for value in found for wanted in self.wanted)
        return not answered if self.modifier == "not" else answered

    def _answers(self, value: object, wanted: str) -> bool:
        if self.parameter.kind == "date":
            return matches_date(value, wanted)
        if self.parameter.kind == "string":
            return matches_string(value, wanted, self.modifier)
        if self.parameter.kind == "reference":
            return matches_reference(value, wanted, self._target_type())
        return matches_token_text(value, wanted) if self.modifier == "text" else matches_token(value, wanted)

    def _target_type(self) -> str:
        if self.modifier:
            return self.modifier
        return {"patient": "Patient", "subject": "Patient", "encounter": "Encounter"}.get(self.name, "")


def search(charts: Charts, resource_type: str, pairs: Pairs, *, base: str, strict: bool) -> Resource:
    """The searchset Bundle for the parameters ``pairs``; links begin with ``base``.

    Raises:
        Refusal: 404 for an unknown type, 400 for values, modifiers or (``strict``) names that are not understood.
    """
    known = PARAMETERS.get(resource_type)
    if known is None:
        raise not_found("this server has no resources of that type")
    used = [(name, value) for name, value in pairs if value and _is_known(name, known, strict=strict)]
    conditions = [_condition(name, value, known) for name, value in used if name.partition(":")[0] in known]
    found = [
        resource
        for patient in _patients(charts, resource_type, conditions)
        for resource in charts.chart(patient)
        if resource["resourceType"] == resource_type and all(condition.holds(resource) for condition in conditions)
    ]
    for name in reversed(_listed(used, "_sort")):
        found = _sorted(found, name, resource_type, strict=strict)
    return _bundle(charts, resource_type, found, used, base)


def _is_known(name: str, known: Iterable[str], *, strict: bool) -> bool:
    plain = name.partition(":")[0]
    if "." in name or plain == "_has":
        raise not_understood("chained searches are not supported")
    if plain in known or plain in _RESULT:
        return True
    if strict:
        raise not_understood(_UNKNOWN)
    return False


def _condition(name: str, value: str, known: Mapping[str, Parameter]) -> _Condition:
    plain, _, modifier = name.partition(":")
    parameter = known[plain]
    if modifier not in _MODIFIERS[parameter.kind]:
        raise not_understood("this modifier is not supported on this search parameter")
    wanted = tuple(part for part in value.split(",") if part)
    if not wanted or (modifier == "missing" and wanted not in {("true",), ("false",)}):
        raise not_understood("a search parameter has a value that is not understood")
    if parameter.kind == "date" and not modifier:
        for part in wanted:
            check_date(part)
    return _Condition(parameter=parameter, name=plain, modifier=modifier, wanted=wanted)


def _patients(charts: Charts, resource_type: str, conditions: Iterable[_Condition]) -> list[str]:
    """The patients whose charts can hold an answer: those that the search names, else all."""
    patients = set(charts.patient_ids())
    for condition in conditions:
        if condition.modifier not in {"", "Patient"}:
            continue
        if condition.name in {"patient", "subject"}:
            patients &= {reference_target(wanted, "Patient").partition("/")[2] for wanted in condition.wanted}
        elif condition.name == "_id":
            patients &= {owner for wanted in condition.wanted for owner in charts.owners(wanted.rpartition("|")[2])}
    return sorted(patients)


def _listed(used: Pairs, name: str) -> list[str]:
    return [part for key, value in used if key.partition(":")[0] == name for part in value.split(",") if part]


def _last(used: Pairs, name: str) -> str | None:
    return next((value for key, value in reversed(used) if key == name), None)


def _sorted(found: list[Resource], name: str, resource_type: str, *, strict: bool) -> list[Resource]:
    """Stable sort by one name ("-" in front: downwards); what has no value goes last, as R4 leaves it to us."""
    plain, descending = name.removeprefix("-"), name.startswith("-")
    parameter = SORT_ONLY_BY.get(resource_type, {}).get(plain) or PARAMETERS[resource_type].get(plain)
    if parameter is None:
        if strict:
            raise not_understood("_sort names a search parameter that is not known")
        return found
    keyed = [(_sort_key(resource, parameter, latest=descending), resource) for resource in found]
    with_value = [(key, resource) for key, resource in keyed if key is not None]
    with_value.sort(key=lambda pair: pair[0], reverse=descending)
    return [resource for _, resource in with_value] + [resource for key, resource in keyed if key is None]


def _sort_key(resource: Resource, parameter: Parameter, *, latest: bool) -> tuple[datetime, str] | None:
    for value in resource_values(resource, parameter.paths):
        if parameter.kind == "date":
            moment = sort_moment(value, latest=latest)
            if moment is not None:
                return moment, ""
        else:
            return datetime.min.replace(tzinfo=UTC), _sort_text(value)
    return None


def _sort_text(value: object) -> str:
    if isinstance(value, str):
        return value.casefold()
    for path in ("coding.code", "code", "text", "family", "reference", "value"):
        for text in values(value, path):
            return str(text).casefold()
    return ""


def _number(used: Pairs, name: str, default: int) -> int:
    text = _last(used, name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < len("1000000000")):
        raise not_understood("a search parameter that counts needs a whole number")
    return int(text)


def _bundle(charts: Charts, resource_type: str, found: list[Resource], used: Pairs, base: str) -> Resource:
    count = min(_number(used, "_count", _PAGE_LENGTH), _LONGEST_PAGE)
    offset = _number(used, _OFFSET, 0)
    bundle: Resource = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(found),
        "link": [{"relation": "self", "url": _link(base, resource_type, used, offset)}],
    }
    if count == 0 or _last(used, "_summary") == "count":
        return bundle
    page = found[offset : offset + count]
    if offset + count < len(found):
        bundle["link"].append({"relation": "next", "url": _link(base, resource_type, used, offset + count)})
    if offset:
        previous = _link(base, resource_type, used, max(offset - count, 0))
        bundle["link"].append({"relation": "previous", "url": previous})
    entries = [_entry(base, resource, "match") for resource in page]
    entries += [_entry(base, resource, "include") for resource in _included(charts, resource_type, page, used)]
    if entries:
        bundle["entry"] = entries
    return bundle


def _link(base: str, resource_type: str, used: Pairs, offset: int) -> str:
    pairs = [(name, value) for name, value in used if name != _OFFSET]
    pairs += [(_OFFSET, str(offset))] if offset else []
    return f"{base}/{resource_type}" + (f"?{urlencode(pairs)}" if pairs else "")


def _entry(base: str, resource: Resource, mode: str) -> Resource:
    address = f"{base}/{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": address, "resource": resource, "search": {"mode": mode}}


def _included(charts: Charts, resource_type: str, page: list[Resource], used: Pairs) -> list[Resource]:
    found: dict[tuple[str, str], Resource] = {}
    here = {(resource["resourceType"], resource["id"]) for resource in page}
    for include in _listed(used, "_include"):
        source, _, rest = include.partition(":")
        name, _, target_type = rest.partition(":")
        element = "patient" if name == "patient" and "patient" in _elements(page) else _INCLUDES.get(name)
        if source != resource_type or element is None:
            continue
        for resource in page:
            for reference in values(resource, f"{element}.reference"):
                kind, _, target_id = str(reference).partition("/")
                target = charts.find(kind, target_id) if not target_type or kind == target_type else None
                if target is not None and (kind, target_id) not in here:
                    found[kind, target_id] = target
    return list(found.values())


def _elements(page: list[Resource]) -> set[str]:
    return {name for resource in page for name in resource}
