"""The tables of this room: how far each reader of the log is, and the labels with their history."""

from __future__ import annotations

import sqlalchemy as sa

from lockgate.db import metadata

log_readers = sa.Table(
    "log_readers",
    metadata,
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("since_us", sa.BigInteger, nullable=False),
    sa.Column("seen_us", sa.BigInteger, nullable=False),  # when it last committed: a dead reader shows here
)

log_offsets = sa.Table(
    "log_offsets",
    metadata,
    sa.Column(
        "reader", sa.String(200), sa.ForeignKey("log_readers.name", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("segment", sa.String(300), primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
)

labels = sa.Table(
    "labels",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),  # grows: the order of import
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("on_column", sa.String(200), nullable=False),  # "key", "id", "inference_id" or "in.<name>"
    sa.Column("value", sa.String(300), nullable=False),  # what that column holds, as text
    sa.Column("row", sa.Integer, nullable=False),  # row within the request; -1: every row
    sa.Column("label", sa.Text, nullable=False),  # JSON scalar
    sa.Column("at_us", sa.BigInteger, nullable=False),  # when it became known; the time of import if not told
    sa.Column("imported_us", sa.BigInteger, nullable=False),
    sa.Column("imported_by", sa.String(64), nullable=False),
    sa.Column("source", sa.String(300), nullable=False),
    sa.Index("ix_labels_model_on_value", "model", "on_column", "value", "row"),
)
