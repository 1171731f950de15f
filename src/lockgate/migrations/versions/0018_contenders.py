"""Versions that contend in shadow without a release."""

import sqlalchemy as sa
from alembic import op

revision = "0018_contenders"
down_revision = "0017_audit_index"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "release_contenders",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("contending", sa.String(80)),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("since_us", sa.BigInteger, nullable=False),
        sa.Column("until_us", sa.BigInteger, nullable=False),
        sa.Column("author", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("began_us", sa.BigInteger, nullable=False),
        sa.Column("ended_us", sa.BigInteger),
        sa.Column("words", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_release_contenders"),
        sa.UniqueConstraint("contending", name="uq_release_contenders_contending"),
    )
    op.create_index("ix_release_contenders_model", "release_contenders", ["model"])


def downgrade() -> None:
    op.drop_table("release_contenders")
