"""One look at the log, hot and archived as one: every record once, in order of time, a stretch of time after the other.

However many records there are, only one stretch of them is in memory. The hot segments are read first and put aside as
files, the archive's snapshot is taken after: what was archived in between is in the snapshot, and what the snapshot
holds is left out of the hot part. A count of records by the second says where a stretch ends.
"""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lockgate.blobs import Blobs
from lockgate.clock import SECOND_US
from lockgate.predictions.flat import chunks_of, day_of, flat
from lockgate.predictions.log import LogReader
from lockgate.predictions.record import Kind, Offset, Record
from lockgate.predictions.table import Archive, unreadable_is_said

FIRST_ROWS = 5_000  # of the first stretch; then as many as fit
MOST_ROWS = 100_000
WINDOW_BYTES = 16 * 1024 * 1024
FINEST_US = 100  # a stretch is not cut finer than this
ORDER = ["at_us", "segment", "position", "place"]


@dataclass(frozen=True)
class Asked:
    """Which records are wanted. Times are microseconds, `since_us` included, `until_us` not."""

    model: str | None
    since_us: int | None = None
    until_us: int | None = None
    version: int | None = None
    kinds: tuple[Kind, ...] = (Kind.ANSWER, Kind.BATCH)

    def __call__(self, record: Record) -> bool:
        """Whether a record is wanted."""
        return (
            record.kind in self.kinds
            and (self.model is None or record.model == self.model)
            and (self.since_us is None or record.at_us >= self.since_us)
            and (self.until_us is None or record.at_us < self.until_us)
            and (self.version is None or record.version == self.version)
        )

    def expression(self) -> pl.Expr:
        """The same, over the columns of the table."""
        tests = [pl.col("kind").is_in([kind.value for kind in self.kinds])]
        tests += [pl.col("model") == self.model] if self.model is not None else []
        tests += [pl.col("version") == self.version] if self.version is not None else []
        return pl.all_horizontal(*tests, between(self.since_us, self.until_us))


@dataclass(frozen=True)
class Span:
    """A stretch of time, `until_us` not included, and how many predicted rows it holds."""

    since_us: int
    until_us: int
    rows: int


class Stored:
    """The wanted records as they are now. A context: what it puts aside is gone after it.

    `newest`: no more than so many of the newest records are needed. Raises Unavailable when the archive cannot be read.
    """

    def __init__(self, log: Path, blobs: Blobs, asked: Asked, *, newest: int | None = None) -> None:
        self._log, self._archive, self._asked, self._newest = log, Archive(log, blobs), asked, newest

    def __enter__(self) -> Stored:
        """Read the hot part and take the archive's snapshot."""
        self._aside = tempfile.TemporaryDirectory(prefix="lockgate-log-")
        try:
            hot, segments = self._put_aside(Path(self._aside.name))
            look = self._archive.look()
            fresh = [name for name in segments if not look.holds(name)]
            archived = look.rows()
            parts = [] if archived is None else [archived.filter(self._asked.expression())]
            self.rows = pl.concat([*parts, hot.filter(pl.col("segment").is_in(fresh))])
            with unreadable_is_said():
                self.spans = list(_counted(self.rows, SECOND_US))
        except BaseException:
            self._aside.cleanup()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Take away what was put aside."""
        self._aside.cleanup()

    @property
    def height(self) -> int:
        """How many predicted rows there are; a request without rows counts as one."""
        return sum(span.rows for span in self.spans)

    def windows(self, *, newest_first: bool = False, first_rows: int | None = None) -> Iterator[pl.DataFrame]:
        """The records, stretch by stretch; in each in order of time. `newest_first` turns the stretches round."""
        spans = self.spans[::-1] if newest_first else self.spans
        budget, waiting = first_rows or FIRST_ROWS, list(reversed(spans))
        while waiting:
            span = waiting.pop()
            if span.rows > 2 * budget and span.until_us - span.since_us > FINEST_US:
                finer = self._finer(span)
                waiting += finer if newest_first else finer[::-1]
                continue
            taken, rows = [span], span.rows
            while waiting and rows + waiting[-1].rows <= budget:
                taken.append(waiting.pop())
                rows += taken[-1].rows
            window = self._window(min(s.since_us for s in taken), max(s.until_us for s in taken))
            yield window
            each = max(window.estimated_size() / max(rows, 1), 1)
            budget = max(min(int(WINDOW_BYTES / each), MOST_ROWS), 1)

    def _window(self, since_us: int, until_us: int) -> pl.DataFrame:
        with unreadable_is_said():
            return self.rows.filter(between(since_us, until_us)).sort(ORDER).collect(engine="streaming")

    def _finer(self, span: Span) -> list[Span]:
        width = max((span.until_us - span.since_us) // 100, FINEST_US)
        with unreadable_is_said():
            return list(_counted(self.rows.filter(between(span.since_us, span.until_us)), width))

    def _put_aside(self, folder: Path) -> tuple[pl.LazyFrame, set[str]]:
        """The hot records, in files when they are many, and the segments that they come from."""
        segments: set[str] = set()
        placed = _wanted(self._log, self._asked, segments)
        if self._newest is not None:
            newest = heapq.nlargest(self._newest, placed, key=lambda one: one[0].at_us)
            return flat(sorted(newest, key=lambda one: one[1])).lazy(), segments
        held = flat([])
        for number, chunk in enumerate(chunks_of(placed)):
            if number:
                held.write_parquet(folder / f"{number}.parquet", compression="lz4", row_group_size=5_000)
            held = flat(chunk).sort("at_us", maintain_order=True)
        written = sorted(folder.glob("*.parquet"))
        aside = [pl.scan_parquet(written)] if written else []
        return pl.concat([*aside, held.lazy()]), segments


def between(since_us: int | None, until_us: int | None) -> pl.Expr:
    """A stretch of time as a test, by which partitions and files are left out too."""
    tests = [pl.lit(value=True)]
    if since_us is not None:
        tests += [pl.col("at_us") >= since_us, pl.col("day") >= day_of(since_us)]
    if until_us is not None:
        tests += [pl.col("at_us") < until_us, pl.col("day") <= day_of(until_us)]
    return pl.all_horizontal(tests)


def _counted(rows: pl.LazyFrame, width_us: int) -> Iterator[Span]:
    """How many predicted rows each stretch of that width holds, in order of time."""
    weight = pl.col("rows").clip(1).sum()
    counted = rows.group_by(bucket=pl.col("at_us") // width_us).agg(weight=weight).sort("bucket")
    for bucket, count in counted.collect(engine="streaming").iter_rows():
        yield Span(bucket * width_us, (bucket + 1) * width_us, count)


def _wanted(log: Path, asked: Asked, segments: set[str]) -> Iterator[tuple[Record, Offset]]:
    """Wanted records of the segments that are files now. A file that vanishes meanwhile is in the archive."""
    reader = LogReader(log)
    for segment in reader.segments():
        try:
            for record, place in reader.placed([segment]):
                if asked(record):
                    segments.add(segment)
                    yield record, place
        except FileNotFoundError:
            continue
