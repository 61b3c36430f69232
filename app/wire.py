"""Cards, discovery and errors as JSON. The only module that knows the field names of CDS Hooks."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol
from urllib.parse import quote, urlsplit, urlunsplit

import orjson
from fhir.resources.R4B.operationoutcome import OperationOutcome

from app import order_resource
from app.clients import DeleteForm, ReplaceForm, SelectionBehavior
from app.identity import Identity, uuid_of
from hooks.card import Card
from hooks.clinic.wording import shorten
from hooks.guidelines import SUMMARY_UNITS
from hooks.proposal import Proposal

Json = dict[str, Any]

_REFERENCE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}")

USAGE = (
    "FHIR R4. What prefetch leaves out is read from the FHIR server of the request, if the client allows it. "
    "Documentation: {public_url}/"
)


class ServiceRow(Protocol):
    """What discovery tells of one service."""

    @property
    def id(self) -> str:
        """Last segment of its address."""

    @property
    def hook(self) -> str:
        """The hook that it answers."""

    @property
    def title(self) -> str:
        """Its name for people."""

    @property
    def description(self) -> str:
        """What it does, in plain text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    public_url: str
    issuer: str
    service_id: str
    hook_instance: str
    patient_id: str
    as_of: date
    key: bytes
    encounter_id: str | None
    user_id: str | None
    drafts: Mapping[str, Mapping[str, Any]]
    replace_form: ReplaceForm
    delete_form: DeleteForm
    selection_behavior: SelectionBehavior
    action_selection_behavior: bool


def response(
    cards: Sequence[Card],
    *,
    public_url: str,
    issuer: str,
    service_id: str,
    hook_instance: str,
    patient_id: str,
    as_of: date,
    key: bytes,
    encounter_id: str | None = None,
    user_id: str | None = None,
    drafts: Mapping[str, Mapping[str, Any]] | None = None,
    replace_form: ReplaceForm = "create-delete",
    delete_form: DeleteForm = "resourceId",
    selection_behavior: SelectionBehavior = "at-most-one",
    action_selection_behavior: bool = False,
) -> Json:
    """The answer to a hook call, cards in the order given.

    ``drafts`` holds the resources of ``context.draftOrders`` by reference ("MedicationRequest/d1");
    nothing else is ever updated or deleted. ``as_of`` is the day at the client, ``key`` the secret of
    the card uuids. A summary that is too long is shortened (``summary_fits`` tells, for the log).
    """
    call = _Call(
        public_url=_ascii(public_url).rstrip("/"),
        issuer=issuer,
        service_id=service_id,
        hook_instance=hook_instance,
        patient_id=patient_id,
        as_of=as_of,
        key=key,
        encounter_id=encounter_id,
        user_id=user_id,
        drafts=drafts or {},
        replace_form=replace_form,
        delete_form=delete_form,
        selection_behavior=selection_behavior,
        action_selection_behavior=action_selection_behavior,
    )
    return {"cards": [_card(card, place, call) for place, card in enumerate(cards)]}


def discovery(
    services: Iterable[ServiceRow],
    *,
    public_url: str,
    prefetch: Mapping[str, Mapping[str, str]],
    version: str = "2.0.1",
) -> Json:
    """The answer to discovery. ``prefetch`` holds the query templates by service id, in the order to send."""
    usage = USAGE.format(public_url=_ascii(public_url).rstrip("/"))
    return {
        "services": [
            _filled(
                {
                    "hook": service.hook,
                    "title": service.title,
                    "description": service.description,
                    "id": service.id,
                    "usageRequirements": usage,
                    "prefetch": dict(prefetch.get(service.id, {})),
                    "version": version,
                }
            )
            for service in services
        ]
    }


def operation_outcome(
    *,
    code: str,
    text: str,
    diagnostics: str = "",
    expression: Sequence[str] = (),
    severity: str = "error",
    correlation_id: str = "",
) -> Json:
    """One failure as an OperationOutcome, validated; its ``id`` is the correlation id of the log.

    ``code`` is a FHIR issue type ("required"), ``expression`` names elements of the request.
    """
    issue = {
        "severity": severity,
        "code": code,
        "details": {"text": text},
        "diagnostics": diagnostics,
        "expression": list(expression),
    }
    outcome = _filled({"resourceType": "OperationOutcome", "id": correlation_id, "issue": [_filled(issue)]})
    OperationOutcome.model_validate(outcome)
    return outcome


def summary_fits(summary: str) -> bool:
    """Whether a summary has fewer than 140 UTF-16 units, the strictest reading of the specification."""
    return len(summary.encode("utf-16-le", "surrogatepass")) // 2 <= SUMMARY_UNITS


def warm() -> None:
    """Build the FHIR models, so that the first call does not pay for it."""
    order_resource.warm()
    operation_outcome(code="informational", text="warm", severity="information")


def _card(card: Card, place: int, call: _Call) -> Json:
    about = (
        call.issuer,
        call.service_id,
        call.hook_instance,
        card.order,
        str(place),
        hashlib.sha256(orjson.dumps(card, default=str)).hexdigest(),
    )
    suggestions = list(_suggestions(card, about, call))
    rule_page = f"{call.public_url}/rules/{quote(card.rule, safe='')}"
    return _filled(
        {
            "uuid": uuid_of(_identity(card), key=call.key, about=about),
            "summary": card.summary if summary_fits(card.summary) else shorten(card.summary),
            "detail": card.detail,
            "indicator": card.urgency.indicator,
            "source": {
                "label": card.source_label,
                "url": _ascii(card.source_url) or rule_page,
                "topic": {"code": card.rule, "system": f"{call.public_url}/rules", "display": card.rule_display},
            },
            "suggestions": suggestions,
            "selectionBehavior": _selection_behavior(len(suggestions), call),
            "overrideReasons": [
                {"code": reason.code, "system": f"{call.public_url}/override-reasons", "display": reason.display}
                for reason in card.override_reasons
            ],
            "links": [{"label": f"About this rule: {card.rule_display}", "url": rule_page, "type": "absolute"}],
            "extension": {"cat-cds": {"rules": list(card.rules), "profile": card.profile, "knowledge": card.knowledge}},
        }
    )


def _selection_behavior(suggestions: int, call: _Call) -> str:
    """Suggestions of one card are alternatives: whoever could take two would order two anticoagulants."""
    if not suggestions:
        return ""
    return call.selection_behavior if suggestions == 1 else "at-most-one"


def _identity(card: Card) -> Identity:
    return Identity(rule_number=card.rule_number, profile_number=card.profile_number, kind="card")


def _suggestions(card: Card, about: tuple[str, ...], call: _Call) -> Iterator[Json]:
    for place, proposal in enumerate(card.proposals):
        actions = _actions(card, proposal, (*about, str(place)), call)
        if not actions:
            continue
        identity = Identity(
            rule_number=card.rule_number, profile_number=card.profile_number, kind="suggestion", place=place
        )
        yield {
            "label": proposal.label,
            "uuid": uuid_of(identity, key=call.key, about=about),
            **({"actionSelectionBehavior": "all"} if call.action_selection_behavior else {}),
            "actions": actions,
        }


def _actions(card: Card, proposal: Proposal, about: tuple[str, ...], call: _Call) -> list[Json]:
    """The actions of a proposal; none when the draft to replace may not be touched."""
    draft: Mapping[str, Any] = {}
    if proposal.replaces is not None:
        draft = call.drafts.get(proposal.replaces, {})
        named = f"{draft.get('resourceType')}/{draft['id']}" if draft.get("id") else ""
        if draft.get("status") != "draft" or proposal.replaces != named or not _REFERENCE.fullmatch(named):
            return []
    creates = _creates(card, proposal, about, call)
    if not draft:
        return creates
    if call.replace_form == "create-delete" or not creates:
        return [*creates, _delete(proposal, call)]
    # Such a client may take the create and not the delete: then the patient would get both. So update or nothing.
    updated = order_resource.updated(draft, proposal.orders[0])
    if updated is None:
        return []
    words = f"Change the draft order to {order_resource.in_words(proposal.orders[0])}"
    return [{"type": "update", "description": words, "resource": updated}, *creates[1:]]


def _creates(card: Card, proposal: Proposal, about: tuple[str, ...], call: _Call) -> list[Json]:
    actions = []
    for place, order in enumerate(proposal.orders):
        identity = Identity(rule_number=card.rule_number, profile_number=card.profile_number, kind="order", place=place)
        resource = order_resource.created(
            order,
            order_id=uuid_of(identity, key=call.key, about=about),
            patient_id=call.patient_id,
            as_of=call.as_of,
            encounter_id=call.encounter_id,
            user_id=call.user_id,
        )
        words = f"Order {order_resource.in_words(order)}"
        actions.append({"type": "create", "description": words, "resource": resource})
    return actions


def _delete(proposal: Proposal, call: _Call) -> Json:
    named = f": {proposal.replaces_label}" if proposal.replaces_label.strip() else ""
    member = "resourceId" if call.delete_form == "resourceId" else "resource"
    return {"type": "delete", "description": f"Delete the draft order{named}", member: proposal.replaces}


def _filled(members: Json) -> Json:
    """Without the members that hold nothing: CDS Hooks forbids null and empty ones."""
    return {name: value for name, value in members.items() if value not in (None, "", [], {})}


def _ascii(url: str) -> str:
    """``url`` in ASCII: host in IDNA, the rest percent-encoded, what is encoded already left alone."""
    if url.isascii() and " " not in url:
        return url
    parts = urlsplit(url)
    host = parts.netloc.encode("idna").decode("ascii")
    path, query, fragment = (quote(part, safe="/%:@!$&'()*+,;=?~") for part in parts[2:])
    return urlunsplit((parts.scheme, host, path, query, fragment))
