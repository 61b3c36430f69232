"""Who calls: a bearer JWT -> Caller. Whatever is wrong, the caller learns only that authentication is required.

CDS Hooks, section Trusting CDS Clients. No key is ever fetched from an address that a token names.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import jwt
import orjson
import requests

from app.clients import Caller, Client, demo_caller
from app.errors import NotAllowedError, NotAuthenticatedError
from app.settings import Settings

LEEWAY_SECONDS = 30
KEYS_LAST_SECONDS = 300
REFETCH_AFTER_SECONDS = 30
FETCH_TIMEOUT_SECONDS = 2.0
LONGEST_KEY_SET = 1_000_000
LONGEST_TOKEN = 16_384
SHORTEST_RSA_BITS = 2048

_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}

Json = dict[str, Any]
Verify = Callable[[str | None, str], Caller]
"""(Authorization header, URL called) -> Caller; raises NotAuthenticatedError or NotAllowedError."""


class _RefusedToken(Exception):  # noqa: N818 - never leaves this module
    """A token that does not convince; the reason is for tests and debuggers only."""


def demo(settings: Settings) -> Verify:
    """Demo mode: everybody is the demo caller, with or without a token."""
    caller = demo_caller(settings)
    return lambda _header, _url: caller


def with_clients(
    clients: Sequence[Client],
    settings: Settings,
    *,
    now: Callable[[], float],
    keys: Callable[[Client, str], Sequence[Json]],
    seen: Callable[[str, str, float], bool],
) -> Verify:
    """Verification against the clients file.

    ``now`` is seconds since 1970; ``keys(client, kid)`` gives the client's JWKs of that id;
    ``seen(issuer, jti, expiry)`` says whether a token was used before, and remembers it.
    """
    by_issuer = {client.issuer: client for client in clients}

    def verify(header: str | None, url: str) -> Caller:
        try:
            token = _bearer(header)
            client, head = _addressed(token, by_issuer)
            claims = _signed(token, client, keys(client, head["kid"]), head["alg"])
            _check_claims(claims, client, url, now())
            replayed = seen(client.issuer, claims["jti"], float(claims["exp"]) + LEEWAY_SECONDS)
        except (_RefusedToken, jwt.PyJWTError, ValueError, TypeError, KeyError):
            raise NotAuthenticatedError from None
        if replayed:
            raise NotAuthenticatedError
        tenant = claims.get("tenant") or ""
        if client.tenants and tenant not in client.tenants:
            raise NotAllowedError("This tenant is not served.")
        return client.caller(tenant if isinstance(tenant, str) else "", settings)

    return verify


def _bearer(header: str | None) -> str:
    kind, _, token = (header or "").strip().partition(" ")
    token = token.strip()
    if kind.lower() != "bearer" or not token or len(token) > LONGEST_TOKEN:
        raise _RefusedToken("no bearer token")
    return token


def _addressed(token: str, by_issuer: Mapping[str, Client]) -> tuple[Client, Json]:
    """The client that the token claims to be from, and its header, both unproven yet."""
    head = jwt.get_unverified_header(token)
    issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
    client = by_issuer.get(issuer) if isinstance(issuer, str) else None
    if client is None:
        raise _RefusedToken("unknown issuer")
    if head.get("alg") not in client.algorithms or str(head.get("typ")).upper() != "JWT":
        raise _RefusedToken("algorithm or type")
    if not isinstance(head.get("kid"), str) or not head["kid"] or head.get("crit"):
        raise _RefusedToken("key id")
    if head.get("jku") is not None and head["jku"] not in (client.jwks_url, *client.jku):
        raise _RefusedToken("unknown jku")
    return client, head


def _signed(token: str, client: Client, keys: Sequence[Json], algorithm: str) -> Json:
    """The claims, once one of the keys has proven the signature."""
    for key in keys:
        if not _fits(key, algorithm):
            continue
        proof = jwt.PyJWK(key, algorithm=algorithm)
        if key.get("kty") == "RSA" and proof.key.key_size < SHORTEST_RSA_BITS:
            continue
        try:
            claims: Json = jwt.decode(
                token,
                proof,
                algorithms=[algorithm],
                issuer=client.issuer,
                options={
                    "require": ["iss", "aud", "exp", "iat", "jti"],
                    "verify_aud": False,  # compared in _check_claims, as are the times, by the clock handed in
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.InvalidSignatureError:
            continue
        return claims
    raise _RefusedToken("no key proves it")


def _fits(key: Json, algorithm: str) -> bool:
    """Whether a JWK is public, meant for signatures, and of the kind that the algorithm uses."""
    kind = {"E": "EC", "R": "RSA", "P": "RSA"}[algorithm[0]] if algorithm != "EdDSA" else "OKP"
    return (
        key.get("kty") == kind
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (algorithm not in _CURVES or key.get("crv") == _CURVES[algorithm])
    )


def _check_claims(claims: Json, client: Client, url: str, now: float) -> None:
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if url.rstrip("/") not in {one.rstrip("/") for one in audience if isinstance(one, str)}:
        raise _RefusedToken("audience")
    expires, issued, not_before = (_time(claims.get(name, 0)) for name in ("exp", "iat", "nbf"))
    if now >= expires + LEEWAY_SECONDS or max(issued, not_before) > now + LEEWAY_SECONDS:
        raise _RefusedToken("expired, or not valid yet")
    if not 0 < expires - issued <= client.max_token_seconds:
        raise _RefusedToken("valid for too long")
    if not isinstance(claims["jti"], str) or not claims["jti"]:
        raise _RefusedToken("jti")


def _time(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise _RefusedToken("times")
    return float(value)


@dataclass(slots=True)
class SeenTokens:
    """The tokens used so far in this process, until they expire."""

    now: Callable[[], float]
    _until: dict[tuple[str, str], float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _next_sweep: float = 0.0

    def __call__(self, issuer: str, jti: str, expires: float) -> bool:
        """Whether this token was seen before; from now on it was."""
        with self._lock:
            now = self.now()
            if now >= self._next_sweep:
                self._until = {token: until for token, until in self._until.items() if until > now}
                self._next_sweep = now + KEYS_LAST_SECONDS
            if (issuer, jti) in self._until:
                return True
            self._until[issuer, jti] = expires
            return False


@dataclass(slots=True)
class KeySets:
    """The JWK Sets of the clients, from file or from the address in the clients file, kept for a while.

    An unknown key id has the set read again, at most once in ``REFETCH_AFTER_SECONDS``.
    """

    clock: Callable[[], float]
    read: Callable[[Client], bytes]
    _sets: dict[str, tuple[float, tuple[Json, ...]]] = field(default_factory=dict)
    _tried: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, client: Client, kid: str) -> tuple[Json, ...]:
        """The client's keys of this id; none when there is none or the set cannot be had."""
        with self._lock:
            now = self.clock()
            read_at, keys = self._sets.get(client.name, (float("-inf"), ()))
            is_fresh = now - read_at < KEYS_LAST_SECONDS and any(key.get("kid") == kid for key in keys)
            if not is_fresh and now - self._tried.get(client.name, float("-inf")) >= REFETCH_AFTER_SECONDS:
                self._tried[client.name] = now
                keys = self._read_again(client, now) or keys
        return tuple(key for key in keys if key.get("kid") == kid)

    def _read_again(self, client: Client, now: float) -> tuple[Json, ...]:
        try:
            content = orjson.loads(self.read(client))
        except (OSError, ValueError, requests.RequestException):
            return ()
        listed = content.get("keys") if isinstance(content, dict) else None
        keys = tuple(key for key in listed if isinstance(key, dict)) if isinstance(listed, list) else ()
        self._sets[client.name] = (now, keys)
        return keys


def read_key_set(client: Client) -> bytes:
    """The JWK Set of a client, as bytes, from where the clients file says.

    Raises:
        OSError, requests.RequestException, ValueError: it cannot be had.
    """
    if client.jwks_file is not None:
        return Path(client.jwks_file).read_bytes()
    with requests.get(
        str(client.jwks_url), timeout=FETCH_TIMEOUT_SECONDS, allow_redirects=False, stream=True
    ) as answer:
        if answer.status_code != requests.codes.ok:
            raise ValueError("no key set")
        body = b""
        for part in answer.iter_content(LONGEST_KEY_SET):
            body += part
            if len(body) > LONGEST_KEY_SET:
                raise ValueError("key set too long")
        return body
