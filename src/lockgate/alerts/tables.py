"""The tables of alerts: the alerts, what happened to each, what each address was told, and what still has to be sent."""

from __future__ import annotations

import sqlalchemy as sa

from lockgate.db import metadata

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("fingerprint", sa.String(300), nullable=False, index=True),
    sa.Column("current", sa.String(300), unique=True),  # the fingerprint until it is over for good, then NULL
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("model", sa.String(64), nullable=False, index=True),  # "*": the box
    sa.Column("subject", sa.String(200), nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("next", sa.Text, nullable=False),
    sa.Column("link", sa.String(300), nullable=False),
    sa.Column("level", sa.Float, nullable=False),
    sa.Column("flaps", sa.Integer, nullable=False),
    sa.Column("first_us", sa.BigInteger, nullable=False),
    sa.Column("changed_us", sa.BigInteger, nullable=False),
    sa.Column("gone_us", sa.BigInteger),  # since when the cause is over; NULL while it is there
    sa.Column("handled_by", sa.String(64)),  # who acknowledged or resolved it
    sa.Column("resolved_us", sa.BigInteger),
)

alert_events = sa.Table(
    "alert_events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("alert", sa.Integer, sa.ForeignKey("alerts.id"), nullable=False, index=True),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("what", sa.String(16), nullable=False),
    sa.Column("actor", sa.String(64), nullable=False),
    sa.Column("words", sa.Text, nullable=False),
)

alert_told = sa.Table(
    "alert_told",
    metadata,
    sa.Column("sink", sa.String(64), primary_key=True),
    sa.Column("alert", sa.Integer, sa.ForeignKey("alerts.id"), primary_key=True),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
)

alert_outbox = sa.Table(
    "alert_outbox",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("sink", sa.String(64), nullable=False),
    sa.Column(
        "key", sa.String(80), nullable=False, unique=True
    ),  # the same at every attempt: receivers tell repeats by it
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("made_us", sa.BigInteger, nullable=False),
    sa.Column("due_us", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("trouble", sa.Text),  # why the last attempt failed; never holds an address or a secret
    sa.Column("sent_us", sa.BigInteger),
    sa.Column("refused_us", sa.BigInteger),  # the receiver will never take it
    sa.Index("ix_alert_outbox_sink_sent_us", "sink", "sent_us"),
)
