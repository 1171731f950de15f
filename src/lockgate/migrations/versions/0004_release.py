"""Releases: rows, moves, the outbox, routes, snapshots of evidence, leases, votes."""

import sqlalchemy as sa
from alembic import op

revision = "0004_release"
down_revision = "0003_findings"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "releases",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("running", sa.String(64)),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("previous", sa.Integer),
        sa.Column("previous_digest", sa.String(80)),
        sa.Column("previous_python", sa.Text),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("held_from", sa.String(16)),
        sa.Column("stage", sa.Integer, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("salt", sa.String(32), nullable=False),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("frozen", sa.Text, nullable=False),
        sa.Column("author", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("overridden", sa.Boolean, nullable=False),
        sa.Column("advisory", sa.Boolean, nullable=False),
        sa.Column("fields_confirmed", sa.Boolean, nullable=False),
        sa.Column("void_seq", sa.Integer, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("phase_us", sa.BigInteger, nullable=False),
        sa.Column("limit_us", sa.BigInteger, nullable=False),
        sa.Column("finished_us", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_releases"),
        sa.UniqueConstraint("running", name="uq_releases_running"),
    )
    op.create_index("ix_releases_model", "releases", ["model"])
    op.create_table(
        "release_moves",
        sa.Column("release", sa.Integer, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("stage", sa.Integer, nullable=False),
        sa.Column("weight", sa.Float, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("verdicts", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["release"], ["releases.id"], name="fk_release_moves_release"),
        sa.PrimaryKeyConstraint("release", "seq", name="pk_release_moves"),
    )
    op.create_table(
        "release_effects",
        sa.Column("release", sa.Integer, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("effect", sa.String(32), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("done_us", sa.BigInteger),
        sa.ForeignKeyConstraint(["release"], ["releases.id"], name="fk_release_effects_release"),
        sa.PrimaryKeyConstraint("release", "seq", "effect", name="pk_release_effects"),
    )
    op.create_table(
        "release_routes",
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("release", sa.Integer, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("live", sa.Integer),
        sa.Column("canary", sa.Integer),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("model", name="pk_release_routes"),
    )
    op.create_table(
        "release_snapshots",
        sa.Column("scope", sa.String(100), nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("scope", name="pk_release_snapshots"),
    )
    op.create_table(
        "release_leases",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("owner", sa.String(100), nullable=False),
        sa.Column("until_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_release_leases"),
    )
    op.create_table(
        "release_votes",
        sa.Column("release", sa.Integer, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("act", sa.String(32), nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["release"], ["releases.id"], name="fk_release_votes_release"),
        sa.PrimaryKeyConstraint("release", "seq", "act", "person", name="pk_release_votes"),
    )


def downgrade() -> None:
    op.drop_table("release_votes")
    op.drop_table("release_leases")
    op.drop_table("release_snapshots")
    op.drop_table("release_routes")
    op.drop_table("release_effects")
    op.drop_table("release_moves")
    op.drop_table("releases")
