"""The table of retrainings. JSON is text made by msgspec."""

from __future__ import annotations

import sqlalchemy as sa

from lockgate.db import metadata

retrainings = sa.Table(
    "retrainings",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("trigger", sa.String(16), nullable=False),
    sa.Column("cause", sa.String(300), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("running", sa.String(64)),  # the model while it goes on
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("asked_us", sa.BigInteger, nullable=False),
    sa.Column("changed_us", sa.BigInteger, nullable=False),
    sa.Column("ended_us", sa.BigInteger),
    sa.Column("version", sa.Integer),
    sa.Column("release", sa.Integer),
    sa.Column("compute_s", sa.Float, nullable=False),
    sa.Column("owner", sa.String(100), nullable=False),  # the process that carries it now
    sa.Column("beat_us", sa.BigInteger, nullable=False),  # when that process was last heard of
    sa.Column("body", sa.Text, nullable=False),  # JSON of store.Rest
    sa.UniqueConstraint("model", "cause", "attempt", name="uq_retrainings_cause"),
    sa.UniqueConstraint("running", name="uq_retrainings_running"),
    sa.Index("ix_retrainings_model", "model", "id"),
)
