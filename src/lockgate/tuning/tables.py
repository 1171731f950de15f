"""The tables of searches. JSON is text made by msgspec."""

from __future__ import annotations

import sqlalchemy as sa

from lockgate.db import metadata

searches = sa.Table(
    "searches",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("wanted", sa.Boolean, nullable=False),  # false: a person asked it to stop
    sa.Column("asked", sa.Text, nullable=False),  # JSON of trial.SearchOrder
    sa.Column("goals", sa.Text, nullable=False),  # JSON of trial.Goal
    sa.Column("ground", sa.Text, nullable=False),  # JSON of trial.Ground
    sa.Column("outcome", sa.Text, nullable=False),  # JSON of trial.SearchEnd
    sa.Column("author", sa.String(64), nullable=False),
    sa.Column("started_us", sa.BigInteger, nullable=False),
    sa.Column("ended_us", sa.BigInteger),
    sa.Index("ix_searches_model", "model", "id"),
)

trials = sa.Table(
    "trials",
    metadata,
    sa.Column("search", sa.Integer, sa.ForeignKey("searches.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("body", sa.Text, nullable=False),  # JSON of trial.Trial
)
