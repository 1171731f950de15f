"""How long records are kept: days that are older go out of the archive, whole, and it is on record that they went."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from lockgate.clock import DAY_US
from lockgate.db import Database
from lockgate.governance import audit
from lockgate.predictions.flat import day_of
from lockgate.predictions.table import Archive, unreadable_is_said

ACTOR = "archiver"


@dataclass(frozen=True)
class Keeping:
    """How long a model's records are kept, and who says so: `settings`, or a policy by its name (`high/3`)."""

    days: float
    said_by: str


def retain(
    archive: Archive, database: Database, model: str, *, keeping: Keeping, needed_us: int | None, now_us: int
) -> int:
    """Take a model's days that are over out of the archive; returns how many records went.

    `needed_us`: from then on somebody still needs them (a running release). Files of the hot log are left alone: they go
    when every reader is past them. The files of the archive follow when no query can need them any more (`compact`).
    """
    until_us = now_us - round(keeping.days * DAY_US)
    last = day_of(
        until_us if needed_us is None else min(until_us, needed_us)
    )  # this day stays, for it is not over
    table = archive.look().table
    if table is None:
        return 0
    with unreadable_is_said():
        files = pl.DataFrame(table.get_add_actions(flatten=True))
        old = files.filter((pl.col("partition.model") == model) & (pl.col("partition.day") < last))
        count = int(old["num_records"].sum())
        if not count:
            return 0
        quoted = model.replace("'", "''")
        table.delete(f"model = '{quoted}' and day < '{last}'")
    with database.write() as tx:
        audit.append(tx, at_us=now_us, actor=ACTOR, action="log:records:expired", subject=model,
                     details={"records": count, "before": last, "keep_days": keeping.days,
                              "said_by": keeping.said_by})  # fmt: skip
    return count
