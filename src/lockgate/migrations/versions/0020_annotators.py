"""Who brought an answer in a file: that it is the named person's only the file says."""

import sqlalchemy as sa
from alembic import op

revision = "0020_annotators"
down_revision = "0019_baseline_veils"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("annotation_answers", sa.Column("brought_by", sa.String(64)))


def downgrade() -> None:
    op.drop_column("annotation_answers", "brought_by")
