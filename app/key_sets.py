"""The public keys of the clients: JWK Sets from a file or an address of the clients file, kept, renewed, rotated.

No key is ever fetched from an address that a token names.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jwt
import orjson

from app.clients import Client
from app.outbound import Deadline, Outbound, OutboundError

KEYS_LAST_SECONDS = 300
KEYS_LAST_AT_MOST_SECONDS = 86_400
REFETCH_AFTER_SECONDS = 30
RETRY_AFTER_SECONDS = 5
FETCH_TIMEOUT_SECONDS = 2.0
SHARE_OF_BUDGET = 0.75  # of a call's time, that it waits for keys at most
LONGEST_KEY_SET = 1_000_000
SHORTEST_RSA_BITS = 2048

_NEVER = float("-inf")
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519"}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

Json = dict[str, Any]
Read = Callable[[Client, float], bytes]
"""(client, seconds) -> its JWK Set as bytes; raises OSError, ValueError or OutboundError when it cannot be had."""


@dataclass(slots=True)
class _Kept:
    """The set of one client. ``missed_at``: when it was last read for the sake of an unknown key id."""

    keys: tuple[Json, ...] = ()
    read_at: float = _NEVER
    tried_at: float = _NEVER
    missed_at: float = _NEVER
    lock: threading.Lock = field(default_factory=threading.Lock)


class KeySets:
    """The JWK Sets of the clients, each with a lock of its own: a slow key server holds up nobody else.

    A set of some age is renewed behind the answer, and serves meanwhile; while it cannot be had it serves for a day.
    An unknown key id has the set read again, at most once in ``REFETCH_AFTER_SECONDS``. A call waits for that no
    longer than its own time allows (``budget_ms`` for clients that name none); then it is read behind the answer.
    ``clock`` counts seconds from anywhere: a wall clock that is set anew makes no set old or young.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        read: Read,
        later: Callable[[Callable[[], object]], object],
        budget_ms: int = 30_000,
    ) -> None:
        self._clock = clock
        self._read = read
        self._later = later
        self._budget_ms = budget_ms
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def __call__(self, client: Client, kid: str) -> tuple[Json, ...]:
        """The client's keys of this id; none when there is none or the set cannot be had."""
        with self._lock:
            kept = self._kept.setdefault(client.name, _Kept())
        found = self._at_hand(kept, kid)
        if not found:
            return self._asked_for(client, kid, kept)
        now = self._clock()
        if now - kept.read_at >= KEYS_LAST_SECONDS and now - kept.tried_at >= RETRY_AFTER_SECONDS:
            kept.tried_at = now
            self._later(lambda: self._renew(client, kept, FETCH_TIMEOUT_SECONDS))
        return found

    def _at_hand(self, kept: _Kept, kid: str) -> tuple[Json, ...]:
        if self._clock() - kept.read_at >= KEYS_LAST_AT_MOST_SECONDS:
            kept.keys, kept.read_at = (), _NEVER
        return tuple(key for key in kept.keys if key.get("kid") == kid)

    def _asked_for(self, client: Client, kid: str, kept: _Kept) -> tuple[Json, ...]:
        started = self._clock()
        patience = min(FETCH_TIMEOUT_SECONDS, (client.budget_ms or self._budget_ms) / 1000 * SHARE_OF_BUDGET)
        if not kept.lock.acquire(timeout=patience):
            return ()
        try:
            now, was_read = self._clock(), kept.read_at != _NEVER
            found = self._at_hand(kept, kid)  # another call may have had it read meanwhile
            if found or now - (kept.missed_at if was_read else kept.tried_at) < (
                REFETCH_AFTER_SECONDS if was_read else RETRY_AFTER_SECONDS
            ):
                return found
            kept.tried_at = now
            if was_read:
                kept.missed_at = now
            if self._renew(client, kept, patience - (now - started)) == "late":
                self._later(lambda: self._renew(client, kept, FETCH_TIMEOUT_SECONDS))
            return self._at_hand(kept, kid)
        finally:
            kept.lock.release()

    def _renew(self, client: Client, kept: _Kept, seconds: float) -> str:
        """Read the set; why it could not be had, in one word, or nothing."""
        try:
            keys = keys_in(self._read(client, seconds))
        except OutboundError as error:
            return error.kind
        except (OSError, ValueError):
            return "unusable"
        kept.keys, kept.read_at = keys, self._clock()
        return ""


def keys_in(content: bytes) -> tuple[Json, ...]:
    """The keys of a JWK Set.

    Raises:
        ValueError: it is none.
    """
    found = orjson.loads(content)
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list):
        raise ValueError("no JWK Set")  # noqa: TRY004 - like JSON that cannot be read
    return tuple(key for key in listed if isinstance(key, dict))


def reader(outbound: Outbound, clock: Callable[[], float]) -> Read:
    """Reads JWK Sets from where the clients file says."""

    def read(client: Client, seconds: float) -> bytes:
        if client.jwks_file is not None:
            return Path(client.jwks_file).read_bytes()
        answer = outbound.get(
            str(client.jwks_url),
            headers={"Accept": "application/json"},
            internal=client.internal_network,
            deadline=Deadline(clock=clock, at=clock() + seconds),
            max_bytes=LONGEST_KEY_SET,
        )
        if answer.status != HTTPStatus.OK:
            raise ValueError("no key set")
        return answer.body

    return read


def proof(key: Json, algorithm: str) -> jwt.PyJWK | None:
    """A JWK ready to check signatures by ``algorithm``; None when it is not meant or not fit for that.

    It must be public (a set that shows private keys has lost them), for signatures, of the kind and curve that the
    algorithm uses, and long enough.
    """
    kind = {"E": "EC", "R": "RSA", "P": "RSA"}[algorithm[0]] if algorithm != "EdDSA" else "OKP"
    fits = (
        key.get("kty") == kind
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and not _PRIVATE & key.keys()
        and "verify" in _operations(key)
        and (algorithm not in _CURVES or key.get("crv") == _CURVES[algorithm])
    )
    if not fits:
        return None
    try:
        found = jwt.PyJWK(key, algorithm=algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return None if kind == "RSA" and found.key.key_size < SHORTEST_RSA_BITS else found


def _operations(key: Json) -> Sequence[object]:
    operations = key.get("key_ops", ["verify"])
    return operations if isinstance(operations, list) else []
