"""Values of business metrics, which come as labels do and are kept apart by the metric's name."""

import sqlalchemy as sa
from alembic import op

revision = "0008_metric_values"
down_revision = "0007_log"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("labels", sa.Column("metric", sa.String(64), nullable=False, server_default=""))


def downgrade() -> None:
    with op.batch_alter_table("labels") as labels:
        labels.drop_column("metric")
