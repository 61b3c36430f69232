"""Who calls: a bearer JWT -> Caller. Whatever is wrong, the caller learns only that authentication is required.

CDS Hooks, section Trusting CDS Clients. The cause of a refusal is for the log and the counters, as one word.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, Protocol

import jwt

from app.clients import Caller, Client, demo_caller
from app.errors import NotAuthenticatedError, UnavailableError
from app.key_sets import proof
from app.settings import Settings
from app.store.database import StoreDownError

LEEWAY_SECONDS = 30
LONGEST_TOKEN = 16_384

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_NAME = re.compile(r"[ -~]{1,256}")  # printable ASCII

Json = dict[str, Any]


class Verify(Protocol):
    """Who calls."""

    def __call__(self, header: str | None, /, *urls: str) -> Caller:
        """The caller, by the Authorization header; the token must be meant for one of ``urls``.

        Raises:
            NotAuthenticatedError: whatever is wrong.
        """


class _RefusedTokenError(Exception):
    """A token that does not convince; ``cause`` is one word of ours."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


def demo(settings: Settings) -> Verify:
    """Demo mode: everybody is the demo caller, with or without a token."""
    caller = demo_caller(settings)

    def verify(_header: str | None, /, *_urls: str) -> Caller:
        return caller

    return verify


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
    ``seen(issuer, jti, expiry)`` says whether a token was used before, and remembers it; it may raise StoreDownError.
    """
    by_issuer = {client.issuer: client for client in clients}

    def verify(header: str | None, /, *urls: str) -> Caller:
        try:
            token = _bearer(header)
            client, head = _addressed(token, by_issuer)
            claims = _signed(token, client, keys(client, head["kid"]), head["alg"])
            _check_claims(claims, client, urls, now())
        except _RefusedTokenError as refused:
            raise NotAuthenticatedError(refused.cause) from None
        if not client.jti_reuse and _is_replayed(client, claims, seen):
            raise NotAuthenticatedError("replayed")
        return client.caller(claims.get("tenant") or "", settings)

    return verify


def _is_replayed(client: Client, claims: Json, seen: Callable[[str, str, float], bool]) -> bool:
    try:
        return seen(client.issuer, claims["jti"], float(claims["exp"]) + LEEWAY_SECONDS)
    except StoreDownError:
        if client.jti_when_store_is_down == "accept":
            return False
        raise UnavailableError("The service cannot tell whether this token was used before. Try again.") from None


def _bearer(header: str | None) -> str:
    kind, _, token = (header or "").strip().partition(" ")
    token = token.strip()
    if kind.lower() != "bearer" or not token:
        raise _RefusedTokenError("no-token")
    if len(token) > LONGEST_TOKEN or not _COMPACT.fullmatch(token):
        raise _RefusedTokenError("malformed")
    return token


def _addressed(token: str, by_issuer: Mapping[str, Client]) -> tuple[Client, Json]:
    """The client that the token claims to be from, and its header, both unproven yet."""
    head, claims = (_object(part) for part in token.split(".")[:2])
    issuer = claims.get("iss")
    client = by_issuer.get(issuer) if isinstance(issuer, str) else None
    if client is None:
        raise _RefusedTokenError("unknown-issuer")
    if head.get("alg") not in client.algorithms:
        raise _RefusedTokenError("algorithm")
    if str(head.get("typ")).upper() != "JWT":
        raise _RefusedTokenError("type")
    if not isinstance(head.get("kid"), str) or not head["kid"]:
        raise _RefusedTokenError("no-key-id")
    if "crit" in head or "b64" in head:
        raise _RefusedTokenError("extension")
    if head.get("jku") is not None and head["jku"] not in (client.jwks_url, *client.jku):
        raise _RefusedTokenError("foreign-jku")
    return client, head


def _object(part: str) -> Json:
    """The JSON object in one part of a token. A name that stands twice is refused: readers differ on which counts."""
    try:
        content = json.loads(jwt.utils.base64url_decode(part), object_pairs_hook=_once_each)
    except (ValueError, RecursionError):
        raise _RefusedTokenError("malformed") from None
    if not isinstance(content, dict):
        raise _RefusedTokenError("malformed")
    return content


def _once_each(pairs: list[tuple[str, Any]]) -> Json:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _RefusedTokenError("malformed")
    return dict(pairs)


def _signed(token: str, client: Client, keys: Sequence[Json], algorithm: str) -> Json:
    """The claims, once one of the keys has proven the signature."""
    fitting = [found for key in keys if (found := proof(key, algorithm)) is not None]
    if not fitting:
        raise _RefusedTokenError("no-fitting-key" if keys else "unknown-key-id")
    for key in fitting:
        try:
            claims: Json = jwt.decode(
                token,
                key,
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
        except jwt.DecodeError:  # the parts have been read before: what is wrong is the signature
            continue
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            raise _RefusedTokenError("claims") from None
        return claims
    raise _RefusedTokenError("signature")


def _check_claims(claims: Json, client: Client, urls: Sequence[str], now: float) -> None:
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if not {url.rstrip("/") for url in urls} & {one.rstrip("/") for one in audience if isinstance(one, str)}:
        raise _RefusedTokenError("audience")
    expires, issued, not_before = (_time(claims.get(name, 0)) for name in ("exp", "iat", "nbf"))
    if now >= expires + LEEWAY_SECONDS:
        raise _RefusedTokenError("expired")
    if max(issued, not_before) > now + LEEWAY_SECONDS:
        raise _RefusedTokenError("not-yet-valid")
    if not 0 < expires - issued <= client.max_token_seconds:
        raise _RefusedTokenError("life")
    if not _is_name(claims["jti"]):
        raise _RefusedTokenError("claims")
    tenant = claims.get("tenant")
    if (tenant and not _is_name(tenant)) or (client.tenants and tenant not in client.tenants):
        raise _RefusedTokenError("tenant")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _time(value: object) -> float:
    try:
        seconds = float("nan") if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
    except OverflowError:
        seconds = float("inf")
    if not isfinite(seconds):
        raise _RefusedTokenError("claims")
    return seconds
