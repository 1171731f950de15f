"""Tables of the room named in the revision."""

revision = "0002_registry"
down_revision = "0001_governance"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
