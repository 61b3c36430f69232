"""The tables of the store. All times are UTC; ``expires`` counts seconds since 1970.

No column may hold anything from a record: cards are named by our own uuids, orders by a keyed hash.
"""

import sqlalchemy as sa

METADATA = sa.MetaData()

FEEDBACK = sa.Table(
    "feedback",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True, doc="keyed hash of what was told: the same twice is one row"),
    sa.Column("card", sa.String(36), nullable=False, doc="uuid of the card; empty when it is none of ours"),
    sa.Column("rule", sa.Integer, nullable=False, doc="permanent number of the rule; 0 when the card is not ours"),
    sa.Column("profile", sa.Integer, nullable=False, doc="permanent number of the guideline profile, or 0"),
    sa.Column("client", sa.Text, nullable=False),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("outcome", sa.String(10), nullable=False, doc="accepted or overridden"),
    sa.Column("reason_code", sa.Text, nullable=False, doc="empty when no reason was picked"),
    sa.Column("reason_system", sa.Text, nullable=False),
    sa.Column("commented", sa.Boolean, nullable=False, doc="whether a comment came with it"),
    sa.Column("outcome_at", sa.DateTime, nullable=False),
    sa.Column("outcome_day", sa.Date, nullable=False),
    sa.Column("received_at", sa.DateTime, nullable=False),
    sa.Index("feedback_by_card", "card"),
    sa.Index("feedback_by_receipt", "received_at"),
)

ACCEPTED = sa.Table(
    "accepted_suggestion",
    METADATA,
    sa.Column("feedback", sa.String(64), sa.ForeignKey(FEEDBACK.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("suggestion", sa.String(36), primary_key=True, doc="uuid of a suggestion of ours"),
)

COMMENTS = sa.Table(
    "comment",
    METADATA,
    sa.Column("feedback", sa.String(64), sa.ForeignKey(FEEDBACK.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("words", sa.Text, nullable=False, doc="free text of a clinician; written only when that is set"),
)

SHOWN = sa.Table(
    "shown",
    METADATA,
    sa.Column("client", sa.Text, primary_key=True),
    sa.Column("rule", sa.Integer, primary_key=True),
    sa.Column("profile", sa.Integer, primary_key=True),
    sa.Column("indicator", sa.String(8), primary_key=True),
    sa.Column("fate", sa.String(8), primary_key=True, doc="shown, silent or held (repeat-alert control)"),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Index("shown_by_day", "day"),
)

TOKENS = sa.Table(
    "seen_token",
    METADATA,
    sa.Column("issuer", sa.Text, primary_key=True),
    sa.Column("jti_hash", sa.String(64), primary_key=True),
    sa.Column("expires", sa.BigInteger, nullable=False),
    sa.Index("seen_token_by_expiry", "expires"),
)

REPEATS = sa.Table(
    "repeat_alert",
    METADATA,
    sa.Column("card", sa.String(36), primary_key=True),
    sa.Column(
        "order_hash",
        sa.String(64),
        primary_key=True,
        doc="keyed hash of client, patient, rule, urgency, drug, dose, route, timing",
    ),
    sa.Column("expires", sa.BigInteger, nullable=False),
    sa.Index("repeat_alert_by_order", "order_hash"),
    sa.Index("repeat_alert_by_expiry", "expires"),
)
