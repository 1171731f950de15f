"""The newest rows of one kind on one subject are found without reading the others."""

from alembic import op

revision = "0017_audit_index"
down_revision = "0016_annotation"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_audit_subject_action", "audit", ["subject", "action", "seq"])


def downgrade() -> None:
    op.drop_index("ix_audit_subject_action", "audit")
