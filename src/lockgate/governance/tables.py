"""The tables of people, keys, policies, approvals and the audit log. JSON is text made by msgspec."""

from __future__ import annotations

import sqlalchemy as sa

from lockgate.db import metadata

people = sa.Table(
    "people",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
)

grants = sa.Table(
    "grants",
    metadata,
    sa.Column("person", sa.String(64), sa.ForeignKey("people.id"), primary_key=True),
    sa.Column("role", sa.String(16), primary_key=True),
    sa.Column("model", sa.String(64), primary_key=True),  # "*": every model
    sa.Column("granted_by", sa.String(64), nullable=False),
    sa.Column("granted_us", sa.BigInteger, nullable=False),
)

keys = sa.Table(
    "keys",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
    sa.Column("prefix", sa.String(16), nullable=False),
    sa.Column("person", sa.String(64), sa.ForeignKey("people.id"), nullable=False, index=True),
    sa.Column("label", sa.String(200), nullable=False),
    sa.Column("created_by", sa.String(64), nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("revoked_us", sa.BigInteger),
    sa.Column("rate_per_s", sa.Float),  # requests a second at the gateway; null: the gateway's default
    sa.Column("burst", sa.Integer),
)

policies = sa.Table(
    "policies",
    metadata,
    sa.Column("tier", sa.String(16), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("digest", sa.String(80), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("author", sa.String(64), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("written_us", sa.BigInteger, nullable=False),
)

approval_requests = sa.Table(
    "approval_requests",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("seal", sa.String(80), nullable=False),
    sa.Column("round", sa.Integer, nullable=False),  # grows when an approval ran out and is asked for again
    sa.Column("model", sa.String(64), nullable=False, index=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("parts", sa.Text, nullable=False),  # the seal's four digests
    sa.Column("policy", sa.String(32), nullable=False),  # "high/3"
    sa.Column("needed", sa.Integer, nullable=False),
    sa.Column("independent", sa.Boolean, nullable=False),
    sa.Column("valid_us", sa.BigInteger, nullable=False),
    sa.Column("makers", sa.Text, nullable=False),  # author and co-builders, JSON list
    sa.Column("requested_by", sa.String(64), nullable=False),
    sa.Column("requested_us", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("seal", "round"),
)

approval_decisions = sa.Table(
    "approval_decisions",
    metadata,
    sa.Column("request", sa.Integer, sa.ForeignKey("approval_requests.id"), primary_key=True),
    sa.Column("actor", sa.String(64), primary_key=True),  # a person, or "policy:low/1"
    sa.Column("decision", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("decided_us", sa.BigInteger, nullable=False),
)

standing_approvals = sa.Table(
    "standing_approvals",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("model", sa.String(64), nullable=False, index=True),
    sa.Column("allowed_by", sa.String(64), sa.ForeignKey("people.id"), nullable=False),
    sa.Column("policy", sa.String(80), nullable=False),  # digest of the policy under which it was given
    sa.Column("terms", sa.Text, nullable=False),  # JSON of standing.Terms
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("allowed_us", sa.BigInteger, nullable=False),
    sa.Column("revoked_us", sa.BigInteger),
    sa.Column("revoked_by", sa.String(64)),
)

standing_uses = sa.Table(
    "standing_uses",
    metadata,
    sa.Column("standing", sa.Integer, sa.ForeignKey("standing_approvals.id"), primary_key=True),
    sa.Column("request", sa.Integer, sa.ForeignKey("approval_requests.id"), primary_key=True),
    sa.Column("used_us", sa.BigInteger, nullable=False),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("actor", sa.String(64), nullable=False),
    sa.Column("action", sa.String(64), nullable=False, index=True),
    sa.Column("subject", sa.String(200), nullable=False, index=True),
    sa.Column("details", sa.Text, nullable=False),
    sa.Column("prev_hash", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Index("ix_audit_subject_action", "subject", "action", "seq"),
)

audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),  # always 1: the row that writers lock
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

audit_checkpoints = sa.Table(
    "audit_checkpoints",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("signature", sa.String(128), nullable=False),
)
