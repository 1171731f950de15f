"""The ledger of one model: what was predicted, compact and in parts, so that labels find their rows however late they come.

`ledger/<model>/<number>.parquet` in the home folder; the database says which parts there are. A part counts from the
transaction that names it, which holds the place in the log too: whoever dies before it leaves a file that nobody knows, and
the next start sweeps it away. It can be thrown away at any time: it is made anew from the log.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from lockgate.config import Home
from lockgate.db import Database
from lockgate.monitor.performance_rows import Recipe, empty
from lockgate.monitor.tables import performance_parts

PLACE = "place"  # the ledger's own number of a row
PART_ROWS = 500_000  # smaller parts are joined to that size
MOST_SMALL = 30


@dataclass(frozen=True)
class PartFile:
    """One part: rows `first` to `first + rows - 1`, with times from `since_us` to `until_us`."""

    number: int
    rows: int
    first: int
    since_us: int
    until_us: int


class Ledger:
    """The parts of one model. Only one process writes at a time (`held`)."""

    def __init__(self, home: Home, model: str) -> None:
        self.folder, self.model = folder_of(home, model), model

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep others from writing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def parts(self, tx: sa.Connection) -> list[PartFile]:
        """The parts there are, in order of their rows."""
        c = performance_parts.c
        query = sa.select(c.number, c.rows, c.first, c.since_us, c.until_us).where(c.model == self.model)
        return [PartFile(*row) for row in tx.execute(query.order_by(c.first))]

    def written(self, parts: Sequence[PartFile], rows: pl.DataFrame, first: int) -> PartFile:
        """Put rows into a file that is no part yet; their own numbers begin with `first`."""
        number = max((part.number for part in parts), default=0) + 1
        numbered = rows.with_columns(pl.int_range(first, first + rows.height, dtype=pl.Int64).alias(PLACE))
        return self._put(number, numbered)

    def rows(self, recipe: Recipe, parts: Sequence[PartFile]) -> pl.LazyFrame:
        """The rows of some parts."""
        paths = [self.path(part) for part in parts]
        if not paths:
            return empty(recipe).with_columns(pl.lit(None, pl.Int64).alias(PLACE)).lazy()
        return pl.scan_parquet(paths)

    def path(self, part: PartFile) -> Path:
        """Where a part lies."""
        return self.folder / f"{part.number}.parquet"

    def note(self, tx: sa.Connection, part: PartFile) -> None:
        """Make a written file a part, in the caller's transaction."""
        tx.execute(sa.insert(performance_parts).values(model=self.model, **vars(part)))

    def sweep(self, db: Database) -> None:
        """Take away files that are no part: of whoever died, and of parts that were joined."""
        with self.held():
            with db.read() as tx:
                known = {self.path(part) for part in self.parts(tx)}
            for path in [*self.folder.glob("*.parquet"), *self.folder.glob("*.tmp")]:
                if path not in known:
                    path.unlink(missing_ok=True)

    def drop(self, tx: sa.Connection) -> None:
        """Forget every part, in the caller's transaction; `sweep` takes the files away."""
        tx.execute(sa.delete(performance_parts).where(performance_parts.c.model == self.model))

    def lost(self, tx: sa.Connection) -> bool:
        """Whether the file of a part is gone: somebody threw the ledger away."""
        return not all(self.path(part).exists() for part in self.parts(tx))

    def join(self, db: Database) -> None:
        """Join small neighbours, when there are many."""
        with self.held():
            with db.read() as tx:
                parts = self.parts(tx)
            small: list[PartFile] = []
            for part in parts:
                if part.rows >= PART_ROWS or sum(each.rows for each in small) + part.rows > PART_ROWS:
                    small = []
                if part.rows < PART_ROWS:
                    small.append(part)
                if len(small) > MOST_SMALL:
                    frame = pl.concat([pl.read_parquet(self.path(each)) for each in small])
                    self._replace(db, parts, small, frame)
                    return

    def forget(self, db: Database, keys: pl.Expr) -> int:
        """Take the rows away that meet a condition (a person's); returns how many there were."""
        gone = 0
        with self.held():
            with db.read() as tx:
                parts = self.parts(tx)
            for part in parts:
                frame = pl.read_parquet(self.path(part))
                left = frame.filter(~keys.fill_null(value=False))
                if left.height < frame.height:
                    gone += frame.height - left.height
                    parts = self._replace(db, parts, [part], left)
        return gone

    def let_go(self, db: Database, before_us: int) -> None:
        """Take parts away whose rows are all older than a time."""
        c = performance_parts.c
        with self.held(), db.write() as tx:
            old = [part for part in self.parts(tx) if part.until_us < before_us]
            tx.execute(
                sa.delete(performance_parts).where(
                    c.model == self.model, c.number.in_([part.number for part in old])
                )
            )
        for part in old:
            self.path(part).unlink(missing_ok=True)

    def _replace(
        self, db: Database, parts: list[PartFile], old: list[PartFile], frame: pl.DataFrame
    ) -> list[PartFile]:
        """One part in the place of some: it is written first, then named, then the files of the others go."""
        c = performance_parts.c
        new = [self._put(max(part.number for part in parts) + 1, frame)] if frame.height else []
        with db.write() as tx:
            numbers = [part.number for part in old]
            tx.execute(sa.delete(performance_parts).where(c.model == self.model, c.number.in_(numbers)))
            for part in new:
                self.note(tx, part)
        for part in old:
            self.path(part).unlink(missing_ok=True)
        return sorted([*(part for part in parts if part not in old), *new], key=lambda part: part.first)

    def _put(self, number: int, frame: pl.DataFrame) -> PartFile:
        self.folder.mkdir(parents=True, exist_ok=True)
        times = frame["at_us"]
        since_us, until_us = (int(times.min()), int(times.max()))  # type: ignore[arg-type]
        part = PartFile(number, frame.height, int(frame[PLACE][0]), since_us, until_us)
        temporary = self.folder / f"{number}.tmp"
        frame.write_parquet(temporary, compression="zstd", row_group_size=50_000)
        temporary.replace(self.path(part))
        return part


def folder_of(home: Home, model: str) -> Path:
    """Where a model's ledger lies."""
    return home.root / "ledger" / model
