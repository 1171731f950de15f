"""Tables of the room named in the revision."""

revision = "0004_release"
down_revision = "0003_findings"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
