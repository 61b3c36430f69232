"""Draft orders of a call -> hooks.facts.Orders: what is in focus, and what else is under the pen."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.hook_request import HookRequest
from app.reading.elements import Resource
from app.reading.lookup import Books, Index, Lookup
from app.reading.medications import order_of, read_medicine
from app.reading.ownership import belongs
from app.reading.procedures import ADVISED_ON, TOPIC, read_service
from hooks.facts import MedicationOrder, Orders, ServiceOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersRead:
    """The drafts of a call.

    ``unresolved`` are references of Medications in focus that stand outside the request, to be read once;
    ``dropped`` counts drafts that belonged to another patient. ``complete`` tells that no order refers to
    something that was not at hand, so that reading again with more at hand would give the same.
    """

    orders: Orders
    unresolved: tuple[str, ...] = ()
    dropped: int = 0
    complete: bool = True


def read_orders(
    request: HookRequest,
    knowledge: Books,
    medications: Mapping[str, dict[str, Any]] | None = None,
    conditions: Iterable[Resource] = (),
    urns: Mapping[str, Resource] | None = None,
) -> OrdersRead:
    """The drafts of a call.

    In focus are those of ``request.in_focus`` that are an anticoagulant, a thrombolytic, a filter, stocking,
    thrombolysis or bed-rest order, or a medicine that could not be identified. ``medications`` are Medications
    read from the FHIR server, by the reference in ``unresolved``; ``conditions`` those of the record,
    which a ``reasonReference`` of a draft may point to, also by the URN in ``urns``.
    """
    lookup = Lookup(books=knowledge)
    index = _index(request, medications or {}, conditions, urns or {})
    focus: list[MedicationOrder | ServiceOrder] = []
    others: list[MedicationOrder | ServiceOrder] = []
    unresolved: dict[str, None] = {}
    chosen, dropped = frozenset(request.in_focus), 0
    for at, entry in enumerate(request.draft_orders):
        resource = entry["resource"]
        if not belongs(resource, request.patient_id):
            dropped += 1
            continue
        order, unread = _order(resource, lookup, index)
        if order is None:
            continue
        if at in chosen and _is_ours(order):
            focus.append(order)
            if unread:
                unresolved[unread] = None
        else:
            others.append(order)
    return OrdersRead(
        orders=Orders(in_focus=tuple(focus), others=tuple(others)),
        unresolved=tuple(unresolved),
        dropped=dropped,
        complete=not index.missed,
    )


def _index(
    request: HookRequest,
    medications: Mapping[str, Resource],
    conditions: Iterable[Resource],
    urns: Mapping[str, Resource],
) -> Index:
    index = Index()
    urls = ((entry["resource"], entry.get("fullUrl")) for entry in request.draft_orders)
    index.add((resource, url if isinstance(url, str) else "") for resource, url in urls)
    index.add((medication, reference) for reference, medication in medications.items())
    index.add((condition, "") for condition in conditions if _is_of_patient(condition, request))
    index.add((condition, urn) for urn, condition in urns.items() if _is_of_patient(condition, request))
    return index


def _is_of_patient(condition: Resource, request: HookRequest) -> bool:
    return condition.get("resourceType") == "Condition" and belongs(condition, request.patient_id)


def _order(resource: Resource, lookup: Lookup, index: Index) -> tuple[MedicationOrder | ServiceOrder | None, str]:
    """The order when it means something to us, and the reference of a Medication still to be read."""
    kind = resource.get("resourceType")
    if kind in ("ServiceRequest", "DeviceRequest"):
        return read_service(resource, lookup, index), ""
    if kind != "MedicationRequest":
        return None, ""
    medicine = read_medicine(resource, lookup, index)
    if medicine is None or (medicine.drug is None and not medicine.unresolved):
        return None, ""
    return order_of(resource, medicine, lookup, index), medicine.unread


def _is_ours(order: MedicationOrder | ServiceOrder) -> bool:
    if isinstance(order, ServiceOrder):
        return order.means(TOPIC, *ADVISED_ON)
    drug = order.drug
    return order.unresolved or (drug is not None and (drug.anticoagulant is not None or drug.thrombolytic))
