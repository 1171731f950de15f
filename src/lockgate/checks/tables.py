"""The table of validations: every list of findings that was ever recorded; what a digest is over never changes. JSON is text
by msgspec."""

from __future__ import annotations

import sqlalchemy as sa

from lockgate.db import metadata

validations = sa.Table(
    "validations",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("package", sa.String(80), nullable=False),
    sa.Column("body", sa.Text, nullable=False),  # canonical JSON of checks.store.Validation without its id
    sa.Column("digest", sa.String(80), nullable=False),  # over body
    sa.Column("author", sa.String(64), nullable=False),
    sa.Column("recorded_us", sa.BigInteger, nullable=False),
    sa.Column("veil", sa.Text),  # JSON of veils.Veiled: the baseline without values of personal columns
    sa.ForeignKeyConstraint(["model", "version"], ["versions.model", "versions.number"]),
    sa.Index("ix_validations_package", "package", "id"),
)
