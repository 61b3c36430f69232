"""The service described for machines (OpenAPI 3.1): addresses, bodies, answers, who may ask."""

from collections.abc import Mapping
from importlib.metadata import version

from app.openapi_schemas import CONTEXT, SCHEMAS, Json, ref
from hooks.services import SERVICES, Service

BASE_CONTEXT: tuple[str, ...] = ("userId", "patientId")
ORDERS: Mapping[str, tuple[str, ...]] = {
    "patient-view": (),
    "order-select": ("draftOrders", "selections"),
    "order-sign": ("draftOrders",),
}
"""What the context of a hook holds beside user, patient and encounter."""

REFUSALS: Mapping[str, str] = {
    "400": "The body, or an element of it, is not what CDS Hooks asks for.",
    "401": "The caller did not prove who it is. The words are the same whatever was wrong.",
    "403": "This client may not use this service.",
    "404": "Nothing is served at this address.",
    "405": "This method is not served here.",
    "412": "Required data are neither in prefetch nor to be had from an allowed FHIR server.",
    "413": "The body is too long.",
    "415": "The body is not declared as JSON in UTF-8.",
    "500": "The service failed; the id of the outcome leads to its log.",
    "503": "The service cannot answer now; Retry-After says when to try again.",
}
OF_EVERY_ADDRESS = ("405", "500")
OF_A_POST = ("400", "401", "403", "404", "413", "415", "503")


def document(public_url: str, *, demo: bool) -> Json:
    """The description of the service at ``public_url``. In a demo nobody has to prove who calls."""
    client: list[Json] = [{}] if demo else [{"client": []}]
    staff: list[Json] = [{}, {"staff": []}, {"staffPassword": []}] if demo else [{"staff": []}, {"staffPassword": []}]
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
        "info": {
            "title": "cat-cds",
            "summary": "CDS Hooks for cancer-associated thrombosis",
            "description": "Discovery, hook calls and feedback follow CDS Hooks (https://cds-hooks.hl7.org). FHIR R4.",
            "version": version("cat-cds"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        "tags": [{"name": "hooks"}, {"name": "pages"}, {"name": "operation"}],
        "paths": {
            "/cds-services": {"get": _discovery()},
            **{f"/cds-services/{one.id}": {"post": _hook_call(one, client)} for one in SERVICES},
            "/cds-services/{service}/feedback": {"parameters": [_service_id()], "post": _feedback(client)},
            **_pages(staff),
            **_operation(staff),
        },
        "components": {
            "schemas": SCHEMAS,
            "responses": {status: _refusal(words) for status, words in REFUSALS.items()},
            "securitySchemes": {
                "client": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "As CDS Hooks has it: aud is the address called, jti is used once.",
                },
                "staff": {"type": "http", "scheme": "bearer", "description": "The staff token."},
                "staffPassword": {"type": "http", "scheme": "basic", "description": "The staff token as password."},
            },
        },
    }


def _discovery() -> Json:
    return {
        "operationId": "discovery",
        "tags": ["hooks"],
        "summary": "The services, their hooks and their prefetch templates",
        "description": "Open. A client that sends its token is shown its own templates.",
        "security": [{}, {"client": []}],
        "responses": _answers("What is offered.", "Discovery"),
    }


def _hook_call(service: Service, security: list[Json]) -> Json:
    return {
        "operationId": service.id,
        "tags": ["hooks"],
        "summary": service.title,
        "description": service.description,
        "security": security,
        "requestBody": _body({"allOf": [ref("HookCall"), _of_hook(service.hook)]}),
        "responses": _answers("The cards; an empty list when there is nothing to say.", "Cards", *OF_A_POST, "412"),
    }


def _of_hook(hook: str) -> Json:
    """What ``hook`` and ``context`` are in a call of this hook."""
    names = (*BASE_CONTEXT, "encounterId", *ORDERS[hook])
    context = {
        "type": "object",
        "required": [*BASE_CONTEXT, *ORDERS[hook]],
        "properties": {name: CONTEXT[name] for name in names},
    }
    return {"type": "object", "properties": {"hook": {"const": hook}, "context": context}}


def _feedback(security: list[Json]) -> Json:
    return {
        "operationId": "feedback",
        "tags": ["hooks"],
        "summary": "What a clinician did with cards",
        "description": "Answered once it is stored. One wrong entry refuses them all.",
        "security": security,
        "requestBody": _body(ref("Feedback")),
        "responses": {"200": {"description": "Stored."}, **_refusals(*OF_A_POST)},
    }


def _pages(staff: list[Json]) -> Json:
    no_rule = _refusal("There is no rule of this code: a page for browsers, an outcome for machines.")
    no_rule["content"]["text/html"] = {"schema": {"type": "string"}}
    rule = _page("rule", "One rule: trigger, thresholds, evidence")
    rule["responses"]["404"] = no_rule
    code = {"name": "code", "in": "path", "required": True, "schema": {"type": "string"}, "example": "doac-in-cancer"}
    queries = [
        {"name": "client", "in": "query", "schema": {"type": "string"}, "description": "one client's numbers only"},
        {"name": "since", "in": "query", "schema": {"type": "string", "format": "date"}, "description": "a day, UTC"},
    ]
    return {
        "/": {"get": _page("front", "What this service is")},
        "/rules": {"get": _page("rules", "All rules")},
        "/rules/{code}": {"parameters": [code], "get": rule},
        "/override-reasons": {"get": _page("overrideReasons", "The reasons for not following a card")},
        "/feedback": {
            "get": _page("numbers", "What was shown and what became of it", "400", "401", "404", "503")
            | {"parameters": queries, "security": staff}
        },
    }


def _operation(staff: list[Json]) -> Json:
    metrics = {"description": "Counters for Prometheus.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    schema = {"description": "This document.", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {
        "/health/live": {"get": _told("live", "Whether the process answers", "Health")},
        "/health/ready": {"get": _told("ready", "The knowledge that is loaded, and warnings", "Health")},
        "/metrics": {
            "get": {
                "operationId": "metrics",
                "tags": ["operation"],
                "summary": "Counters of the worker that answers",
                "security": staff,
                "responses": {"200": metrics, **_refusals("401", "404")},
            }
        },
        "/openapi.json": {
            "get": {
                "operationId": "openapi",
                "tags": ["operation"],
                "summary": "This description",
                "security": [{}],
                "responses": {"200": schema, **_refusals()},
            }
        },
    }


def _page(name: str, summary: str, *statuses: str) -> Json:
    html = {"description": "A page.", "content": {"text/html": {"schema": {"type": "string"}}}}
    return {
        "operationId": name,
        "tags": ["pages"],
        "summary": summary,
        "security": [{}],
        "responses": {"200": html, **_refusals(*statuses)},
    }


def _told(name: str, summary: str, schema: str) -> Json:
    return {
        "operationId": name,
        "tags": ["operation"],
        "summary": summary,
        "security": [{}],
        "responses": _answers("How it is.", schema),
    }


def _answers(words: str, schema: str, *statuses: str) -> Json:
    return {"200": {"description": words, **_json(ref(schema))}, **_refusals(*statuses)}


def _refusals(*statuses: str) -> Json:
    return {one: {"$ref": f"#/components/responses/{one}"} for one in sorted({*OF_EVERY_ADDRESS, *statuses})}


def _refusal(words: str) -> Json:
    return {"description": words, "content": {"application/fhir+json": {"schema": ref("OperationOutcome")}}}


def _service_id() -> Json:
    ids = [service.id for service in SERVICES]
    return {"name": "service", "in": "path", "required": True, "schema": {"type": "string", "enum": ids}}


def _body(schema: Json) -> Json:
    return {"required": True, **_json(schema)}


def _json(schema: Json) -> Json:
    return {"content": {"application/json": {"schema": schema}}}
