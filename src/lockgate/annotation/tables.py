"""The tables of labelling: batches, their items, every answer that was ever given, instructions with their examples."""

from __future__ import annotations

import sqlalchemy as sa

from lockgate.db import metadata

annotation_batches = sa.Table(
    "annotation_batches",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # open | finished
    sa.Column("body", sa.Text, nullable=False),  # JSON of batches.Asked
    sa.Column("author", sa.String(64), nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("finished_us", sa.BigInteger),
    sa.Column("outcome", sa.Text, nullable=False),  # JSON: what became of its labels
    sa.Index("ix_annotation_batches_model", "model", "id"),
)

annotation_items = sa.Table(
    "annotation_items",
    metadata,
    sa.Column("batch", sa.Integer, sa.ForeignKey("annotation_batches.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.String(16), nullable=False),  # open | done | disputed
    sa.Column("body", sa.Text, nullable=False),  # JSON of items.Content; personal columns are not in it
    sa.Column("subject", sa.String(64)),  # whose row it is, as a keyed hash: to be found when they are erased
    sa.Column("label", sa.Text),  # JSON scalar, once it is settled
    sa.Column("decided_by", sa.String(64)),  # who settled a dispute
    sa.Index("ix_annotation_items_subject", "subject"),
)

annotation_answers = sa.Table(
    "annotation_answers",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),  # grows: the last of a person counts
    sa.Column("batch", sa.Integer, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column(
        "person", sa.String(200), nullable=False
    ),  # of an import also: somebody whom lockgate does not know
    sa.Column("label", sa.Text),  # JSON scalar; None: skipped, or taken back
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("via", sa.String(64), nullable=False),  # console | csv | label-studio
    sa.Column("brought_by", sa.String(64)),  # who brought the file that says so; None: the person's own word
    sa.ForeignKeyConstraint(["batch", "number"], ["annotation_items.batch", "annotation_items.number"]),
    sa.Index("ix_annotation_answers_item", "batch", "number", "id"),
)

annotation_guides = sa.Table(
    "annotation_guides",
    metadata,
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("body", sa.Text, nullable=False),  # JSON of guide.Guide
    sa.Column("author", sa.String(64), nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
)
