"""Alerts: what is wrong now and was before, what happened to each, what each address was told, what has to be sent."""

import sqlalchemy as sa
from alembic import op

revision = "0009_alerts"
down_revision = "0008_metric_values"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("fingerprint", sa.String(300), nullable=False),
        sa.Column("current", sa.String(300)),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("next", sa.Text, nullable=False),
        sa.Column("link", sa.String(300), nullable=False),
        sa.Column("level", sa.Float, nullable=False),
        sa.Column("flaps", sa.Integer, nullable=False),
        sa.Column("first_us", sa.BigInteger, nullable=False),
        sa.Column("changed_us", sa.BigInteger, nullable=False),
        sa.Column("gone_us", sa.BigInteger),
        sa.Column("handled_by", sa.String(64)),
        sa.Column("resolved_us", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
        sa.UniqueConstraint("current", name="uq_alerts_current"),
    )
    op.create_index("ix_alerts_fingerprint", "alerts", ["fingerprint"])
    op.create_index("ix_alerts_model", "alerts", ["model"])
    op.create_table(
        "alert_events",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("alert", sa.Integer, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("what", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alert_events"),
        sa.ForeignKeyConstraint(["alert"], ["alerts.id"], name="fk_alert_events_alert"),
    )
    op.create_index("ix_alert_events_alert", "alert_events", ["alert"])
    op.create_table(
        "alert_told",
        sa.Column("sink", sa.String(64), nullable=False),
        sa.Column("alert", sa.Integer, nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("sink", "alert", name="pk_alert_told"),
        sa.ForeignKeyConstraint(["alert"], ["alerts.id"], name="fk_alert_told_alert"),
    )
    op.create_table(
        "alert_outbox",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("sink", sa.String(64), nullable=False),
        sa.Column("key", sa.String(80), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("made_us", sa.BigInteger, nullable=False),
        sa.Column("due_us", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("trouble", sa.Text),
        sa.Column("sent_us", sa.BigInteger),
        sa.Column("refused_us", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_alert_outbox"),
        sa.UniqueConstraint("key", name="uq_alert_outbox_key"),
    )
    op.create_index("ix_alert_outbox_sink_sent_us", "alert_outbox", ["sink", "sent_us"])


def downgrade() -> None:
    for table in ("alert_outbox", "alert_told", "alert_events", "alerts"):
        op.drop_table(table)
