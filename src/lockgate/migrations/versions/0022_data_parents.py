"""Which versions of data a version was made from: the same content may come from several."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0022_data_parents"
down_revision = "0021_hands"
branch_labels = None
depends_on = None


def upgrade() -> None:
    edges = op.create_table(
        "data_parents",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("parent", sa.String(64), primary_key=True),
        sa.Column("parent_number", sa.Integer, primary_key=True, autoincrement=False),
    )
    op.create_index("ix_data_parents_parent", "data_parents", ["parent", "parent_number"])
    versions = sa.table("data_versions", sa.column("name"), sa.column("number"), sa.column("source"))
    found = []
    for name, number, source in op.get_bind().execute(sa.select(versions)).all():
        parent, _, parent_number = (json.loads(source).get("parent") or "").partition("@")
        if parent_number.isdigit():
            found.append(
                {"name": name, "number": number, "parent": parent, "parent_number": int(parent_number)}
            )
    if found:
        op.bulk_insert(edges, found)


def downgrade() -> None:
    op.drop_table("data_parents")
