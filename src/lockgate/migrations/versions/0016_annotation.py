"""Labelling: batches, items, answers of people, instructions."""

import sqlalchemy as sa
from alembic import op

revision = "0016_annotation"
down_revision = "0015_searches"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "annotation_batches",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("author", sa.String(64), nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("finished_us", sa.BigInteger),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_annotation_batches"),
    )
    op.create_index("ix_annotation_batches_model", "annotation_batches", ["model", "id"])
    op.create_table(
        "annotation_items",
        sa.Column("batch", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("subject", sa.String(64)),
        sa.Column("label", sa.Text),
        sa.Column("decided_by", sa.String(64)),
        sa.PrimaryKeyConstraint("batch", "number", name="pk_annotation_items"),
        sa.ForeignKeyConstraint(["batch"], ["annotation_batches.id"], name="fk_annotation_items_batch"),
    )
    op.create_index("ix_annotation_items_subject", "annotation_items", ["subject"])
    op.create_table(
        "annotation_answers",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("batch", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("via", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_annotation_answers"),
        sa.ForeignKeyConstraint(
            ["batch", "number"],
            ["annotation_items.batch", "annotation_items.number"],
            name="fk_annotation_answers_batch",
        ),
    )
    op.create_index("ix_annotation_answers_item", "annotation_answers", ["batch", "number", "id"])
    op.create_table(
        "annotation_guides",
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("author", sa.String(64), nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("model", "number", name="pk_annotation_guides"),
    )


def downgrade() -> None:
    for table in ("annotation_guides", "annotation_answers", "annotation_items", "annotation_batches"):
        op.drop_table(table)
