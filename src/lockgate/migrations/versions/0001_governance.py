"""Tables of the room named in the revision."""

revision = "0001_governance"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
