"""Whether every file of the archive can still be read, value by value."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import polars as pl

from lockgate.predictions.table import Archive, unreadable_is_said


class DamagedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that cannot be read, and why."""

    name: str
    why: str


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a reading of the whole archive found."""

    files: int
    damaged: list[DamagedFile]


def check_archive(archive: Archive, tell: Callable[..., None] = lambda *_: None) -> Checked:
    """Read every file of the newest version of the table. Raises Unavailable when the table itself cannot be read."""
    table = archive.look().table
    if table is None:
        return Checked(files=0, damaged=[])
    with unreadable_is_said():
        files = pl.DataFrame(table.get_add_actions(flatten=True)).select("path", "num_records").rows()
    damaged = []
    for number, (name, height) in enumerate(files):
        tell("reading the archive", number, len(files))
        why = _fault(f"{archive.uri}/{name}", height)
        if why is not None:
            damaged.append(DamagedFile(name=name, why=why))
    return Checked(files=len(files), damaged=damaged)


def _fault(uri: str, height: int) -> str | None:
    try:
        found = 0
        for batch in pl.scan_parquet(uri, hive_partitioning=False).collect_batches():
            found += batch.height
    except (OSError, pl.exceptions.PolarsError) as error:
        return str(error).splitlines()[0]
    return None if found == height else f"it holds {found} records, not {height}"
