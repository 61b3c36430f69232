"""The kinds of request that a soak mixes: what is sent, how often, and what has to come back."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import requests

from app import today_in
from tests.app.hospital import PUBLIC, bearer
from tests.app.service import CT
from tests.bench import calls
from tests.soak.scene import STAFF_TOKEN, Scene

Json = dict[str, Any]
STAFF = {"Authorization": f"Bearer {STAFF_TOKEN}"}
REASON = {"code": "cost-or-access", "system": f"{PUBLIC}/override-reasons"}
TOKEN_SECONDS = 3000
NOT_USABLE = "data-not-usable"
DOAC = {"doac-in-cancer", "doac-starting-dose"}


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None

    @property
    def all_headers(self) -> dict[str, str]:
        return self.headers | ({} if self.body is None else {"Content-Type": "application/json"})


Check = Callable[[int, bytes], str]
"""(status, body) -> "" when it is the answer that has to come, else what is wrong in words."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """``weight``: how often, against the others."""

    name: str
    weight: int
    request: Callable[[], Request]
    check: Check


@dataclass
class Cards:
    """A check: the cards of these rules and, on the day of the first such answer, that very answer again.

    With ``at_worst`` a card may say instead, or besides, that data could not be read; none at all may not come.
    """

    rules: set[str]
    at_worst: bool = False
    _first: dict[str, bytes] = field(default_factory=dict)

    def __call__(self, status: int, body: bytes) -> str:
        if self.at_worst and status == 412:
            return "" if orjson.loads(body)["resourceType"] == "OperationOutcome" else "412 without a reason"
        if status != 200:
            return _status(status, body)
        told = {rule for card in orjson.loads(body)["cards"] for rule in card["extension"]["cat-cds"]["rules"]}
        if self.at_worst:
            return "" if told and told <= self.rules | {NOT_USABLE} else f"cards {sorted(told)}"
        if told != self.rules:
            return f"cards {sorted(told)}"
        day = today_in("UTC").isoformat()
        if self._first.setdefault(day, body) != body and today_in("UTC").isoformat() == day and len(self._first) == 1:
            return "other words than the first time"
        return ""


def _status(status: int, body: bytes) -> str:
    """The status, and what the OperationOutcome says if there is one."""
    try:
        return f"status {status}: {orjson.loads(body)['issue'][0]['details']['text']}"
    except (ValueError, KeyError, IndexError, TypeError):
        return f"status {status}"


def answered(status: int, *words: bytes) -> Check:
    """A check: this status, and these words somewhere in the body."""

    def check(given: int, body: bytes) -> str:
        if given != status:
            return _status(given, body)
        return next((f"{word.decode()} is not in it" for word in words if word not in body), "")

    return check


def kinds(scene: Scene) -> list[Kind]:
    """All of them."""
    return [*_with_prefetch(scene), *_without_prefetch(scene), *_refused(scene), *_feedback(scene), *_besides()]


def _body(scene: Scene, hook: str, *orders: str, size: int = 0, patient: str = calls.PATIENT, **more: Any) -> bytes:
    request = calls.call(scene.services[hook], today_in("UTC"), *orders, patient=patient) | more
    if size:
        request["prefetch"] = calls.prefetched(scene.services[hook], patient, scene.read, size)
        assert calls.count(request["prefetch"]) == size
    return orjson.dumps(request)


def _leave(server: str) -> Json:
    return {
        "fhirServer": server,
        "fhirAuthorization": {
            "access_token": "soak",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "patient/*.rs",
            "subject": "cat-cds",
        },
    }


def _signed(client: str, hook: str, body: bytes, below: str = "") -> Callable[[], Request]:
    """The call with a token of its own each time."""
    path = f"/cds-services/cat-{hook}{below}"
    issuer = f"https://{client}.example"
    return lambda: Request(method="POST", path=path, headers=bearer(path, iss=issuer), body=body)


def _signed_for_long(hook: str, body: bytes) -> Callable[[], Request]:
    """The call of the client whose tokens may be used again."""
    path, kept = f"/cds-services/cat-{hook}", {}

    def request() -> Request:
        turn = int(time.monotonic() / (TOKEN_SECONDS / 2))
        if turn not in kept:
            kept.clear()
            kept[turn] = bearer(path, iss="https://east.example", exp=int(time.time()) + TOKEN_SECONDS)
        return Request(method="POST", path=path, headers=kept[turn], body=body)

    return request


def _with_prefetch(scene: Scene) -> Iterable[Kind]:
    view, doac = {"start-anticoagulation", "compression-stockings"}, DOAC
    for hook, orders, size, weight, rules in (
        ("patient-view", (), 75, 10, view),
        ("order-select", ("apixaban",), 75, 10, doac),
        ("order-select", ("dalteparin:15000",), 75, 10, set()),
        ("order-sign", ("apixaban",), 300, 6, doac),
        ("order-sign", ("dalteparin:15000",), 300, 6, set()),
        ("patient-view", (), 2500, 1, view),
    ):
        name = " ".join((hook, *orders, f"with {size} resources"))
        body = _body(scene, hook, *orders, size=size)
        yield Kind(name=name, weight=weight, request=_signed("north", hook, body), check=Cards(rules))
    body = _body(scene, "order-select", "apixaban", size=75)
    yield Kind(
        name="order-select apixaban, token used before",
        weight=4,
        request=_signed_for_long("order-select", body),
        check=Cards(doac),
    )
    request = calls.call(scene.services["order-sign"], today_in("UTC"), "apixaban")
    request["context"]["draftOrders"]["entry"] = [{"resource": CT | {"subject": {"reference": "Patient/brief"}}}]
    yield Kind(
        name="order-sign of a CT",
        weight=4,
        request=_signed("north", "order-sign", orjson.dumps(request)),
        check=Cards(set()),
    )


def _without_prefetch(scene: Scene) -> Iterable[Kind]:
    for hook, orders, patient, weight, rules in (
        ("patient-view", (), "brief", 4, {"start-anticoagulation", "compression-stockings"}),
        ("patient-view", (), "sarcoma-day-170", 3, {"extend-while-cancer-active"}),
        ("patient-view", (), "plain-healthy", 4, set()),
        ("order-select", ("apixaban",), "brief", 4, DOAC),
        ("order-select", ("dalteparin:15000",), "brief", 3, set()),
    ):
        name = " ".join((hook, *orders, f"of {patient}, read at the EHR"))
        body = _body(scene, hook, *orders, patient=patient, **_leave(scene.well))
        yield Kind(name=name, weight=weight, request=_signed("north", hook, body), check=Cards(rules))
    for hook, orders, rules in (
        ("patient-view", (), {"start-anticoagulation", "compression-stockings"}),
        ("order-select", ("apixaban",), DOAC),
    ):
        name = " ".join((hook, *orders, "read at an EHR that fails at times"))
        body = _body(scene, hook, *orders, **_leave(scene.moody))
        yield Kind(name=name, weight=4, request=_signed("south", hook, body), check=Cards(rules, at_worst=True))


def _refused(scene: Scene) -> Iterable[Kind]:
    body = _body(scene, "order-select", "apixaban", size=75)
    outcome = b'"OperationOutcome"'
    yield Kind(
        name="no JSON: 400",
        weight=2,
        request=_signed("north", "order-select", body[:-20]),
        check=answered(400, outcome),
    )
    yield Kind(
        name="no patient: 400",
        weight=2,
        request=_signed("north", "order-select", body.replace(b'"patientId"', b'"patient"')),
        check=answered(400, outcome, b"context.patientId"),
    )
    yield Kind(
        name="no data: 412",
        weight=3,
        request=_signed("north", "patient-view", _body(scene, "patient-view")),
        check=answered(412, outcome, b"prefetch.conditions"),
    )
    yield Kind(
        name="unknown caller: 401",
        weight=2,
        request=_signed("west", "order-select", body),
        check=answered(401, outcome),
    )
    again = _fixed("north", "order-sign", _body(scene, "order-sign", "apixaban", size=75))
    _send(scene, again)
    yield Kind(name="token used twice: 401", weight=2, request=lambda: again, check=answered(401, outcome))


def _feedback(scene: Scene) -> Iterable[Kind]:
    accepted = _fixed("north", "order-select", _body(scene, "order-select", "apixaban", size=75))
    (card,) = _send(scene, accepted).json()["cards"]
    suggestion = card["suggestions"][0]["uuid"]
    told = {"card": card["uuid"], "outcome": "accepted", "acceptedSuggestions": [{"id": suggestion}]}
    yield Kind(name="feedback: accepted", weight=3, request=_telling("north", told), check=answered(200))
    unknown = {"card": "9c2b8d0e-3c1a-4e55-9d6b-2a7f0c9e41b7", "outcome": "overridden"}
    yield Kind(name="feedback: no card of ours", weight=1, request=_telling("south", unknown), check=answered(200))

    body = _body(scene, "order-select", "rivaroxaban", size=75)
    (card,) = _send(scene, _fixed("east", "order-select", body)).json()["cards"]
    told = {"card": card["uuid"], "outcome": "overridden", "overrideReason": {"reason": REASON}}
    overriding = _telling("east", told)
    assert _send(scene, overriding()).status_code == 200
    yield Kind(name="feedback: overridden", weight=2, request=overriding, check=answered(200))
    held = _signed_for_long("order-select", body)
    yield Kind(name="an order overridden before: held back", weight=3, request=held, check=Cards(set()))


def _fixed(client: str, hook: str, body: bytes) -> Request:
    """A call whose token lives as long as any may."""
    path = f"/cds-services/cat-{hook}"
    token = bearer(path, iss=f"https://{client}.example", exp=int(time.time()) + TOKEN_SECONDS)
    return Request(method="POST", path=path, headers=token, body=body)


def _send(scene: Scene, one: Request) -> requests.Response:
    return requests.request(one.method, scene.url + one.path, data=one.body, headers=one.all_headers, timeout=30)


def _telling(client: str, told: Json) -> Callable[[], Request]:
    """Feedback that is new each time: at another moment, with another comment."""
    number, path = itertools.count(), "/cds-services/cat-order-select/feedback"

    def request() -> Request:
        at = datetime.fromtimestamp(time.time(), UTC).isoformat()
        one = told | {"outcomeTimestamp": at}
        comment = {"userComment": f"number {next(number)}"}
        if "overrideReason" in told:
            one["overrideReason"] = told["overrideReason"] | comment
        headers = bearer(path, iss=f"https://{client}.example")
        return Request(method="POST", path=path, headers=headers, body=orjson.dumps({"feedback": [one]}))

    return request


def _besides() -> Iterable[Kind]:
    for name, weight, path, headers, check in (
        ("discovery", 3, "/cds-services", {}, answered(200, b"cat-order-select")),
        ("metrics", 2, "/metrics", STAFF, answered(200, b"cat_cds_calls_total")),
        ("front page", 1, "/", {}, answered(200, b"<html")),
        ("page of a rule", 2, "/rules/doac-in-cancer", {}, answered(200, b"<html")),
        ("page of numbers", 1, "/feedback", STAFF, answered(200, b"<html")),
        ("metrics without leave: 401", 1, "/metrics", {}, answered(401)),
        ("no such page: 404", 1, "/nowhere", {}, answered(404, b'"OperationOutcome"')),
        ("ready", 2, "/health/ready", {}, answered(200, b'"ready"')),
    ):
        yield Kind(
            name=name,
            weight=weight,
            request=lambda path=path, headers=headers: Request(method="GET", path=path, headers=headers),
            check=check,
        )
