"""Searches for better parameters, and their trials."""

import sqlalchemy as sa
from alembic import op

revision = "0015_searches"
down_revision = "0014_retraining"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "searches",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("wanted", sa.Boolean, nullable=False),
        sa.Column("asked", sa.Text, nullable=False),
        sa.Column("goals", sa.Text, nullable=False),
        sa.Column("ground", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("author", sa.String(64), nullable=False),
        sa.Column("started_us", sa.BigInteger, nullable=False),
        sa.Column("ended_us", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_searches"),
    )
    op.create_index("ix_searches_model", "searches", ["model", "id"])
    op.create_table(
        "trials",
        sa.Column("search", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("search", "number", name="pk_trials"),
        sa.ForeignKeyConstraint(["search"], ["searches.id"], name="fk_trials_search"),
    )


def downgrade() -> None:
    for table in ("trials", "searches"):
        op.drop_table(table)
