"""Performance over time: parts of the ledger, windows, estimates; files and queries that labels were taken from."""

import sqlalchemy as sa
from alembic import op

revision = "0013_performance"
down_revision = "0012_pipelines"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "performance_parts",
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("since_us", sa.BigInteger, nullable=False),
        sa.Column("until_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("model", "number", name="pk_performance_parts"),
    )
    op.create_table(
        "performance_windows",
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("since_us", sa.BigInteger, nullable=False),
        sa.Column("until_us", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("labelled", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("made_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("model", "version", "number", name="pk_performance_windows"),
    )
    op.create_table(
        "performance_estimates",
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("made_us", sa.BigInteger, nullable=False),
        sa.Column("checked_us", sa.BigInteger),
        sa.PrimaryKeyConstraint("model", "version", "number", name="pk_performance_estimates"),
    )
    op.create_table(
        "label_files",
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("name", sa.String(300), nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("taken", sa.Boolean, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("digest", "model", name="pk_label_files"),
    )
    op.create_table(
        "label_queries",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("reached", sa.Text, nullable=False),
        sa.Column("asked_us", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("name", name="pk_label_queries"),
    )


def downgrade() -> None:
    for name in (
        "label_queries",
        "label_files",
        "performance_estimates",
        "performance_windows",
        "performance_parts",
    ):
        op.drop_table(name)
