"""The tables of pipeline runs. JSON is text made by msgspec."""

from __future__ import annotations

import sqlalchemy as sa

from lockgate.db import metadata

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("made", sa.Text, nullable=False),  # JSON of run.Made
    sa.Column("author", sa.String(64), nullable=False),
    sa.Column("why", sa.String(200), nullable=False),
    sa.Column("started_us", sa.BigInteger, nullable=False),
    sa.Column("ended_us", sa.BigInteger),
    sa.Column("version", sa.Integer),  # the number of the version that it made
    sa.Column("outcome", sa.Text, nullable=False),  # JSON of store.Outcome
    sa.Index("ix_runs_model", "model", "id"),
)

run_data = sa.Table(
    "run_data",
    metadata,
    sa.Column("run", sa.Integer, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("role", sa.String(100), primary_key=True),  # the parameter that it was given as
    sa.Column("data_set", sa.String(64), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("digest", sa.String(80), nullable=False),
    sa.Index("ix_run_data_set", "data_set", "number"),
    sa.Index("ix_run_data_digest", "digest"),
)
