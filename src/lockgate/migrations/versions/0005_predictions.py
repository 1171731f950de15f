"""Readers of the prediction log with their offsets, and labels with their history."""

import sqlalchemy as sa
from alembic import op

revision = "0005_predictions"
down_revision = "0004_release"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "log_readers",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("since_us", sa.BigInteger, nullable=False),
        sa.Column("seen_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_log_readers"),
    )
    op.create_table(
        "log_offsets",
        sa.Column("reader", sa.String(200), nullable=False),
        sa.Column("segment", sa.String(300), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("reader", "segment", name="pk_log_offsets"),
        sa.ForeignKeyConstraint(
            ["reader"], ["log_readers.name"], name="fk_log_offsets_reader", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "labels",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("on_column", sa.String(200), nullable=False),
        sa.Column("value", sa.String(300), nullable=False),
        sa.Column("row", sa.Integer, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("imported_us", sa.BigInteger, nullable=False),
        sa.Column("imported_by", sa.String(64), nullable=False),
        sa.Column("source", sa.String(300), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_labels"),
    )
    op.create_index("ix_labels_model_on_value", "labels", ["model", "on_column", "value", "row"])


def downgrade() -> None:
    op.drop_table("labels")
    op.drop_table("log_offsets")
    op.drop_table("log_readers")
