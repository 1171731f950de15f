"""Models, their versions, notes, tags, and names that an admin allowed."""

import sqlalchemy as sa
from alembic import op

revision = "0002_registry"
down_revision = "0001_governance"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "models",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("tier", sa.String(16), nullable=False),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("last_number", sa.Integer, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_models"),
    )
    op.create_table(
        "versions",
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("author", sa.String(64), nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("manifest", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("model", "number", name="pk_versions"),
        sa.UniqueConstraint("model", "digest", name="uq_versions_model"),
        sa.ForeignKeyConstraint(["model"], ["models.name"], name="fk_versions_model"),
    )
    op.create_index("ix_versions_digest", "versions", ["digest"])
    op.create_table(
        "version_notes",
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("edited_by", sa.String(64), nullable=False),
        sa.Column("edited_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("model", "number", name="pk_version_notes"),
        sa.ForeignKeyConstraint(
            ["model", "number"], ["versions.model", "versions.number"], name="fk_version_notes_model"
        ),
    )
    op.create_table(
        "tags",
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("value", sa.String(1000), nullable=False),
        sa.PrimaryKeyConstraint("model", "number", "name", name="pk_tags"),
        sa.ForeignKeyConstraint(["model"], ["models.name"], name="fk_tags_model"),
    )
    op.create_table(
        "allowed_names",
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("name", sa.String(300), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("allowed_by", sa.String(64), nullable=False),
        sa.Column("allowed_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("model", "name", name="pk_allowed_names"),
        sa.ForeignKeyConstraint(["model"], ["models.name"], name="fk_allowed_names_model"),
    )


def downgrade() -> None:
    for table in ("allowed_names", "tags", "version_notes", "versions", "models"):
        op.drop_table(table)
