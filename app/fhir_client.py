"""GET from a FHIR server that the caller may name: token, deadline, size, no redirects, few at a time."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urljoin, urlsplit

import orjson
import requests

from app.clients import Caller
from app.hook_request import FhirAccess

Json = dict[str, Any]

_CHUNK = 65_536
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SCOPE = re.compile(r"(?:patient|user|system)/(?P<type>\*|[A-Za-z]+)\.(?P<may>\*|read|write|[cruds]+)(?P<filter>\?.+)?")


class FetchError(Exception):
    """Nothing usable came back; ``reason`` says why, in words for a clinician and without an address.

    ``status`` is the HTTP status when there was an answer, else 0.
    """

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """The moment, on a monotonic clock in seconds, after which nothing more is asked."""

    clock: Callable[[], float]
    at: float

    def left(self) -> float:
        """Seconds left; zero or less when it has passed."""
        return self.at - self.clock()


Fetch = Callable[[FhirAccess, str, Deadline], Json]
"""(access, address, deadline) -> the JSON object at the address; raises FetchError."""


class FhirClient:
    """Open connections to FHIR servers: one session per thread, at most ``connections`` requests to one server."""

    def __init__(self, *, max_bytes: int, connections: int, ca_file: str | None = None) -> None:
        self._max_bytes = max_bytes
        self._connections = connections
        self._verify: str | bool = ca_file or True
        self._threads = threading.local()
        self._lock = threading.Lock()
        self._turns: dict[str, threading.BoundedSemaphore] = {}

    def get(self, access: FhirAccess, address: str, deadline: Deadline) -> Json:
        """The JSON object at ``address``, which is below the base URL of ``access`` or on its origin.

        Raises:
            FetchError: no answer in time, a refusal, a redirect, too long, or not a JSON object.
        """
        if not same_origin(access.server, address):
            raise FetchError("the FHIR server pointed to another server")
        with self._turn(access.server, deadline):
            try:
                return self._get(access, address, deadline)
            except requests.ConnectionError:  # most often a kept connection that the server has closed: once more
                return self._get_once_more(access, address, deadline)

    def _get_once_more(self, access: FhirAccess, address: str, deadline: Deadline) -> Json:
        try:
            return self._get(access, address, deadline)
        except requests.ConnectionError:
            raise FetchError("the FHIR server could not be reached") from None

    def _get(self, access: FhirAccess, address: str, deadline: Deadline) -> Json:
        try:
            with self._session().get(
                address,
                headers={"Accept": "application/fhir+json"},
                auth=_Bearer(access.token),
                timeout=_seconds(deadline),
                allow_redirects=False,
                stream=True,
            ) as answer:
                _check_status(answer.status_code)
                body = self._body(answer, deadline)
        except requests.Timeout:
            raise FetchError("the FHIR server did not answer in time") from None
        except requests.ConnectionError as error:
            if "timed out" in str(error).lower():  # while reading the body requests reports a time-out so
                raise FetchError("the FHIR server did not answer in time") from None
            raise
        except (requests.RequestException, OSError, ValueError):
            raise FetchError("the answer of the FHIR server broke off") from None
        return _json_object(body)

    def _body(self, answer: requests.Response, deadline: Deadline) -> bytes:
        body = bytearray()
        for chunk in answer.iter_content(_CHUNK):
            body += chunk
            if len(body) > self._max_bytes:
                raise FetchError("the answer of the FHIR server was too long")
            if deadline.left() <= 0:
                raise FetchError("the FHIR server did not answer in time")
        return bytes(body)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False  # no proxy, no .netrc: a token goes where the clients file says
            session.verify = self._verify
            self._threads.session = session
        return session

    @contextmanager
    def _turn(self, server: str, deadline: Deadline) -> Iterator[None]:
        with self._lock:
            turns = self._turns.setdefault(server, threading.BoundedSemaphore(self._connections))
        if not turns.acquire(timeout=max(deadline.left(), 0)):
            raise FetchError("the FHIR server did not answer in time")
        try:
            yield
        finally:
            turns.release()


class _Bearer(requests.auth.AuthBase):
    """The token of the call, and nothing else, as Authorization."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _seconds(deadline: Deadline) -> float:
    left = deadline.left()
    if left <= 0:
        raise FetchError("the FHIR server did not answer in time")
    return left


def _check_status(status: int) -> None:
    if status == requests.codes.ok:
        return
    if status in (requests.codes.unauthorized, requests.codes.forbidden):
        raise FetchError("the FHIR server refused access", status)
    if requests.codes.multiple_choices <= status < requests.codes.bad_request:
        raise FetchError("the FHIR server answered with a redirect", status)
    raise FetchError(f"the FHIR server answered with an error (HTTP {status})", status)


def _json_object(body: bytes) -> Json:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        raise FetchError("the answer of the FHIR server could not be read")
    return content


def _origin(url: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port; None for what is not a plain web address."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc or "\\" in url:
        return None
    return parts.scheme, parts.hostname.rstrip("."), port


def same_origin(one: str, other: str) -> bool:
    """Whether two web addresses have scheme, host and port in common."""
    origin = _origin(one)
    return origin is not None and origin == _origin(other)


def _base(url: str) -> tuple[tuple[str, str, int | None], str] | None:
    origin, parts = _origin(url), urlsplit(url) if _origin(url) else None
    if origin is None or parts is None or parts.query or parts.fragment:
        return None
    return origin, parts.path.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host name or address (without port) is this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def allowed(access: FhirAccess | None, caller: Caller) -> FhirAccess | None:
    """``access`` when this caller may have that server asked, with or without a token as agreed; else None."""
    if access is None or not access.usable:
        return None
    base = _base(access.server)
    if base is None:
        return None
    if caller.any_loopback_server and is_loopback(base[0][1]):
        return access
    servers = caller.fhir_servers if access.token else caller.open_servers
    return access if any(_base(server) == base for server in servers) else None


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
