"""The tables of releases: rows, moves, the outbox of effects, routes, snapshots of evidence, leases, votes, queue, contenders."""

from __future__ import annotations

import sqlalchemy as sa

from lockgate.db import metadata

releases = sa.Table(
    "releases",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("model", sa.String(64), nullable=False, index=True),
    sa.Column("running", sa.String(64), unique=True),  # the model while it runs, else NULL: one at a time
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
    sa.Column("extra_s", sa.Float, nullable=False, server_default="0"),  # by hand
    sa.Column("lowered", sa.Float),  # weight by hand; NULL: as planned
    sa.Column("finished_us", sa.BigInteger),
)

release_moves = sa.Table(
    "release_moves",
    metadata,
    sa.Column("release", sa.Integer, sa.ForeignKey("releases.id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("actor", sa.String(64), nullable=False),
    sa.Column("phase", sa.String(16), nullable=False),
    sa.Column("stage", sa.Integer, nullable=False),
    sa.Column("weight", sa.Float, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("verdicts", sa.Text, nullable=False),
)

release_effects = sa.Table(
    "release_effects",
    metadata,
    sa.Column("release", sa.Integer, sa.ForeignKey("releases.id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("effect", sa.String(32), primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("done_us", sa.BigInteger),
)

routes = sa.Table(
    "release_routes",
    metadata,
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("release", sa.Integer, nullable=False),  # the release that wrote it last
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("live", sa.Integer),
    sa.Column("canary", sa.Integer),
    sa.Column("body", sa.Text, nullable=False),
)

release_snapshots = sa.Table(
    "release_snapshots",
    metadata,
    sa.Column("scope", sa.String(100), primary_key=True),  # "model:churn", "release:7", "status:7"
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

release_leases = sa.Table(
    "release_leases",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("owner", sa.String(100), nullable=False),
    sa.Column("until_us", sa.BigInteger, nullable=False),
)

release_votes = sa.Table(
    "release_votes",
    metadata,
    sa.Column("release", sa.Integer, sa.ForeignKey("releases.id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),  # a move in between voids the vote
    sa.Column("act", sa.String(32), primary_key=True),
    sa.Column("person", sa.String(64), primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
)

release_queue = sa.Table(
    "release_queue",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("model", sa.String(64), nullable=False, index=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column(
        "waiting", sa.String(80), unique=True
    ),  # "churn/4" while it waits, else NULL: a version waits once
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("settings", sa.Text),  # JSON; NULL: the model's own
    sa.Column("python", sa.Text),
    sa.Column("author", sa.String(64), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("asked_us", sa.BigInteger, nullable=False),
    sa.Column("ended_us", sa.BigInteger),
    sa.Column("words", sa.Text, nullable=False),  # why it was refused or cancelled
    sa.Column("release", sa.Integer, sa.ForeignKey("releases.id")),  # what became of it
)

contenders = sa.Table(
    "release_contenders",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("model", sa.String(64), nullable=False, index=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("digest", sa.String(80), nullable=False),
    sa.Column("contending", sa.String(80), unique=True),  # "churn/4" while it contends, else NULL
    sa.Column("share", sa.Float, nullable=False),
    sa.Column("since_us", sa.BigInteger, nullable=False),
    sa.Column("until_us", sa.BigInteger, nullable=False),
    sa.Column("author", sa.String(64), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("began_us", sa.BigInteger, nullable=False),
    sa.Column("ended_us", sa.BigInteger),
    sa.Column("words", sa.Text, nullable=False),  # why it ended
)
