"""The tables of this room: readers of the log and how far they are, labels with their history, erasures, keys."""

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
    # of a business metric's values: its name
    sa.Column("metric", sa.String(64), nullable=False, server_default=""),
    sa.Index("ix_labels_model_on_value", "model", "on_column", "value", "row"),
)

log_erasures = sa.Table(
    "log_erasures",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("subject", sa.String(64), nullable=False),  # the person, as a keyed hash
    sa.Column(
        "key", sa.String(300)
    ),  # in clear until the erasure is finished, so that a crash cannot stop it
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("asked_by", sa.String(64), nullable=False),
    sa.Column("asked_us", sa.BigInteger, nullable=False),
    sa.Column("erased_us", sa.BigInteger),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("counts", sa.Text, nullable=False),  # JSON
)

log_tombstones = sa.Table(
    "log_tombstones",
    metadata,
    sa.Column("erasure", sa.Integer, sa.ForeignKey("log_erasures.id"), primary_key=True),
    sa.Column("kind", sa.String(16), primary_key=True),  # "data" | "example" | "finding"
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column(
        "rows", sa.Text, nullable=False
    ),  # JSON: numbers of the rows that are theirs, where that is known
    sa.Column("why", sa.Text, nullable=False),
)

log_keys = sa.Table(
    "log_keys",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("subject", sa.String(64), nullable=False),
    sa.Column("wrapped", sa.String(200), nullable=False),  # encrypted with the home's own secret, in hex
    sa.Column("made_us", sa.BigInteger, nullable=False),
    sa.Index("ix_log_keys_model_subject", "model", "subject"),
)

label_files = sa.Table(
    "label_files",
    metadata,
    sa.Column("digest", sa.String(80), primary_key=True),  # of a file's content
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(300), nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("taken", sa.Boolean, nullable=False),  # false: it was set aside
    sa.Column("note", sa.Text, nullable=False),
)

label_queries = sa.Table(
    "label_queries",
    metadata,
    sa.Column("name", sa.String(200), primary_key=True),  # "churn: crm"
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("reached", sa.Text, nullable=False),  # JSON: the value of the growing column that was read last
    sa.Column("asked_us", sa.BigInteger, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),  # read so far
    sa.Column("error", sa.Text),
)
