"""GET from a FHIR server that the caller may name: token, deadline, size, no redirects, few at a time."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from ipaddress import ip_address
from math import ceil
from typing import Any, Literal
from urllib.parse import unquote, urljoin, urlsplit

import orjson

from app.clients import Caller
from app.hook_request import FhirAccess
from app.outbound import Answer, Deadline, Outbound, OutboundError, Resolve

__all__ = [
    "Deadline",
    "Evidence",
    "Fetch",
    "FetchError",
    "FhirClient",
    "Json",
    "allowed",
    "covers",
    "is_below",
    "is_loopback",
    "next_page",
]

Json = dict[str, Any]
Origin = tuple[str, str, int]

_PLAIN_URL = re.compile(r"[!-\[\]-~]+")  # printable ASCII without the backslash
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SCOPE = re.compile(r"(?:patient|user|system)/(?P<type>\*|[A-Za-z]+)\.(?P<may>\*|read|write|[cruds]+)(?P<filter>\?.+)?")


WORDS = {
    "late": "the FHIR server did not answer in time",
    "unreachable": "the FHIR server could not be reached",
    "address": "the FHIR server is at an address that may not be asked",
    "foreign": "the FHIR server pointed to another server",
    "refused": "the FHIR server refused access",
    "redirect": "the FHIR server answered with a redirect",
    "status": "the FHIR server answered with an error (HTTP {status})",
    "broken": "the answer of the FHIR server broke off",
    "too-long": "the answer of the FHIR server was too long",
    "unreadable": "the answer of the FHIR server could not be read",
    "left-alone": "the FHIR server has failed repeatedly and is left alone for {seconds} s",
    "busy": "the FHIR server is overloaded and asked for a pause of {seconds} s",
}
"""Why nothing usable came back, by kind: words for a clinician, without an address."""


Evidence = Literal["answered", "failed", "none"]
"""What a request shows of its server: it answers (if only with a refusal), it does not, or neither."""


class FetchError(Exception):
    """Nothing usable came back. ``kind`` is a key of WORDS, ``reason`` its words.

    ``status`` is the HTTP status when there was an answer, else 0; ``retry_after`` are the seconds after which the
    server wants to be asked again, if it is overloaded and said so. ``seconds`` fill the words. ``sent`` is False
    when the request did not get as far as the server.
    """

    def __init__(
        self, kind: str, status: int = 0, *, retry_after: float = 0.0, seconds: float = 0.0, sent: bool = True
    ) -> None:
        self.kind = kind
        self.reason = WORDS[kind].format(status=status, seconds=ceil(seconds))
        self.status = status
        self.retry_after = retry_after
        self.sent = sent
        super().__init__(self.reason)

    @property
    def evidence(self) -> Evidence:
        """What it shows of the server. That one resource is refused, missing or odd is no failure of the server."""
        if not self.sent or self.kind in ("address", "foreign", "left-alone", "busy"):
            return "none"
        overloaded = self.status >= HTTPStatus.INTERNAL_SERVER_ERROR or self.retry_after > 0
        return "failed" if overloaded or self.kind in ("late", "unreachable", "broken") else "answered"


Fetch = Callable[[FhirAccess, str, Deadline], Json]
"""(access, address, deadline) -> the JSON object at the address; raises FetchError."""


class FhirClient:
    """Open connections to FHIR servers, with at most ``connections`` requests at a time to one server."""

    def __init__(
        self, *, max_bytes: int, connections: int, ca_file: str | None = None, resolve: Resolve | None = None
    ) -> None:
        self._max_bytes = max_bytes
        self._connections = connections
        self._outbound = Outbound(connections=connections, ca_file=ca_file, resolve=resolve)
        self._lock = threading.Lock()
        self._turns: dict[Origin, threading.BoundedSemaphore] = {}

    def get(self, access: FhirAccess, address: str, deadline: Deadline) -> Json:
        """The JSON object at ``address``, which is below the base URL of ``access``.

        Raises:
            FetchError: no answer in time, a refusal, a redirect, too long, or not a JSON object.
        """
        origin = _origin(access.server)
        if origin is None or not is_below(access.server, address):
            raise FetchError("foreign")
        headers = {"Accept": "application/fhir+json"}
        if access.token:
            headers["Authorization"] = f"Bearer {access.token}"
        with self._turn(origin, deadline):
            try:
                answer = self._outbound.get(
                    address, headers=headers, internal=access.internal, deadline=deadline, max_bytes=self._max_bytes
                )
            except OutboundError as error:
                raise FetchError(error.kind) from None
        _check_status(answer)
        return _json_object(answer.body)

    @contextmanager
    def _turn(self, origin: Origin, deadline: Deadline) -> Iterator[None]:
        with self._lock:
            turns = self._turns.setdefault(origin, threading.BoundedSemaphore(self._connections))
        if not turns.acquire(timeout=max(deadline.left(), 0)):
            raise FetchError("late", sent=False)
        try:
            yield
        finally:
            turns.release()


def _check_status(answer: Answer) -> None:
    status = answer.status
    if status == HTTPStatus.OK:
        return
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise FetchError("refused", status)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        raise FetchError("redirect", status)
    asked_to_wait = status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
    raise FetchError("status", status, retry_after=answer.retry_after if asked_to_wait else 0.0)


def _json_object(body: bytes) -> Json:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        raise FetchError("unreadable")
    return content


def _origin(url: str) -> Origin | None:
    """Scheme, host and port; None for what is not a plain web address."""
    if not _PLAIN_URL.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        port = _DEFAULT_PORTS.get(parts.scheme) if parts.port is None else parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or not port or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname.rstrip("."), port


def _base(url: str) -> tuple[Origin, str] | None:
    """Origin and path of a FHIR base URL; None for what cannot be one."""
    origin = _origin(url)
    if origin is None or "?" in url or "#" in url:
        return None
    path = urlsplit(url).path.rstrip("/")
    return (origin, path) if _is_straight(path) else None


def _is_straight(path: str) -> bool:
    """Whether no step of a path leads upwards or nowhere, however it is written."""
    steps = unquote(unquote(path)).split("/")[1:]
    return not any(step.partition(";")[0] in ("", ".", "..") or "\\" in step for step in steps)


def is_below(base: str, address: str) -> bool:
    """Whether an address has the scheme, host and port of a base URL, and a path at or below its path."""
    origin, parts = _origin(base), urlsplit(address) if _origin(address) else None
    if origin is None or parts is None or _origin(address) != origin or "#" in address:
        return False
    above, path = urlsplit(base).path.rstrip("/"), parts.path.rstrip("/")
    return _is_straight(path) and (path == above or path.startswith(f"{above}/"))


def is_loopback(host: str) -> bool:
    """Whether a host name or address (without port) is this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def allowed(access: FhirAccess | None, caller: Caller) -> FhirAccess | None:
    """The access when this caller may have that server asked, with or without a token as agreed; else None.

    The server is then spelled as the clients file spells it, whatever the caller wrote.
    """
    if access is None or not access.usable:
        return None
    base = _base(access.server)
    if base is None:
        return None
    if caller.any_loopback_server and is_loopback(base[0][1]):
        return replace(access, internal=True)
    servers = caller.fhir_servers if access.token else caller.open_servers
    listed = next((server for server in servers if _base(server) == base), None)
    return replace(access, server=listed, internal=caller.internal_network) if listed else None


def covers(access: FhirAccess, resource_type: str, *, search: bool) -> bool | None:
    """Whether the scopes allow to read (or search) a type; None when they cover a part of it only.

    SMART App Launch 1 (``patient/Observation.read``) and 2 (``patient/Observation.rs?category=...``).
    """
    if access.scopes is None:
        return True
    partly = False
    for scope in access.scopes:
        match = _SCOPE.fullmatch(scope)
        if match is None or match["type"] not in ("*", resource_type):
            continue
        if match["may"] not in ("*", "read") and ("s" if search else "r") not in match["may"].replace("write", ""):
            continue
        if not match["filter"]:
            return True
        partly = True
    return None if partly else False


def next_page(bundle: Json, address: str) -> str | None:
    """The address of a Bundle's next page, made absolute; None on the last page."""
    links = bundle.get("link")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("relation") == "next" and isinstance(link.get("url"), str):
            return urljoin(address, str(link["url"]))
    return None
