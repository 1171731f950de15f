"""Monitors: how far each watcher is, what it counted, how it judged, what it said."""

import sqlalchemy as sa
from alembic import op

revision = "0010_monitor"
down_revision = "0009_alerts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "monitor_watchers",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("looked_us", sa.BigInteger, nullable=False),
        sa.Column("ok_us", sa.BigInteger),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("retry_us", sa.BigInteger, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("words", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_monitor_watchers"),
    )
    op.create_table(
        "monitor_places",
        sa.Column("watcher", sa.String(200), nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("watcher", name="pk_monitor_places"),
    )
    op.create_table(
        "monitor_profiles",
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("start_us", sa.BigInteger, nullable=False),
        sa.Column("span_us", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("model", "version", "start_us", "span_us", name="pk_monitor_profiles"),
    )
    op.create_table(
        "monitor_verdicts",
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("start_us", sa.BigInteger, nullable=False),
        sa.Column("until_us", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("judged_us", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("model", "version", "source", "start_us", name="pk_monitor_verdicts"),
    )
    op.create_table(
        "monitor_notices",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("opened_us", sa.BigInteger, nullable=False),
        sa.Column("seen_us", sa.BigInteger, nullable=False),
        sa.Column("ended_us", sa.BigInteger),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_monitor_notices"),
    )
    op.create_index("ix_monitor_notices_model", "monitor_notices", ["model", "ended_us"])


def downgrade() -> None:
    for table in ("notices", "verdicts", "profiles", "places", "watchers"):
        op.drop_table(f"monitor_{table}")
