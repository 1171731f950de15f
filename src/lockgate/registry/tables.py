"""The tables of models and their versions. JSON is text made by msgspec.

Rows of `versions` are written once and never changed; what people may edit later (notes, tags) has tables of its own.
"""

from __future__ import annotations

import sqlalchemy as sa

from lockgate.db import metadata

models = sa.Table(
    "models",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("tier", sa.String(16), nullable=False),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("settings", sa.Text, nullable=False),  # JSON of config.ModelConfig
    sa.Column(
        "last_number", sa.Integer, nullable=False
    ),  # of the newest version; locked when one is recorded
    sa.Column("created_by", sa.String(64), nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
)

versions = sa.Table(
    "versions",
    metadata,
    sa.Column("model", sa.String(64), sa.ForeignKey("models.name"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("digest", sa.String(80), nullable=False),
    sa.Column("author", sa.String(64), nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("manifest", sa.Text, nullable=False),  # package.json as it was sealed
    sa.UniqueConstraint("model", "digest"),
    sa.Index("ix_versions_digest", "digest"),
)

version_notes = sa.Table(
    "version_notes",
    metadata,
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("edited_by", sa.String(64), nullable=False),
    sa.Column("edited_us", sa.BigInteger, nullable=False),
    sa.ForeignKeyConstraint(["model", "number"], ["versions.model", "versions.number"]),
)

tags = sa.Table(
    "tags",
    metadata,
    sa.Column("model", sa.String(64), sa.ForeignKey("models.name"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),  # 0: the model itself
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.String(1000), nullable=False),
)

allowed_names = sa.Table(
    "allowed_names",
    metadata,
    sa.Column("model", sa.String(64), sa.ForeignKey("models.name"), primary_key=True),
    sa.Column("name", sa.String(300), primary_key=True),  # "package.module.Name"
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("allowed_by", sa.String(64), nullable=False),
    sa.Column("allowed_us", sa.BigInteger, nullable=False),
)
