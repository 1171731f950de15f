"""What took the place of a validation's baseline: the same without values of personal columns."""

import sqlalchemy as sa
from alembic import op

revision = "0019_baseline_veils"
down_revision = "0018_contenders"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("validations", sa.Column("veil", sa.Text))


def downgrade() -> None:
    op.drop_column("validations", "veil")
