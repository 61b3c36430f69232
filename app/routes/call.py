"""One hook call, one step per line: who, what, which orders, which record, what to say."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from app import audit, fhir_client, hook_request, sources, wire
from app.audit import CallLog
from app.auth import Verify
from app.breaker import Circuits, Turn
from app.clients import Caller
from app.errors import MissingDataError, NotAllowedError, UnidentifiedOrderError, UnknownServiceError
from app.fhir_client import Deadline, Fetch
from app.gather import Got, Reach, check_preconditions, gather, medications, with_medications
from app.hook_request import HookRequest
from app.lanes import Lanes
from app.reading.orders import OrdersRead, read_orders
from app.reading.record import PatientRead, read_patient
from app.routes.delivery import Advice, advise, hold_back, note
from app.settings import Settings
from app.sources import Source
from app.store.opening import Ledger
from hooks.card import Card
from hooks.decide import may_concern
from hooks.facts import Gap, MedicationOrder, Orders
from hooks.guidelines import Profile
from hooks.knowledge import Knowledge
from hooks.services import Service, with_id

SHARE_OF_BUDGET = 0.9
"""The part of a call's time that reading may take; the rest is for the rules and the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the routes work with. ``today`` is the date in a time zone; ``clock`` counts seconds, from anywhere.

    ``now`` is seconds since 1970.
    """

    settings: Settings
    knowledge: Knowledge
    sources: tuple[Source, ...]
    verify: Verify
    fetch: Fetch
    circuits: Circuits
    lanes: Lanes
    today: Callable[[str], date]
    clock: Callable[[], float]
    write: audit.Write
    now: Callable[[], float]
    ledger: Ledger


@dataclass(slots=True, kw_only=True)
class _Watch:
    """Where the time of a call goes, in milliseconds by stage. When it is ``over`` no FHIR server is asked any more."""

    clock: Callable[[], float]
    started: float
    ms: dict[str, float] = field(default_factory=dict)
    over: bool = False
    turn: Turn | None = None
    _last: float = 0.0

    def __post_init__(self) -> None:
        self._last = self.started

    def lap(self, stage: str) -> None:
        now = self.clock()
        self.ms[stage] = round(self.ms.get(stage, 0.0) + (now - self._last) * 1000, 1)
        self._last = now

    def deadline(self, seconds: float) -> Deadline:
        """So many seconds after the start, or the end of the call if that comes first."""
        return Deadline(clock=lambda: math.inf if self.over else self.clock(), at=self.started + seconds)

    def end(self) -> None:
        """The call is over."""
        self.over = True
        if self.turn is not None:
            self.turn.end()


def answer(
    parts: Parts, service_id: str, authorization: str | None, body: Callable[[], bytes], log: CallLog
) -> wire.Json:
    """One hook call, from the HTTP request to the JSON of the answer. ``body`` reads the request body.

    Raises:
        CallError: when it is refused.
    """
    watch = _Watch(clock=parts.clock, started=parts.clock(), ms=log.ms)
    try:
        return _answered(parts, service_id, authorization, body, log=log, watch=watch)
    finally:
        watch.end()
        if watch.turn is not None and watch.turn.refused:
            log.warnings.append("fhir-server-left-alone")


def _answered(
    parts: Parts, service_id: str, authorization: str | None, body: Callable[[], bytes], *, log: CallLog, watch: _Watch
) -> wire.Json:
    services = services_at(service_id)
    caller = caller_of(parts, service_id, authorization, log)
    request = hook_request.parse(body(), service_id, tuple(service.hook for service in services))
    content = _advised(parts, request, caller, log=log, watch=watch)
    return {**content, "systemActions": []} if caller.system_actions_key else content


def _advised(parts: Parts, request: HookRequest, caller: Caller, *, log: CallLog, watch: _Watch) -> wire.Json:
    _note_request(request, log)
    watch.lap("parse")
    if request.silence:
        return _silence(request.silence, log)
    reach = _reach(parts, request, caller, watch)
    orders, medicines = _orders(parts, request, reach)
    log.dropped = orders.dropped
    watch.lap("orders")
    if request.hook != "patient-view" and not orders.orders.in_focus:
        return _silence("nothing-in-focus", log)
    rows = sources.for_caller(parts.sources, caller.prefetch)
    check_preconditions(rows, request, reach)
    profile = parts.knowledge.profiles[caller.profile]
    as_of = parts.today(caller.timezone)
    got, read = _record(parts, request, rows, reach, as_of=as_of, profile=profile)
    _note_record(got, read, log)
    watch.lap("record")
    if read.deceased:
        return _silence("deceased", log)
    if set(got) != {row.key for row in rows}:
        return _silence("not-concerned", log)
    in_hand = _with_reasons(parts, request, orders, medicines, got["conditions"])
    advice = advise(request, read.patient, in_hand, profile=profile, knowledge=parts.knowledge, caller=caller)
    watch.lap("decide")
    if not advice.sent and not advice.silent:
        _check_all_clear(
            request, rows, got, may_matter=_is_unidentified(in_hand) and may_concern(read.patient, profile)
        )
    key = parts.settings.card_secret
    advice = hold_back(advice, request, in_hand, caller, parts.ledger, key=key, now=parts.now)
    _note_advice(advice, log)
    content = _content(parts, request, caller, as_of, advice.sent)
    note(advice, [card["uuid"] for card in content["cards"]], caller, parts.ledger, key=key, now=parts.now())
    watch.lap("wire")
    return content


def services_at(service_id: str) -> tuple[Service, ...]:
    """The services of this id.

    Raises:
        UnknownServiceError: there are none.
    """
    services = with_id(service_id)
    if not services:
        raise UnknownServiceError("There is no service of this id.", diagnostics="GET /cds-services lists them.")
    return services


def caller_of(parts: Parts, service_id: str, authorization: str | None, log: CallLog, *, below: str = "") -> Caller:
    """Who calls this service, or an address ``below`` it, for which a token may name either.

    Raises:
        NotAuthenticatedError, NotAllowedError, UnavailableError: when it may not, or that cannot be told now.
    """
    address = f"{parts.settings.public_url}/cds-services/{service_id}"
    caller = parts.verify(authorization, address + below, address)
    log.client, log.tenant, log.profile = caller.name, caller.tenant, caller.profile
    if caller.services and service_id not in caller.services:
        raise NotAllowedError("This client is not served here.")
    return caller


def _reach(parts: Parts, request: HookRequest, caller: Caller, watch: _Watch) -> Reach | None:
    """How this call may ask a FHIR server; None when it may not."""
    access = fhir_client.allowed(request.fhir, caller)
    if access is None:
        return None
    budget = caller.budget_ms / 1000 * SHARE_OF_BUDGET
    deadline = watch.deadline(budget if access.seconds is None else min(budget, access.seconds))
    watch.turn = parts.circuits.turn(caller.name, access.server, deadline, parts.fetch)
    return Reach(
        access=access,
        fetch=watch.turn.fetch,
        pool=parts.lanes.to(access.server),
        deadline=deadline,
        max_pages=parts.settings.max_pages,
    )


def _orders(parts: Parts, request: HookRequest, reach: Reach | None) -> tuple[OrdersRead, Mapping[str, wire.Json]]:
    """The drafts, and the Medications that had to be read to know what those in focus are."""
    orders = read_orders(request, parts.knowledge)
    medicines = medications(orders.unresolved, reach) if orders.unresolved else {}
    return (read_orders(request, parts.knowledge, medicines) if medicines else orders), medicines


def _record(
    parts: Parts, request: HookRequest, rows: tuple[Source, ...], reach: Reach | None, *, as_of: date, profile: Profile
) -> tuple[dict[str, Got], PatientRead]:
    """What was got, and the patient it tells of.

    On patient-view the rest is asked for only when cancer-associated VTE is possible, or when that cannot be told.
    """
    on_opening = request.hook == "patient-view"
    got = gather([row for row in rows if row.first_wave or not on_opening], request, reach)
    if on_opening:
        read = read_patient(got, request.patient_id, as_of, parts.knowledge)
        if read.deceased or not (_failed(got) or may_concern(read.patient, profile)):
            return got, read
        rest = gather([row for row in rows if not row.first_wave], request, reach)
        rest["medications"] = with_medications(rest["medications"], reach)
        return got | rest, read_patient(rest, request.patient_id, as_of, parts.knowledge, read)
    got["medications"] = with_medications(got["medications"], reach)
    return got, read_patient(got, request.patient_id, as_of, parts.knowledge)


def _with_reasons(
    parts: Parts, request: HookRequest, orders: OrdersRead, medicines: Mapping[str, wire.Json], conditions: Got
) -> Orders:
    """The drafts, with the Conditions of the record that they give as their reasons."""
    if orders.complete:
        return orders.orders
    return read_orders(request, parts.knowledge, medicines, conditions.resources, conditions.urns).orders


def _failed(got: Mapping[str, Got]) -> list[Gap]:
    return [one.gap for one in got.values() if one.gap is not None and one.gap.failed]


def _is_unidentified(orders: Orders) -> bool:
    return any(isinstance(order, MedicationOrder) and order.unresolved for order in orders.in_focus)


def _check_all_clear(
    request: HookRequest, rows: tuple[Source, ...], got: Mapping[str, Got], *, may_matter: bool
) -> None:
    """Refuse to answer without cards while a required record, or an order that may matter, could not be read.

    No cards would look like "all clear".
    """
    required = {row.key for row in rows if request.hook in row.required_by}
    lacking = [gap for gap in _failed(got) if gap.key in required]
    if lacking:
        raise MissingDataError(tuple(gap.key for gap in lacking), tuple(gap.reason for gap in lacking))
    if may_matter:
        raise UnidentifiedOrderError


def _content(parts: Parts, request: HookRequest, caller: Caller, as_of: date, shown: tuple[Card, ...]) -> wire.Json:
    resources = [entry["resource"] for entry in request.draft_orders]
    return wire.response(
        shown,
        public_url=parts.settings.public_url,
        issuer=caller.issuer,
        service_id=request.service_id,
        hook_instance=request.hook_instance,
        patient_id=request.patient_id,
        as_of=as_of,
        key=parts.settings.card_secret,
        encounter_id=request.encounter_id,
        user_id=request.user_id,
        drafts={f"{resource.get('resourceType')}/{resource.get('id')}": resource for resource in resources},
        replace_form=caller.replace,
        delete_form=caller.delete,
        selection_behavior=caller.selection_behavior,
        action_selection_behavior=caller.action_selection_behavior,
    )


def _silence(reason: str, log: CallLog) -> wire.Json:
    log.silence = reason
    return {"cards": []}


def _note_request(request: HookRequest, log: CallLog) -> None:
    log.hook = request.hook
    log.warnings = list(request.warnings)
    if "hook-instance-not-uuid" not in request.warnings:
        log.hook_instance = request.hook_instance


def _note_record(got: Mapping[str, Got], read: PatientRead, log: CallLog) -> None:
    log.origins = {key: one.origin for key, one in got.items()}
    log.gaps = [key for key, one in got.items() if one.gap is not None]
    log.dropped += read.dropped


def _note_advice(advice: Advice, log: CallLog) -> None:
    log.broken_rules = [f"{outcome.rule.code}:{outcome.error}" for outcome in advice.outcomes if outcome.error]
    log.rules, log.silent_rules, log.held_rules = (
        [f"{rule}:{card.urgency.indicator}" for card in some for rule in card.rules]
        for some in (advice.sent, advice.silent, advice.held)
    )
    if advice.store_failed:
        log.warnings.append("store-did-not-answer")
