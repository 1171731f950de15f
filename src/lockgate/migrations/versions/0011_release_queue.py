"""Releases that wait until the one before them has ended."""

import sqlalchemy as sa
from alembic import op

revision = "0011_release_queue"
down_revision = "0010_monitor"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "release_queue",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("waiting", sa.String(80)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("settings", sa.Text),
        sa.Column("python", sa.Text),
        sa.Column("author", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("asked_us", sa.BigInteger, nullable=False),
        sa.Column("ended_us", sa.BigInteger),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("release", sa.Integer),
        sa.PrimaryKeyConstraint("id", name="pk_release_queue"),
        sa.UniqueConstraint("waiting", name="uq_release_queue_waiting"),
        sa.ForeignKeyConstraint(["release"], ["releases.id"], name="fk_release_queue_release"),
    )
    op.create_index("ix_release_queue_model", "release_queue", ["model"])


def downgrade() -> None:
    op.drop_table("release_queue")
