"""The tables of this room: how far each watcher is, what it counted, what it said; performance by window."""

from __future__ import annotations

import sqlalchemy as sa

from lockgate.db import metadata

monitor_watchers = sa.Table(
    "monitor_watchers",
    metadata,
    sa.Column("name", sa.String(200), primary_key=True),  # "drift:churn"
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("looked_us", sa.BigInteger, nullable=False),  # its last look, whatever came of it
    sa.Column("ok_us", sa.BigInteger),  # its last look that ended well
    sa.Column("failures", sa.Integer, nullable=False),  # in a row
    sa.Column("retry_us", sa.BigInteger, nullable=False),  # not looked before
    sa.Column("error", sa.Text),
    sa.Column("words", sa.Text, nullable=False),  # what it cannot see, or that all is well
)

monitor_places = sa.Table(
    "monitor_places",
    metadata,
    sa.Column("watcher", sa.String(200), primary_key=True),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("body", sa.Text, nullable=False),  # JSON
)

monitor_profiles = sa.Table(
    "monitor_profiles",
    metadata,
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("start_us", sa.BigInteger, primary_key=True),
    sa.Column("span_us", sa.BigInteger, primary_key=True),  # an hour; of what is old, a day
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),  # compressed msgpack of sketches
)

monitor_verdicts = sa.Table(
    "monitor_verdicts",
    metadata,
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("source", sa.String(64), primary_key=True),  # "drift", ...
    sa.Column("start_us", sa.BigInteger, primary_key=True),  # of the stretch of records that was judged
    sa.Column("until_us", sa.BigInteger, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("judged_us", sa.BigInteger, nullable=False),
    sa.Column("body", sa.Text, nullable=False),  # JSON
)

monitor_notices = sa.Table(
    "monitor_notices",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("source", sa.String(64), nullable=False),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("subject", sa.String(200), nullable=False),
    sa.Column("opened_us", sa.BigInteger, nullable=False),
    sa.Column("seen_us", sa.BigInteger, nullable=False),  # it held when last looked
    sa.Column("ended_us", sa.BigInteger),
    sa.Column("body", sa.Text, nullable=False),  # JSON of the notice
    sa.Index("ix_monitor_notices_model", "model", "ended_us"),
)


performance_parts = sa.Table(
    "performance_parts",
    metadata,
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("first", sa.BigInteger, nullable=False),  # the ledger's number of its first row
    sa.Column("since_us", sa.BigInteger, nullable=False),
    sa.Column("until_us", sa.BigInteger, nullable=False),  # of its newest row
)

performance_windows = sa.Table(
    "performance_windows",
    metadata,
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("since_us", sa.BigInteger, nullable=False),
    sa.Column("until_us", sa.BigInteger, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("labelled", sa.BigInteger, nullable=False),
    sa.Column("body", sa.Text, nullable=False),  # JSON of the window
    sa.Column("made_us", sa.BigInteger, nullable=False),
)

performance_estimates = sa.Table(
    "performance_estimates",
    metadata,
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("body", sa.Text, nullable=False),  # JSON of the estimate
    sa.Column("made_us", sa.BigInteger, nullable=False),
    sa.Column("checked_us", sa.BigInteger),  # when the labels were there to hold it against
)
