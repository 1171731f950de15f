"""Runs of pipelines, the data that they read, data sets and their versions."""

import sqlalchemy as sa
from alembic import op

revision = "0012_pipelines"
down_revision = "0011_release_queue"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("made", sa.Text, nullable=False),
        sa.Column("author", sa.String(64), nullable=False),
        sa.Column("why", sa.String(200), nullable=False),
        sa.Column("started_us", sa.BigInteger, nullable=False),
        sa.Column("ended_us", sa.BigInteger),
        sa.Column("version", sa.Integer),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    op.create_index("ix_runs_model", "runs", ["model", "id"])
    op.create_table(
        "run_data",
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("role", sa.String(100), nullable=False),
        sa.Column("data_set", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.PrimaryKeyConstraint("run", "role", name="pk_run_data"),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name="fk_run_data_run"),
    )
    op.create_index("ix_run_data_set", "run_data", ["data_set", "number"])
    op.create_index("ix_run_data_digest", "run_data", ["digest"])
    op.create_table(
        "data_sets",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("last_number", sa.Integer, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_data_sets"),
    )
    op.create_table(
        "data_versions",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("columns", sa.Text, nullable=False),
        sa.Column("profile", sa.Text, nullable=False),
        sa.Column("broken", sa.Text, nullable=False),
        sa.Column("author", sa.String(64), nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", "number", name="pk_data_versions"),
        sa.UniqueConstraint("name", "digest", name="uq_data_versions_name"),
        sa.ForeignKeyConstraint(["name"], ["data_sets.name"], name="fk_data_versions_name"),
    )
    op.create_index("ix_data_versions_digest", "data_versions", ["digest"])


def downgrade() -> None:
    for table in ("data_versions", "data_sets", "run_data", "runs"):
        op.drop_table(table)
