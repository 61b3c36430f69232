"""Checks of single JSON elements that the CDS Hooks validator is made of. Each yields faults: path, colon, words."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

ISSUE_SEVERITIES = ("fatal", "error", "warning", "information")
# fmt: off
ISSUE_TYPES = frozenset((
    "invalid", "structure", "required", "value", "invariant", "security", "login", "unknown", "expired", "forbidden",
    "suppressed", "processing", "not-supported", "duplicate", "multiple-matches", "not-found", "deleted", "too-long",
    "code-invalid", "extension", "too-costly", "business-rule", "conflict", "transient", "lock-error", "no-store",
    "exception", "timeout", "incomplete", "throttled", "informational",
))
# fmt: on

Faults = Iterator[str]


def members(
    holder: Mapping[str, Any], path: str, *, required: Mapping[str, type], optional: Mapping[str, type]
) -> Faults:
    for name in required.keys() - holder.keys():
        yield f"{path}.{name}: missing"
    for name, value in holder.items():
        kind = {**optional, **required}.get(name)
        if kind is None:
            yield f"{path}.{name}: unknown member"
        elif not isinstance(value, kind):
            yield f"{path}.{name}: not {kind.__name__}"


def nothing_empty(value: object, path: str) -> Faults:
    if value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip()):
        yield f"{path}: null or empty"
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from nothing_empty(member, f"{path}.{name}")
    elif isinstance(value, list):
        for at, member in enumerate(value):
            yield from nothing_empty(member, f"{path}[{at}]")


def fhir(resource: Mapping[str, Any], path: str) -> Faults:
    try:
        get_fhir_model_class(str(resource.get("resourceType"))).model_validate(resource)
    except ValidationError as refused:
        for error in refused.errors():
            yield f"{path}.{'.'.join(map(str, error['loc']))}: {error['msg']}"
    except ValueError:
        yield f"{path}.resourceType: unknown"


def bare_uuid(value: object, path: str) -> Faults:
    if not UUID.fullmatch(str(value)):
        yield f"{path}: no bare lower-case uuid"


def twice(values: list[Any], what: str) -> Faults:
    present = [value for value in values if value is not None]
    for value in sorted({value for value in present if present.count(value) > 1}, key=str):
        yield f"$: {what} {value} twice"


def items(holder: Mapping[str, Any], name: str) -> list[Any]:
    value = holder.get(name)
    return value if isinstance(value, list) else []


def is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def coding(value: object, path: str, *, display: bool) -> Faults:
    if not isinstance(value, dict):
        yield f"{path}: not an object"
        return
    required = {"code": str, "system": str} | ({"display": str} if display else {})
    yield from members(value, path, required=required, optional={"display": str})
    if not re.fullmatch(r"\S+", str(value.get("code", ""))):
        yield f"{path}.code: spaces"
    if not re.match(r"(?:https?://|urn:)\S+$", str(value.get("system", ""))):
        yield f"{path}.system: not a URI"


def web_address(url: object, path: str, patient_id: str | None) -> Faults:
    text = str(url)
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or not re.fullmatch(r"[\x21-\x7e]+", text):
        yield f"{path}: not an absolute http(s) URL in ASCII"  # L-2
    if patient_id and patient_id in re.split(r"[/?&=#]", text.removeprefix(f"{parts.scheme}://{parts.netloc}")):
        yield f"{path}: names the patient"  # L-7
