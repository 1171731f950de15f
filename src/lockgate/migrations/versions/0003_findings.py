"""Tables of the room named in the revision."""

revision = "0003_findings"
down_revision = "0002_registry"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
