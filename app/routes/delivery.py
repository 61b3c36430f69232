"""Which of the cards are sent: silent mode and repeat-alert control; and the count of what became of each."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from app.clients import Caller
from app.hook_request import HookRequest
from app.identity import rule_of
from app.store.database import StoreDownError
from app.store.notes import Fate, Note, Repeat, Shown
from app.store.opening import Ledger
from app.store.repeats import overridden
from hooks.card import Card
from hooks.cards import cards
from hooks.decide import Outcome, decide
from hooks.facts import Dose, MedicationOrder, Orders, Patient, ServiceOrder
from hooks.finding import Finding, Urgency
from hooks.guidelines import DATA_RULE, Profile
from hooks.knowledge import Knowledge

SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What the rules answered, and the cards by what becomes of them.

    ``silent`` are kept back by agreement with the client, ``held`` because a clinician has answered them already.
    ``order_hashes`` holds, for each card of ``sent`` that may be held back next time, the hashes of what it says.
    """

    outcomes: tuple[Outcome, ...]
    sent: tuple[Card, ...] = ()
    silent: tuple[Card, ...] = ()
    held: tuple[Card, ...] = ()
    order_hashes: Mapping[int, tuple[str, ...]]
    store_failed: bool = False


def advise(
    request: HookRequest,
    patient: Patient,
    orders: Orders,
    *,
    profile: Profile,
    knowledge: Knowledge,
    caller: Caller,
) -> Advice:
    """Run the rules of the hook; cards that the client does not want yet are made all the same, to be counted."""
    if not caller.silent_rules:
        outcomes = decide(request.hook, patient, orders, profile, knowledge)
        made = cards(outcomes, patient, profile, knowledge)
        if caller.silent:
            return Advice(outcomes=outcomes, silent=made, order_hashes={})
        return Advice(outcomes=outcomes, sent=made, order_hashes={})
    quiet = {row.code for row in knowledge.rules} if caller.silent else caller.silent_rules
    found: dict[bool, tuple[Card, ...]] = {}
    outcomes = ()
    for is_quiet in (False, True):  # apart, so that a silent rule neither merges with others nor stands in for them
        rows = tuple(row for row in knowledge.rules if (row.code in quiet) is is_quiet)
        some = decide(request.hook, patient, orders, profile, replace(knowledge, rules=rows))
        made = cards(some, patient, profile, knowledge)
        found[is_quiet] = tuple(card for card in made if (card.rule in quiet) is is_quiet)
        outcomes += some
    return Advice(outcomes=outcomes, sent=found[False], silent=found[True], order_hashes={})


def hold_back(
    advice: Advice,
    request: HookRequest,
    orders: Orders,
    caller: Caller,
    ledger: Ledger,
    *,
    key: bytes,
    now: Callable[[], float],
) -> Advice:
    """``advice`` less what a clinician has overridden with a reason, for orders that did not change since.

    Critical cards and cards about data always come. While the store is down every card is sent.
    """
    if not caller.repeat_alerts_days or request.hook == "patient-view":
        return advice
    by_place = {
        place: hashes
        for place, card in enumerate(advice.sent)
        if (hashes := _hashes(card, advice.outcomes, orders, caller=caller, patient_id=request.patient_id, key=key))
    }
    if not by_place:
        return advice
    store_failed = False
    answered: frozenset[str] = frozenset()
    try:
        wanted = {one for hashes in by_place.values() for one in hashes}
        answered = overridden(ledger.database, caller.name, wanted, now())
    except StoreDownError:
        store_failed = True
    held = {place for place, hashes in by_place.items() if answered.issuperset(hashes)}
    kept = [place for place in range(len(advice.sent)) if place not in held]
    return replace(
        advice,
        sent=tuple(advice.sent[place] for place in kept),
        held=tuple(advice.sent[place] for place in sorted(held)),
        order_hashes={new: by_place[old] for new, old in enumerate(kept) if old in by_place},
        store_failed=store_failed,
    )


def note(advice: Advice, uuids: Sequence[str], caller: Caller, ledger: Ledger, *, key: bytes, now: float) -> None:
    """Queue the counts, and the orders that the cards sent (of these ``uuids``) spoke of. Never waits."""
    day = datetime.fromtimestamp(now, UTC).date()
    fates: tuple[tuple[Fate, tuple[Card, ...]], ...] = (
        ("shown", advice.sent),
        ("silent", advice.silent),
        ("held", advice.held),
    )
    notes: list[Note] = [
        Shown(
            client=caller.name,
            rule=card.rule_number,
            profile=card.profile_number,
            indicator=card.urgency.indicator,
            fate=fate,
            day=day,
        )
        for fate, some in fates
        for card in some
    ]
    expires = int(now) + caller.repeat_alerts_days * SECONDS_A_DAY
    for place, uuid in enumerate(uuids):
        if rule_of(uuid, key=key) is not None:
            hashes = advice.order_hashes.get(place, ())
            notes += [Repeat(card=uuid, order_hash=one, expires=expires) for one in hashes]
    ledger.notes.put(notes)


def _hashes(
    card: Card, outcomes: Sequence[Outcome], orders: Orders, *, caller: Caller, patient_id: str, key: bytes
) -> tuple[str, ...]:
    """One keyed hash for each rule on the card and order that it speaks of; none when it must always be shown."""
    if card.urgency is Urgency.CRITICAL or DATA_RULE in card.rules:
        return ()
    by_reference = {order.reference: order for order in orders.in_focus}
    hashes = []
    for code in card.rules:
        said = [outcome for outcome in outcomes if _speaks(outcome, code, card)]
        if not said or any(outcome.order not in by_reference for outcome in said):
            return ()
        for outcome in said:
            urgency = outcome.answer.urgency if isinstance(outcome.answer, Finding) else card.urgency
            about = [
                *(caller.name, caller.tenant, patient_id, card.profile, code, urgency.indicator),
                *_order(by_reference[outcome.order]),
            ]
            hashes.append(hmac.digest(key, b"repeat" + json.dumps(about).encode(), hashlib.sha256).hex())
    return tuple(sorted(set(hashes)))


def _speaks(outcome: Outcome, code: str, card: Card) -> bool:
    """Whether it is what rule ``code`` found, about the order of a drug-choice card or any order of another card."""
    same_order = outcome.rule.group != "drug-choice" or outcome.order == card.order
    return outcome.rule.code == code and same_order and isinstance(outcome.answer, Finding)


def _order(order: MedicationOrder | ServiceOrder) -> Iterator[str]:
    """Drug, dose, route and timing in words; for other orders what they are and when."""
    if isinstance(order, ServiceOrder):
        yield from sorted(f"{one.topic} {one.kind} {one.code}" for one in order.meanings)
        yield f"{order.label} {order.occurrence}"
        return
    yield order.drug.name if order.drug else order.label
    begins = order.starts or order.authored
    lasts = (order.ends.latest - begins.latest).days if order.ends and begins else order.ends
    yield f"{lasts}"
    for dose in order.doses:
        yield from _dose(dose)


def _dose(dose: Dose) -> Iterator[str]:
    known = dose.amount is not None and dose.times_per_day is not None
    lasts = (dose.ends.latest - dose.starts.latest).days if dose.ends and dose.starts else dose.ends
    amount = None if dose.amount is None else dose.amount.normalize()
    times = None if dose.times_per_day is None else dose.times_per_day.normalize()
    yield f"{amount} {dose.unit} {times} {dose.per_kg} {dose.rate} {dose.as_needed} {dose.route} {dose.days} {lasts}"
    yield "" if known else dose.text
