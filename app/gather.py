"""Prefetch first; the rest is fetched in parallel before one deadline. The result is what each key gave.

How a prefetch value is read: ``_from_prefetch``. What may be asked: ``fhir_client.allowed`` and ``covers``.
"""

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

from app.errors import MissingDataError
from app.fhir_client import Deadline, Fetch, FetchError, covers, next_page
from app.hook_request import FhirAccess, HookRequest
from app.sources import NEWEST_FIRST, Page, Source, page_of
from hooks.facts import Gap

Json = dict[str, Any]
Origin = Literal["prefetch", "fetched", "none"]

MOST_MEDICATIONS = 20  # Medication resources read one by one in a call
_MEDICATION = re.compile(
    r"(?P<base>https?://.+/)?Medication/(?P<id>(?!\.{1,2}(?:/|$))[A-Za-z0-9\-.]{1,64})(?:/_history/.*)?"
)

NOT_SENT = "not sent by the EHR, which gave no access to read it"
NOT_COVERED = "not sent by the EHR, and the access it gave does not cover it"
PARTLY_COVERED = "the access that the EHR gave covers only a part"
EHR_FAILED = "the EHR reported that it could not read it"
NO_SUCH = "the EHR has none"
LATE = "the FHIR server did not answer in time"
FIRST_PAGE_ONLY = "the EHR sent only the first page"
TOO_MANY_PAGES = "there are more pages than are read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """What could be had of one kind of record.

    ``gap`` is set when it could not be had, or not all of it; ``resources`` then hold what there is.
    ``urns`` are those of the resources, and the patient, that a Bundle names by a URN.
    """

    key: str
    resources: tuple[Json, ...] = ()
    gap: Gap | None = None
    origin: Origin = "none"
    urns: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How this call may ask a FHIR server: where, by what, on which threads, until when."""

    access: FhirAccess
    fetch: Fetch
    pool: Executor
    deadline: Deadline
    max_pages: int


def check_preconditions(sources: Iterable[Source], request: HookRequest, reach: Reach | None) -> None:
    """Refuse the call when a required key is neither in prefetch nor to be asked for.

    Raises:
        MissingDataError: naming the keys (HTTP 412).
    """
    lacking = []
    for source in sources:
        if request.hook in source.required_by:
            got = _from_prefetch(source, request) or _unreachable(source, reach)
            if got is not None and got.gap is not None and not got.gap.failed:
                lacking.append(got.gap)
    if lacking:
        raise MissingDataError(tuple(gap.key for gap in lacking), tuple(gap.reason for gap in lacking))


def gather(sources: Iterable[Source], request: HookRequest, reach: Reach | None) -> dict[str, Got]:
    """What each source gives for this call: from prefetch, else fetched, else a gap."""
    found: dict[str, Got] = {}
    asked: dict[str, Future[Got]] = {}
    for source in sources:
        got = _from_prefetch(source, request) or _unreachable(source, reach)
        if reach is None:
            found[source.key] = got or _gap(source, NOT_SENT)
        elif got is None:
            asked[source.key] = reach.pool.submit(_fetched, source, request, reach)
        elif _is_first_page(got) and covers(reach.access, source.resource_type, search=True):
            asked[source.key] = reach.pool.submit(_continued, source, request, reach)
        else:
            found[source.key] = got
    if reach is not None:
        found |= _before_deadline(asked, reach.deadline)
    return found


def with_medications(got: Got, reach: Reach | None) -> Got:
    """The medication orders together with the Medication resources that they refer to and that did not come along."""
    if reach is None:
        return got
    known = {r.get("id") for r in got.resources if r.get("resourceType") == "Medication"}
    orders = sorted(got.resources, key=lambda order: str(order.get("authoredOn", "")), reverse=True)
    references = [reference for order in orders if (reference := _reference(order))]
    wanted = [r for r in references if (match := _MEDICATION.fullmatch(r)) and match["id"] not in known]
    found = medications(wanted, reach)
    return replace(got, resources=(*got.resources, *found.values())) if found else got


def medications(references: Iterable[str], reach: Reach | None) -> dict[str, Json]:
    """Medication resources by the reference given; those that cannot be read are left out."""
    if reach is None or covers(reach.access, "Medication", search=False) is False:
        return {}
    addresses: dict[str, str] = {}
    for reference in references:
        address = _medication_address(reference, reach.access.server)
        if address is not None and len(addresses) < MOST_MEDICATIONS:
            addresses.setdefault(reference, address)
    jobs = {ref: reach.pool.submit(_medication, ref, address, reach) for ref, address in addresses.items()}
    return {got.key: got.resources[0] for got in _before_deadline(jobs, reach.deadline).values() if got.resources}


def _gap(source: Source, reason: str, *, failed: bool = False, origin: Origin = "none") -> Got:
    return Got(key=source.key, gap=Gap(key=source.key, reason=reason, failed=failed), origin=origin)


def _from_prefetch(source: Source, request: HookRequest) -> Got | None:
    """What prefetch holds under the key; None when it was not sent, or is of no use as sent.

    ``null`` and an empty Bundle mean that there is none; an OperationOutcome, that the EHR tried and failed.
    """
    if source.key not in request.prefetch:
        return None
    value = request.prefetch[source.key]
    page = page_of(source, value, request.patient_id) if value is not None else Page(resources=(), failed=False)
    if page is None:
        return None
    if page.failed:
        return _partial(source, page, EHR_FAILED)
    if source.is_read and not page.resources:
        return _gap(source, NO_SUCH, origin="prefetch")
    if value is None or next_page(value, "") is None or _is_newest_first(source, page.resources):
        return Got(key=source.key, resources=page.resources, origin="prefetch", urns=page.urns)
    return _partial(source, page, FIRST_PAGE_ONLY)


def _partial(source: Source, page: Page, reason: str) -> Got:
    """What prefetch holds when that is not all."""
    gap = Gap(key=source.key, reason=reason, failed=True)
    return Got(key=source.key, resources=page.resources, gap=gap, origin="prefetch", urns=page.urns)


def _is_first_page(got: Got) -> bool:
    return got.gap is not None and got.gap.reason == FIRST_PAGE_ONLY


def _continued(source: Source, request: HookRequest, reach: Reach) -> Got:
    """A prefetch that came as the first of several pages, with the others."""
    first = request.prefetch[source.key]
    return _all_pages(source, request, first, f"{reach.access.server}/", reach, ordered=True, origin="prefetch")


def _unreachable(source: Source, reach: Reach | None) -> Got | None:
    """The gap of a source that may not be asked for; None when it may."""
    if reach is None:
        return _gap(source, NOT_SENT)
    if covers(reach.access, source.resource_type, search=not source.is_read) is False:
        return _gap(source, NOT_COVERED)
    return None


def _fetched(source: Source, request: HookRequest, reach: Reach) -> Got:
    """The source asked for, all pages of it; a failure becomes a gap."""
    address = f"{reach.access.server}/{source.query(request.patient_id)}"
    ordered = True
    try:
        try:
            first = reach.fetch(reach.access, address, reach.deadline)
        except FetchError as refused:
            if refused.status != 400 or NEWEST_FIRST not in address:  # noqa: PLR2004 - HTTP status
                raise
            address, ordered = address.replace(f"&{NEWEST_FIRST}", ""), False
            first = reach.fetch(reach.access, address, reach.deadline)
    except FetchError as error:
        return _gap(source, error.reason, failed=True, origin="fetched")
    got = _all_pages(source, request, first, address, reach, ordered=ordered, origin="fetched")
    if got.gap is None and covers(reach.access, source.resource_type, search=not source.is_read) is None:
        return replace(got, gap=Gap(key=source.key, reason=PARTLY_COVERED, failed=True))
    return got


def _all_pages(
    source: Source, request: HookRequest, first: Json, address: str, reach: Reach, *, ordered: bool, origin: Origin
) -> Got:
    """The resources of a first page and of those that follow, as far as they are needed and can be had."""
    resources: list[Json] = []
    urns: dict[str, Json] = {}
    body, problem, seen = first, "", {address}
    while True:
        page = page_of(source, body, request.patient_id)
        if page is None or page.failed or (source.is_read and not page.resources):
            problem = "the answer of the FHIR server could not be used"
            break
        resources += page.resources
        urns |= page.urns
        following = next_page(body, address)
        if following is None or (ordered and _is_newest_first(source, resources)):
            break
        if len(seen) >= reach.max_pages or following in seen:
            problem = TOO_MANY_PAGES
            break
        seen.add(following)
        try:
            body, address = reach.fetch(reach.access, following, reach.deadline), following
        except FetchError as error:
            problem = error.reason
            break
    gap = Gap(key=source.key, reason=problem, failed=True) if problem else None
    return Got(key=source.key, resources=tuple(resources), gap=gap, origin=origin, urns=urns)


def _is_newest_first(source: Source, resources: Iterable[Json]) -> bool:
    """Whether only the newest are wanted and these are in that order, so that further pages do not matter."""
    if NEWEST_FIRST not in source.template:
        return False
    days = [_day(resource) for resource in resources]
    return bool(days) and all(days) and all(a >= b for a, b in pairwise(days))


def _day(observation: Json) -> str:
    period = observation.get("effectivePeriod")
    start = period.get("start") if isinstance(period, dict) else None
    return str(observation.get("effectiveDateTime") or start or observation.get("effectiveInstant") or "")[:10]


def _before_deadline(asked: Mapping[str, Future[Got]], deadline: Deadline) -> dict[str, Got]:
    """The results that are there in time; the others are called off and become gaps."""
    wait(asked.values(), timeout=max(deadline.left(), 0))
    found = {}
    for key, future in asked.items():
        if future.done() and not future.cancelled():
            found[key] = future.result()
        else:
            future.cancel()
            found[key] = Got(key=key, gap=Gap(key=key, reason=LATE, failed=True), origin="fetched")
    return found


def _medication(reference: str, address: str, reach: Reach) -> Got:
    try:
        resource = reach.fetch(reach.access, address, reach.deadline)
    except FetchError:
        return Got(key=reference)
    found = (resource,) if resource.get("resourceType") == "Medication" else ()
    return Got(key=reference, resources=found, origin="fetched")


def _reference(order: Json) -> str:
    """The reference of an order's medicine, in R4 or R5 form; "" without one."""
    holder = order.get("medicationReference")
    if not isinstance(holder, dict):
        concept = order.get("medication")
        holder = concept.get("reference") if isinstance(concept, dict) else None
    reference = holder.get("reference") if isinstance(holder, dict) else None
    return reference if isinstance(reference, str) else ""


def _medication_address(reference: str, server: str) -> str | None:
    match = _MEDICATION.fullmatch(reference)
    if match is None or match["base"] not in (None, f"{server}/"):
        return None
    return f"{server}/Medication/{match['id']}"
