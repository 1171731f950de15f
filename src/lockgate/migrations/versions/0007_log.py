"""Erasures of people from the log, what could not be erased, and the keys of personal columns."""

import sqlalchemy as sa
from alembic import op

revision = "0007_log"
down_revision = "0006_key_limits"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "log_erasures",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("key", sa.String(300)),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("asked_by", sa.String(64), nullable=False),
        sa.Column("asked_us", sa.BigInteger, nullable=False),
        sa.Column("erased_us", sa.BigInteger),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("counts", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log_erasures"),
    )
    op.create_table(
        "log_tombstones",
        sa.Column("erasure", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("rows", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("erasure", "kind", "name", name="pk_log_tombstones"),
        sa.ForeignKeyConstraint(["erasure"], ["log_erasures.id"], name="fk_log_tombstones_erasure"),
    )
    op.create_table(
        "log_keys",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("wrapped", sa.String(200), nullable=False),
        sa.Column("made_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log_keys"),
    )
    op.create_index("ix_log_keys_model_subject", "log_keys", ["model", "subject"])


def downgrade() -> None:
    op.drop_table("log_keys")
    op.drop_table("log_tombstones")
    op.drop_table("log_erasures")
