"""The first tables: feedback and its parts, counts of shown cards, used tokens, repeat-alert rows."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "feedback",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("card", sa.String(36), nullable=False),
        sa.Column("rule", sa.Integer, nullable=False),
        sa.Column("profile", sa.Integer, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("reason_code", sa.Text, nullable=False),
        sa.Column("reason_system", sa.Text, nullable=False),
        sa.Column("commented", sa.Boolean, nullable=False),
        sa.Column("outcome_at", sa.DateTime, nullable=False),
        sa.Column("outcome_day", sa.Date, nullable=False),
        sa.Column("received_at", sa.DateTime, nullable=False),
    )
    op.create_index("feedback_by_card", "feedback", ["card"])
    op.create_index("feedback_by_receipt", "feedback", ["received_at"])
    op.create_table(
        "accepted_suggestion",
        sa.Column("feedback", sa.String(64), sa.ForeignKey("feedback.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("suggestion", sa.String(36), primary_key=True),
    )
    op.create_table(
        "comment",
        sa.Column("feedback", sa.String(64), sa.ForeignKey("feedback.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("words", sa.Text, nullable=False),
    )
    op.create_table(
        "shown",
        sa.Column("client", sa.Text, primary_key=True),
        sa.Column("rule", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("profile", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("indicator", sa.String(8), primary_key=True),
        sa.Column("fate", sa.String(8), primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
    )
    op.create_index("shown_by_day", "shown", ["day"])
    op.create_table(
        "seen_token",
        sa.Column("issuer", sa.Text, primary_key=True),
        sa.Column("jti_hash", sa.String(64), primary_key=True),
        sa.Column("expires", sa.BigInteger, nullable=False),
    )
    op.create_index("seen_token_by_expiry", "seen_token", ["expires"])
    op.create_table(
        "repeat_alert",
        sa.Column("card", sa.String(36), primary_key=True),
        sa.Column("order_hash", sa.String(64), primary_key=True),
        sa.Column("expires", sa.BigInteger, nullable=False),
    )
    op.create_index("repeat_alert_by_order", "repeat_alert", ["order_hash"])
    op.create_index("repeat_alert_by_expiry", "repeat_alert", ["expires"])


def downgrade() -> None:
    """Drop the tables, and what is in them."""
    for table in ("repeat_alert", "seen_token", "shown", "comment", "accepted_suggestion", "feedback"):
        op.drop_table(table)
