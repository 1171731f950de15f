"""Tables of the room named in the revision."""

revision = "0005_predictions"
down_revision = "0004_release"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
