"""The JSON body of a call -> HookRequest. Tolerant as the specification asks, and refusing what it forbids.

https://cds-hooks.hl7.org/ballots/2020Sep/#calling-a-cds-service, section HTTP Request.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

import orjson

from app.errors import BadRequestError, MissingElementError
from app.request_body import Prefetch, read_call

Silence = Literal["", "user-is-patient", "no-orders"]

_FHIR_ID = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9\-.]{1,64}")  # not the path steps "." and ".."
_TOKEN = re.compile(r"[\x21-\x7e]+")
_OTHER_FHIR_VERSIONS = frozenset({"MedicationOrder", "ProcedureRequest", "DiagnosticOrder", "DeviceUseRequest"})
_LONGEST_INSTANCE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirAccess:
    """The FHIR server that the caller names. ``scopes`` is None when no token came with it.

    ``usable`` is False when an authorization came that cannot be used: then nothing is asked there.
    ``seconds`` is the life of the token, counted from the call, if that was told. ``internal`` says that the server
    may be on this machine or in a private network; only the agreement with the caller can set it.
    """

    server: str
    token: str = field(default="", repr=False)
    scopes: tuple[str, ...] | None = None
    usable: bool = True
    seconds: float | None = None
    internal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRequest:
    """One call, checked. Ids are bare FHIR ids.

    ``draft_orders`` are the entries of the draft Bundle that hold a resource, as they came;
    ``in_focus`` the positions in it of those that the call is about (the selected ones; on signing all).
    ``silence`` is set when the only right answer is no cards, and says why.
    """

    service_id: str
    hook: str
    hook_instance: str
    patient_id: str
    user_id: str = ""
    encounter_id: str | None = None
    draft_orders: tuple[dict[str, Any], ...] = ()
    selections: tuple[str, ...] = ()
    in_focus: tuple[int, ...] = ()
    prefetch: Mapping[str, Any] = field(default_factory=dict)
    fhir: FhirAccess | None = None
    silence: Silence = ""
    warnings: tuple[str, ...] = ()


def parse(body: bytes, service_id: str, hooks: tuple[str, ...]) -> HookRequest:
    """The call in ``body`` to the service, which answers to ``hooks``.

    Raises:
        BadRequestError: with the element that is missing or wrong.
    """
    content = read_call(body)
    warnings: list[str] = []
    hook = _text(content, "hook")
    if hook not in hooks:
        raise BadRequestError(f"This service answers to {' or '.join(hooks)}.", expression=("hook",))
    instance = _hook_instance(content, warnings)
    context = _object(content, "context")
    if context is None:
        raise MissingElementError("context is required.", expression=("context",))
    _check_depth(context)
    patient_id = _id(context, "patientId", "Patient")
    if patient_id is None:
        raise MissingElementError("context.patientId is required.", expression=("context.patientId",))
    user_id = _text(context, "userId", "context.userId")
    drafts, selections, in_focus, silence = _orders(hook, context)
    if user_id.removesuffix("/").rpartition("/")[0].rpartition("/")[2] in ("Patient", "RelatedPerson"):
        silence = "user-is-patient"
    return HookRequest(
        service_id=service_id,
        hook=hook,
        hook_instance=instance,
        patient_id=patient_id,
        user_id=user_id,
        encounter_id=_id(context, "encounterId", "Encounter"),
        draft_orders=drafts,
        selections=selections,
        in_focus=in_focus,
        prefetch=_object(content, "prefetch") or {},
        fhir=_fhir_access(content, patient_id, warnings),
        silence=silence,
        warnings=tuple(warnings),
    )


def _check_depth(context: Mapping[str, Any]) -> None:
    """Drafts may go back in the answer, so what cannot be written is refused; the rest of a body only is read."""
    try:
        orjson.dumps(context)
    except orjson.JSONEncodeError:
        raise BadRequestError("The context is too deeply nested.", expression=("context",)) from None


def _text(holder: Mapping[str, Any], name: str, path: str = "") -> str:
    value = holder.get(name)
    where = path or name
    if value is None or value == "":
        raise MissingElementError(f"{where} is required.", expression=(where,))
    if not isinstance(value, str):
        raise BadRequestError(f"{where} must be a string.", expression=(where,))
    return value


def _object(holder: Mapping[str, Any], name: str, path: str = "") -> Mapping[str, Any] | None:
    value = holder.get(name)
    if value is None or isinstance(value, dict | Prefetch):
        return value
    raise BadRequestError(f"{path or name} must be an object.", expression=(path or name,))


def _id(context: Mapping[str, Any], name: str, resource_type: str) -> str | None:
    value = context.get(name)
    if value is None or value == "":
        return None
    bare = value.removeprefix(f"{resource_type}/") if isinstance(value, str) else ""
    if not _FHIR_ID.fullmatch(bare):
        raise BadRequestError(f"context.{name} must be a FHIR id.", expression=(f"context.{name}",))
    return bare


def _hook_instance(content: Mapping[str, Any], warnings: list[str]) -> str:
    given = _text(content, "hookInstance")
    if len(given) > _LONGEST_INSTANCE:
        raise BadRequestError("hookInstance must be a UUID.", expression=("hookInstance",))
    try:
        return str(UUID(given))
    except ValueError:
        warnings.append("hook-instance-not-uuid")
        return given


def _orders(
    hook: str, context: Mapping[str, Any]
) -> tuple[tuple[dict[str, Any], ...], tuple[str, ...], tuple[int, ...], Silence]:
    """Draft entries, selections, positions in focus, and why to stay silent."""
    if hook not in ("order-select", "order-sign"):
        return (), (), (), ""
    bundle = _object(context, "draftOrders", "context.draftOrders")
    chosen = context.get("selections") if hook == "order-select" else None
    if hook == "order-select" and bundle is None and chosen is None:
        return (), (), (), "no-orders"
    if bundle is None:
        raise MissingElementError("context.draftOrders is required.", expression=("context.draftOrders",))
    drafts = _draft_entries(bundle)
    if hook == "order-sign":
        return drafts, (), tuple(range(len(drafts))), ""
    if chosen is None:
        raise MissingElementError("context.selections is required.", expression=("context.selections",))
    if not isinstance(chosen, list):
        raise BadRequestError("context.selections must be an array.", expression=("context.selections",))
    selections = tuple(item for item in chosen if isinstance(item, str) and item)
    in_focus = sorted({at for selection in selections for at in _selected(selection, drafts)})
    if not in_focus:
        raise BadRequestError("No selection is an entry of context.draftOrders.", expression=("context.selections",))
    return drafts, selections, tuple(in_focus), ""


def _draft_entries(bundle: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    entries = bundle.get("entry")
    if bundle.get("resourceType", "Bundle") != "Bundle" or not isinstance(entries, list | None):
        raise BadRequestError("context.draftOrders must be a FHIR Bundle.", expression=("context.draftOrders",))
    drafts = tuple(e for e in entries or () if isinstance(e, dict) and isinstance(e.get("resource"), dict))
    for at, entry in enumerate(drafts):
        kind = entry["resource"].get("resourceType")
        if isinstance(kind, str) and kind in _OTHER_FHIR_VERSIONS:
            raise BadRequestError(
                f"{kind} is an order of an older FHIR version; this service reads FHIR R4.",
                expression=(f"context.draftOrders.entry[{at}].resource",),
            )
    return drafts


def _selected(selection: str, drafts: tuple[dict[str, Any], ...]) -> tuple[int, ...]:
    """The positions that a selection means: ``Type/id``, else a fullUrl (or its end), else an id that is unique."""
    resources = [entry["resource"] for entry in drafts]
    named = tuple(at for at, r in enumerate(resources) if f"{r.get('resourceType')}/{r.get('id')}" == selection)
    if named:
        return named
    urls = [str(entry.get("fullUrl") or "") for entry in drafts]
    linked = tuple(at for at, url in enumerate(urls) if url == selection or url.endswith(f"/{selection}"))
    if linked and "/" in selection:
        return linked
    bare = tuple(at for at, r in enumerate(resources) if r.get("id") == selection)
    return bare if len(bare) == 1 else linked if len(linked) == 1 else ()


def _fhir_access(content: Mapping[str, Any], patient_id: str, warnings: list[str]) -> FhirAccess | None:
    server = content.get("fhirServer")
    if not isinstance(server, str | None):
        raise BadRequestError("fhirServer must be a string.", expression=("fhirServer",))
    authorization = content.get("fhirAuthorization")
    if authorization is None:
        return FhirAccess(server=server.rstrip("/")) if server else None
    if not server:
        raise MissingElementError("fhirServer is required with fhirAuthorization.", expression=("fhirServer",))
    server = server.rstrip("/")
    if not isinstance(authorization, dict):
        warnings.append("fhir-authorization-unusable")
        return FhirAccess(server=server, usable=False)
    patient = authorization.get("patient")
    if patient and str(patient).removeprefix("Patient/") != patient_id:
        raise BadRequestError(
            "fhirAuthorization.patient is not the patient in context.", expression=("fhirAuthorization.patient",)
        )
    token, kind, scope, subject = (
        str(authorization.get(name) or "") for name in ("access_token", "token_type", "scope", "subject")
    )
    if not (_TOKEN.fullmatch(token) and kind.lower() == "bearer" and scope and subject):
        warnings.append("fhir-authorization-unusable")
        return FhirAccess(server=server, usable=False)
    seconds = authorization.get("expires_in")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        seconds = None  # some clients leave it out, or send a text: the call is short anyway
    elif seconds <= 0:
        warnings.append("fhir-token-expired")
    return FhirAccess(
        server=server, token=token, scopes=tuple(scope.split()), usable=seconds is None or seconds > 0, seconds=seconds
    )
