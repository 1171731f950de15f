"""Retrainings, each asked for once a cause and attempt; approvals that people give beforehand, and what used them."""

import sqlalchemy as sa
from alembic import op

revision = "0014_retraining"
down_revision = "0013_performance"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "retrainings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("trigger", sa.String(16), nullable=False),
        sa.Column("cause", sa.String(300), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("running", sa.String(64)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("asked_us", sa.BigInteger, nullable=False),
        sa.Column("changed_us", sa.BigInteger, nullable=False),
        sa.Column("ended_us", sa.BigInteger),
        sa.Column("version", sa.Integer),
        sa.Column("release", sa.Integer),
        sa.Column("compute_s", sa.Float, nullable=False),
        sa.Column("owner", sa.String(100), nullable=False),
        sa.Column("beat_us", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.UniqueConstraint("model", "cause", "attempt", name="uq_retrainings_cause"),
        sa.UniqueConstraint("running", name="uq_retrainings_running"),
    )
    op.create_index("ix_retrainings_model", "retrainings", ["model", "id"])
    op.create_table(
        "standing_approvals",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("allowed_by", sa.String(64), sa.ForeignKey("people.id"), nullable=False),
        sa.Column("policy", sa.String(80), nullable=False),
        sa.Column("terms", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("allowed_us", sa.BigInteger, nullable=False),
        sa.Column("revoked_us", sa.BigInteger),
        sa.Column("revoked_by", sa.String(64)),
    )
    op.create_index("ix_standing_approvals_model", "standing_approvals", ["model"])
    op.create_table(
        "standing_uses",
        sa.Column("standing", sa.Integer, sa.ForeignKey("standing_approvals.id"), primary_key=True),
        sa.Column("request", sa.Integer, sa.ForeignKey("approval_requests.id"), primary_key=True),
        sa.Column("used_us", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    for name in ("standing_uses", "standing_approvals", "retrainings"):
        op.drop_table(name)
