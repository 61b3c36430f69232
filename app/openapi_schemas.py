"""The bodies that go in and out, as JSON Schema: what is sent is closed, what comes may hold more."""

from collections.abc import Iterable, Mapping
from typing import Any

from hooks.finding import Urgency

Json = dict[str, Any]


def ref(name: str) -> Json:
    """A reference to one of SCHEMAS."""
    return {"$ref": f"#/components/schemas/{name}"}


def _open(required: Iterable[str], **properties: Json) -> Json:
    """An object that may hold more than these."""
    return {"type": "object", "required": list(required), "properties": properties}


def _closed(required: Iterable[str], **properties: Json) -> Json:
    """An object that never holds more than these."""
    return _open(required, **properties) | {"additionalProperties": False}


def _list(items: Json, least: int = 1) -> Json:
    return {"type": "array", "items": items, "minItems": least}


TEXT: Json = {"type": "string", "minLength": 1}
UUID: Json = {"type": "string", "format": "uuid"}
URL: Json = {"type": "string", "format": "uri"}
FHIR_ID: Json = {"type": "string", "pattern": r"^[A-Za-z0-9\-.]{1,64}$"}
RESOURCE = _open(["resourceType"], resourceType=TEXT)
CODING = _closed(["code", "system"], code=TEXT, system=URL, display=TEXT)
CONTEXT: Mapping[str, Json] = {
    "userId": TEXT,
    "patientId": FHIR_ID,
    "encounterId": FHIR_ID,
    "selections": _list(TEXT),
    "draftOrders": _open(
        ["resourceType"],
        resourceType={"const": "Bundle"},
        entry=_list(_open(["resource"], resource=RESOURCE)),
    ),
}
ACTION = _closed(
    ["type", "description"],
    type={"enum": ["create", "update", "delete"]},
    description=TEXT,
    resource={"anyOf": [RESOURCE, TEXT]},
    resourceId=TEXT,
)
SUGGESTION = _closed(
    ["label", "uuid", "actions"],
    label=TEXT,
    uuid=UUID,
    actions=_list(ACTION),
    actionSelectionBehavior={"const": "all"},
)
CARD = _closed(
    ["uuid", "summary", "indicator", "source"],
    uuid=UUID,
    summary=TEXT | {"maxLength": 139},
    indicator={"enum": [urgency.indicator for urgency in Urgency]},
    detail=TEXT,
    source=_closed(["label", "topic"], label=TEXT, url=URL, topic=CODING),
    suggestions=_list(SUGGESTION),
    selectionBehavior={"enum": ["at-most-one", "any"]},
    overrideReasons=_list(CODING | {"required": ["code", "system", "display"]}),
    links=_list(_closed(["label", "url", "type"], label=TEXT, url=URL, type={"enum": ["absolute", "smart"]})),
    extension={"type": "object"},
)
OFFER = _closed(
    ["hook", "id", "description"],
    **dict.fromkeys(("hook", "id", "title", "description", "usageRequirements", "version"), TEXT),
    prefetch={"type": "object", "minProperties": 1, "additionalProperties": TEXT},
)
REASON = _open(["code", "system"], code=TEXT, system=TEXT, display=TEXT)
OUTCOME = _open(
    ["card", "outcome", "outcomeTimestamp"],
    card=TEXT,
    outcome={"enum": ["accepted", "overridden"]},
    outcomeTimestamp={"type": "string", "format": "date-time"},
    acceptedSuggestions=_list(_open(["id"], id=TEXT)),
    overrideReason=_open([], reason=REASON, userComment=TEXT) | {"minProperties": 1},
)
SCHEMAS: Json = {
    "Discovery": _closed(["services"], services=_list(OFFER, least=0)),
    "HookCall": _open(
        ["hook", "hookInstance", "context"],
        hook=TEXT,
        hookInstance=UUID,
        fhirServer=URL,
        fhirAuthorization={"type": "object"},
        context={"type": "object"},
        prefetch={"type": "object", "additionalProperties": {"anyOf": [RESOURCE, {"type": "null"}]}},
        extension={"type": "object"},
    ),
    "Cards": _closed(["cards"], cards=_list(CARD, least=0), systemActions={"type": "array", "maxItems": 0}),
    "Feedback": _open(["feedback"], feedback=_list(OUTCOME)),
    "Health": _closed(["status"], status={"enum": ["live", "ready"]}, knowledge=TEXT, warnings=_list(TEXT)),
    "OperationOutcome": _closed(
        ["resourceType", "id", "issue"],
        resourceType={"const": "OperationOutcome"},
        id=TEXT,
        issue=_list(_open(["severity", "code"], severity=TEXT, code=TEXT)),
    ),
}
