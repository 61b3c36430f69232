"""The tokens used so far, shared by all workers and replicas until they expire."""

import hashlib
import math
from collections.abc import Callable
from functools import cache

import sqlalchemy as sa

from app.store.database import Database, insert
from app.store.tables import TOKENS

SWEEP_SECONDS = 60


class SeenTokens:
    """Remembers each token by issuer and a hash of its ``jti``. ``now`` is seconds since 1970.

    ``sweep`` is asked now and then to delete what has expired, behind the answer.
    """

    def __init__(self, database: Database, *, now: Callable[[], float], sweep: Callable[[], None]) -> None:
        self._database = database
        self._now = now
        self._sweep = sweep
        self._next_sweep = 0.0

    def __call__(self, issuer: str, jti: str, expires: float) -> bool:
        """Whether this token was seen before; from now on it was.

        Raises:
            StoreDownError: the store gave no answer in time.
        """
        now = self._now()
        row = {
            "issuer": issuer,
            "jti_hash": hashlib.sha256(jti.encode("utf-8", "surrogatepass")).hexdigest(),
            "expires": math.ceil(expires),
        }
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_SECONDS
            self._sweep()

        def remember(connection: sa.Connection) -> bool:
            return connection.scalar(_remembering(connection.dialect.name), {**row, "now": now}) is None

        return self._database.in_call(remember)


@cache
def _remembering(dialect: str) -> sa.UpdateBase:
    """Gives the expiry when the token is new, or was seen so long ago that it has expired."""
    statement = insert(dialect, TOKENS)
    return statement.on_conflict_do_update(
        index_elements=[TOKENS.c.issuer, TOKENS.c.jti_hash],
        set_={"expires": statement.excluded.expires},
        where=TOKENS.c.expires <= sa.bindparam("now"),
    ).returning(TOKENS.c.expires)
