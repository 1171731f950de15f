"""The tables of data sets and their versions. Rows of versions are written once; JSON is text made by msgspec."""

from __future__ import annotations

import sqlalchemy as sa

from lockgate.db import metadata

data_sets = sa.Table(
    "data_sets",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("settings", sa.Text, nullable=False),  # JSON of versions.DataSettings
    sa.Column("last_number", sa.Integer, nullable=False),  # locked when a version is recorded
    sa.Column("created_by", sa.String(64), nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
)

data_versions = sa.Table(
    "data_versions",
    metadata,
    sa.Column("name", sa.String(64), sa.ForeignKey("data_sets.name"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("digest", sa.String(80), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),  # table | images
    sa.Column("source", sa.Text, nullable=False),  # JSON of versions.Source
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("columns", sa.Text, nullable=False),  # JSON: [[name, type], ...]
    sa.Column("profile", sa.Text, nullable=False),  # JSON of profile.Profile
    sa.Column("broken", sa.Text, nullable=False),  # JSON: expectations that it breaks
    sa.Column("author", sa.String(64), nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("name", "digest"),
    sa.Index("ix_data_versions_digest", "digest"),
)

data_parents = sa.Table(
    "data_parents",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column(
        "parent", sa.String(64), primary_key=True
    ),  # the data set of the version that this one was made from
    sa.Column("parent_number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Index("ix_data_parents_parent", "parent", "parent_number"),
)
