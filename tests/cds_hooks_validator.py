"""A strict, recursive check of what a CDS Hooks service sends. Every fault is one line that begins with its path.

    faults = service_response_faults(body, draft_orders=["MedicationRequest/d1"], patient_id="p1")
    assert faults == []

Closed schema: a member that CDS Hooks does not define is a fault, ``extension`` apart. Numbers such as C-9 in
the comments are rows of the checklist of the specification that the project was built against.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.cds_hooks_elements import (
    ISSUE_SEVERITIES,
    ISSUE_TYPES,
    Faults,
    bare_uuid,
    coding,
    fhir,
    is_text,
    items,
    members,
    nothing_empty,
    twice,
    web_address,
)

REFERENCE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}")
SEMVER = re.compile(r"\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?")
SEGMENT = re.compile(r"[A-Za-z0-9\-._~]+")
HTML = re.compile(r"(?<!\\)<(?=[A-Za-z!/?])")
TEMPLATE = re.compile(r"[A-Z][A-Za-z]+(?:/\{\{[^{}]+\}\}|\?\S+)")
TOKEN = re.compile(r"\{\{([^{}]*)\}\}")
TRAPS = re.compile(r"_include|_revinclude|_has|sort:|:not|:missing|=ne\d")

LONGEST_SUMMARY = 139
LONGEST_TEMPLATE = 1500
HOOK_TOKENS = dict.fromkeys(("patient-view", "order-select", "order-sign"), ("userId", "patientId", "encounterId"))
UNITS_OF_TIME = ("s", "min", "h", "d", "wk", "mo", "a")
ORDER_TYPES = {"DeviceRequest", "MedicationRequest", "NutritionOrder", "ServiceRequest", "VisionPrescription"}


def service_response_faults(
    body: object, *, draft_orders: Collection[str] = (), patient_id: str | None = None, delete_form: str = "resourceId"
) -> list[str]:
    """What is wrong with the body of a 200 answer to a hook call.

    ``draft_orders`` are the references ("Type/id") in ``context.draftOrders``; only these may be updated
    or deleted. With ``patient_id``, created orders must be that patient's and no link may hold it.
    """
    return list(_response(body, frozenset(draft_orders), patient_id, delete_form))


def discovery_faults(body: object) -> list[str]:
    """What is wrong with the body of an answer to discovery."""
    return list(_discovery(body))


def operation_outcome_faults(body: object) -> list[str]:
    """What is wrong with the body of an error."""
    if not isinstance(body, dict) or body.get("resourceType") != "OperationOutcome":
        return ["$: no OperationOutcome"]
    faults = [*nothing_empty(body, "$"), *fhir(body, "$")]
    for at, issue in enumerate(body.get("issue") or []):
        if issue.get("severity") not in ISSUE_SEVERITIES:
            faults.append(f"$.issue[{at}].severity: not of FHIR")
        if issue.get("code") not in ISSUE_TYPES:
            faults.append(f"$.issue[{at}].code: not of FHIR")
        if not is_text(issue.get("details", {}).get("text")):
            faults.append(f"$.issue[{at}].details.text: missing")
        if HTML.search(str(issue)):
            faults.append(f"$.issue[{at}]: HTML")
    return faults


def _response(body: object, drafts: frozenset[str], patient_id: str | None, delete_form: str) -> Faults:
    if not isinstance(body, dict):
        yield "$: not an object"  # O-1
        return
    yield from members(body, "$", required={"cards": list}, optional={"extension": dict})
    cards = body.get("cards")
    if not isinstance(cards, list):
        return
    yield from nothing_empty({**body, "cards": cards or ["none"]}, "$")  # J-5, J-6; cards may be empty
    for at, card in enumerate(cards):
        yield from _card(card, f"$.cards[{at}]", drafts, patient_id, delete_form)
    yield from twice([*_values(cards, "uuid")], "uuid")
    yield from twice(
        [a["resource"].get("id") for s in _suggestions(cards) for a in _created(s)], "id of a created resource"
    )


def _card(card: object, path: str, drafts: frozenset[str], patient_id: str | None, delete_form: str) -> Faults:
    if not isinstance(card, dict):
        yield f"{path}: not an object"
        return
    yield from members(
        card,
        path,
        required={"uuid": str, "summary": str, "indicator": str, "source": dict},
        optional={
            "detail": str,
            "suggestions": list,
            "selectionBehavior": str,
            "overrideReasons": list,
            "links": list,
            "extension": dict,
        },
    )
    yield from bare_uuid(card.get("uuid"), f"{path}.uuid")  # C-1
    yield from _summary(card.get("summary"), f"{path}.summary")
    if HTML.search(str(card.get("detail", ""))):
        yield f"{path}.detail: HTML"  # C-3
    if "](javascript:" in str(card.get("detail", "")).lower():
        yield f"{path}.detail: script link"
    if card.get("indicator") not in ("info", "warning", "critical"):
        yield f"{path}.indicator: not info, warning or critical"  # C-4
    yield from _source(card.get("source"), f"{path}.source", patient_id)
    if ("suggestions" in card) != ("selectionBehavior" in card):
        yield f"{path}.selectionBehavior: must go with suggestions"  # C-9
    if card.get("selectionBehavior", "at-most-one") != "at-most-one":
        yield f"{path}.selectionBehavior: not at-most-one"
    for at, suggestion in enumerate(items(card, "suggestions")):
        yield from _suggestion(suggestion, f"{path}.suggestions[{at}]", drafts, patient_id, delete_form)
    for at, reason in enumerate(items(card, "overrideReasons")):
        yield from coding(reason, f"{path}.overrideReasons[{at}]", display=True)  # C-10
    yield from twice([r.get("code") for r in items(card, "overrideReasons") if isinstance(r, dict)], "override reason")
    for at, link in enumerate(items(card, "links")):
        yield from _link(link, f"{path}.links[{at}]", patient_id)


def _summary(summary: object, path: str) -> Faults:
    text = str(summary)
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if units > LONGEST_SUMMARY:
        yield f"{path}: {units} UTF-16 units"  # C-2
    if HTML.search(text) or re.search(r"[\n\r\t]|\*\*|\]\(|`", text):
        yield f"{path}: markup or line breaks"


def _source(source: object, path: str, patient_id: str | None) -> Faults:
    if not isinstance(source, dict):
        return
    yield from members(source, path, required={"label": str, "topic": dict}, optional={"url": str, "icon": str})
    for name in ("url", "icon"):
        if name in source:
            yield from web_address(source[name], f"{path}.{name}", patient_id)  # C-6
    yield from coding(source.get("topic"), f"{path}.topic", display=False)  # C-8


def _suggestion(
    suggestion: object, path: str, drafts: frozenset[str], patient_id: str | None, delete_form: str
) -> Faults:
    if not isinstance(suggestion, dict):
        yield f"{path}: not an object"
        return
    yield from members(suggestion, path, required={"label": str, "uuid": str, "actions": list}, optional={})
    yield from bare_uuid(suggestion.get("uuid"), f"{path}.uuid")  # SG-2
    actions = [action for action in items(suggestion, "actions") if isinstance(action, dict)]
    for at, action in enumerate(actions):
        yield from _action(action, f"{path}.actions[{at}]", drafts, patient_id, delete_form)
    types = [action.get("type") for action in actions]
    if "delete" in types and types.index("delete") < max((i for i, t in enumerate(types) if t != "delete"), default=-1):
        yield f"{path}.actions: a delete before a create"  # the sandbox stops at the first action that it can use
    yield from twice([_target(action, delete_form) for action in actions], f"target in {path}")  # SG-4


def _action(action: Mapping[str, Any], path: str, drafts: frozenset[str], patient_id: str | None, form: str) -> Faults:
    kind = action.get("type")
    if kind not in ("create", "update", "delete"):
        yield f"{path}.type: not create, update or delete"  # AC-1
        return
    content: dict[str, type] = {"resource": dict} if kind != "delete" else {form: str}
    yield from members(action, path, required={"type": str, "description": str, **content}, optional={})  # AC-2, AC-5
    if kind == "delete":
        target = action.get(form)
        if not REFERENCE.fullmatch(str(target)):
            yield f"{path}.{form}: not Type/id"
        elif target not in drafts:
            yield f"{path}.{form}: not in draftOrders"  # AC-6
        return
    resource = action.get("resource")
    if not isinstance(resource, dict):
        return
    yield from nothing_empty(resource, f"{path}.resource")
    yield from fhir(resource, f"{path}.resource")  # J-3
    yield from _order(resource, f"{path}.resource", patient_id)
    named = f"{resource.get('resourceType')}/{resource.get('id')}"
    if (named in drafts) != (kind == "update"):
        yield f"{path}.resource.id: {'not ' if kind == 'update' else ''}in draftOrders"  # AC-6, AC-8


def _order(resource: Mapping[str, Any], path: str, patient_id: str | None) -> Faults:
    if resource.get("resourceType") not in ORDER_TYPES:
        yield f"{path}.resourceType: no order"
        return
    if not resource.get("id"):
        yield f"{path}.id: missing"  # AC-8
    if resource.get("status") != "draft":
        yield f"{path}.status: not draft"
    if resource.get("intent") not in ("order", "proposal"):
        yield f"{path}.intent: not order or proposal"
    if patient_id is not None and resource.get("subject", {}).get("reference") != f"Patient/{patient_id}":
        yield f"{path}.subject: another patient"  # AC-3
    for at, dosage in enumerate(resource.get("dosageInstruction") or []):
        if dosage.get("timing", {}).get("repeat", {}).get("periodUnit", "d") not in UNITS_OF_TIME:
            yield f"{path}.dosageInstruction[{at}]: periodUnit is not of FHIR"
        for part in dosage.get("doseAndRate") or []:
            value = part.get("doseQuantity", {}).get("value")
            if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
                yield f"{path}.dosageInstruction[{at}]: the dose is no positive number"
            elif isinstance(value, float) and value.is_integer():
                yield f"{path}.dosageInstruction[{at}]: {value} has a needless point"


def _link(link: object, path: str, patient_id: str | None) -> Faults:
    if not isinstance(link, dict):
        yield f"{path}: not an object"
        return
    yield from members(link, path, required={"label": str, "url": str, "type": str}, optional={"appContext": str})
    if link.get("type") not in ("absolute", "smart"):
        yield f"{path}.type: not absolute or smart"  # L-1
    if "appContext" in link and link.get("type") != "smart":
        yield f"{path}.appContext: only on smart links"  # L-4
    yield from web_address(link.get("url"), f"{path}.url", patient_id)
    if link.get("type") == "smart" and {"iss", "launch"} & dict(parse_qsl(urlsplit(str(link.get("url"))).query)).keys():
        yield f"{path}.url: iss or launch, which the client adds"  # L-3


def _discovery(body: object) -> Faults:
    if not isinstance(body, dict):
        yield "$: not an object"
        return
    yield from members(body, "$", required={"services": list}, optional={"extension": dict})
    services = [service for service in items(body, "services") if isinstance(service, dict)]
    yield from nothing_empty({**body, "services": body.get("services") or ["none"]}, "$")
    for at, service in enumerate(services):
        yield from _service(service, f"$.services[{at}]")
    yield from twice([(service.get("id"), service.get("hook")) for service in services], "id and hook")  # D-10, D-11


def _service(service: Mapping[str, Any], path: str) -> Faults:
    yield from members(
        service,
        path,
        required={"hook": str, "description": str, "id": str, "title": str},  # D-4, D-5
        optional={"prefetch": dict, "usageRequirements": str, "version": str, "hookVersion": str, "extension": dict},
    )
    if not SEGMENT.fullmatch(str(service.get("id"))):
        yield f"{path}.id: no single path segment"  # D-13
    if "version" in service and not SEMVER.fullmatch(str(service["version"])):
        yield f"{path}.version: no semantic version"  # D-8
    for key, template in (service.get("prefetch") or {}).items():
        yield from _template(key, str(template), str(service.get("hook")), f"{path}.prefetch.{key}")


def _template(key: str, template: str, hook: str, path: str) -> Faults:
    if not re.fullmatch(r"\S+", key):
        yield f"{path}: spaces in the key"  # PT-10
    if not TEMPLATE.fullmatch(template):
        yield f"{path}: neither a read nor a search"  # PT-1
    if len(template) > LONGEST_TEMPLATE:
        yield f"{path}: {len(template)} characters"  # PT-9
    if TRAPS.search(template):
        yield f"{path}: beyond what clients support"  # PT-5, PT-6
    for token in TOKEN.findall(template):
        scope, _, name = token.partition(".")
        if scope != "context" or name not in HOOK_TOKENS.get(hook, ()):
            yield f"{path}: {token} is no token of {hook}"  # PT-2, PT-3, PT-4


def _target(action: Mapping[str, Any], form: str) -> str | None:
    if action.get("type") == "delete":
        return str(action.get(form))
    resource = action.get("resource")
    return f"{resource.get('resourceType')}/{resource.get('id')}" if isinstance(resource, dict) else None


def _values(value: object, name: str) -> Iterator[Any]:
    for card in value if isinstance(value, list) else []:
        if isinstance(card, dict):
            yield card.get(name)
            yield from (s.get(name) for s in items(card, "suggestions") if isinstance(s, dict))


def _suggestions(cards: list[Any]) -> Iterator[Mapping[str, Any]]:
    for card in cards:
        if isinstance(card, dict):
            yield from (s for s in items(card, "suggestions") if isinstance(s, dict))


def _created(suggestion: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for action in items(suggestion, "actions"):
        if isinstance(action, dict) and action.get("type") == "create" and isinstance(action.get("resource"), dict):
            yield action
