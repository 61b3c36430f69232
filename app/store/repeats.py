"""Repeat-alert control: which orders a clinician has answered with a reason, and not long ago."""

from collections.abc import Collection

import sqlalchemy as sa

from app.store.database import Database
from app.store.tables import FEEDBACK, REPEATS


def overridden(database: Database, client: str, order_hashes: Collection[str], now: float) -> frozenset[str]:
    """Those of ``order_hashes`` about which a card of this client was overridden with a reason and has not expired.

    ``now`` is seconds since 1970.

    Raises:
        StoreDownError: the store gave no answer in time.
    """
    answered = (
        sa.select(REPEATS.c.order_hash)
        .join(FEEDBACK, FEEDBACK.c.card == REPEATS.c.card)
        .where(
            REPEATS.c.order_hash.in_(order_hashes),
            REPEATS.c.expires > now,
            FEEDBACK.c.client == client,
            FEEDBACK.c.outcome == "overridden",
            sa.or_(FEEDBACK.c.reason_code != "", FEEDBACK.c.commented),
        )
        .distinct()
    )
    return database.in_call(lambda connection: frozenset(connection.scalars(answered)))
