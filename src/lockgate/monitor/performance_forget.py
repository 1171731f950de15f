"""People who are erased from the log are erased from the ledger too: at once while their key is known, and once more, by the
keyed hash that stays on record, when the erasure is finished."""

from __future__ import annotations

import polars as pl
import sqlalchemy as sa

from lockgate.config import Home
from lockgate.db import Database
from lockgate.monitor.performance_ledger import Ledger
from lockgate.predictions.erase import ErasureState
from lockgate.predictions.subject import log_secret, subject_of
from lockgate.predictions.tables import log_erasures


def forget_erased(home: Home, db: Database, ledger: Ledger, after: int) -> int:
    """Take the rows of people out of the ledger whose erasure has a number above `after`; the number up to which nothing is
    left to do. Erasures that are under way are looked at again at the next call."""
    c = log_erasures.c
    query = (
        sa.select(c.id, c.key, c.subject, c.state).where(c.model == ledger.model, c.id > after).order_by(c.id)
    )
    with db.read() as tx:
        erasures, parts = tx.execute(query).all(), ledger.parts(tx)
    if not erasures:
        return after
    keys = {row.key for row in erasures if row.key is not None}
    hidden = {row.subject for row in erasures if row.key is None}
    paths = [ledger.path(part) for part in parts]
    if paths:
        known = (
            pl.scan_parquet(paths)
            .select(pl.col("key").unique())
            .collect(engine="streaming")["key"]
            .drop_nulls()
        )
        if hidden:
            secret = log_secret(home.secrets)
            keys |= {key for key in known if subject_of(secret, ledger.model, key) in hidden}
        gone = keys & set(known)
        if gone:
            ledger.forget(db, pl.col("key").is_in(sorted(gone)))
    waiting = [row.id for row in erasures if row.state != ErasureState.FINISHED]
    return min(waiting) - 1 if waiting else int(erasures[-1].id)
