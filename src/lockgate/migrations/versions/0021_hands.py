"""What people set by hand while a release runs: more time, a smaller weight of the canary."""

import sqlalchemy as sa
from alembic import op

revision = "0021_hands"
down_revision = "0020_annotators"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("releases", sa.Column("extra_s", sa.Float, nullable=False, server_default="0"))
    op.add_column("releases", sa.Column("lowered", sa.Float))


def downgrade() -> None:
    op.drop_column("releases", "lowered")
    op.drop_column("releases", "extra_s")
