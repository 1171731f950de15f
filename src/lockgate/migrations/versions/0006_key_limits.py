"""Keys may have a limit of their own: requests a second, and how many at once."""

import sqlalchemy as sa
from alembic import op

revision = "0006_key_limits"
down_revision = "0005_predictions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("keys", sa.Column("rate_per_s", sa.Float))
    op.add_column("keys", sa.Column("burst", sa.Integer))


def downgrade() -> None:
    with op.batch_alter_table("keys") as keys:
        keys.drop_column("burst")
        keys.drop_column("rate_per_s")
