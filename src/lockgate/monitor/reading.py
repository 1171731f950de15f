"""The log of one model piece by piece, from wherever its records are now: first what is archived, then the files.

Nobody waits for this reader, so a monitor that is away for days fills no disk. A store that is away is said; what is still
in files is read meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.errors import Unavailable
from lockgate.monitor.place import Place
from lockgate.predictions.flat import SCHEMA, day_of, flat
from lockgate.predictions.log import LogReader
from lockgate.predictions.query import PREDICTED
from lockgate.predictions.record import Batch
from lockgate.predictions.stored import between
from lockgate.predictions.table import Archive, Look, unreadable_is_said

PIECE_ROWS = 100_000
HOT_RECORDS = 5_000
_COLUMNS = (
    "kind", "model", "id", "at_us", "version", "status", "rows", "inputs", "outputs", "sealed", "erased",
    "segment", "position", "key", "inference_id",
)  # fmt: skip
_KINDS = [kind.value for kind in PREDICTED]


@dataclass(frozen=True)
class Piece:
    """Records (flat, as in the archive) with the place after them.

    `more`: there is more now; `until_us`: up to when all is read while a pass over the archive is under way; `said`: what
    could not be read.
    """

    place: Place
    records: pl.DataFrame
    more: bool = False
    until_us: int | None = None
    said: str = ""


class Log:
    """The log as all watchers of one process see it in one round: what one has read, the next need not read again."""

    def __init__(self, home: Home, blobs: Blobs) -> None:
        self._home, self._archive, self._reader = home, Archive(home.log, blobs), LogReader(home.log)
        self.renew()

    def renew(self) -> None:
        """A new round: look again."""
        self._looked: Look | Unavailable | None = None
        self._batches: dict[tuple[tuple[str, int], ...], Batch] = {}

    def look(self) -> Look:
        """The archive now. Raises Unavailable."""
        if self._looked is None:
            try:
                self._looked = self._archive.look()
            except Unavailable as error:
                self._looked = error
        if isinstance(self._looked, Unavailable):
            raise self._looked
        return self._looked

    def newest(self) -> dict[str, int]:
        """Of each writer of this box, the number of its newest segment in the archive. Raises Unavailable."""
        look = self.look()
        if look.table is None or look.box is None:
            return {}
        folders = [path.name for path in self._home.log.iterdir() if path.is_dir()]
        found = {name: look.table.transaction_version(f"{look.box}/{name}") for name in folders}
        return {name: number for name, number in found.items() if number is not None}

    def read(self, place: Place) -> Batch:
        """Records of files after a place, of every model."""
        offsets = {segment: place.hot_position(segment) for segment in self._reader.segments()}
        key = tuple(offsets.items())
        if key not in self._batches:
            self._batches[key] = self._reader.read(offsets, HOT_RECORDS)
        return self._batches[key]


class ModelLog:
    """One model's records after a place."""

    def __init__(self, log: Log, model: str) -> None:
        self._log, self._model = log, model
        self.begin_again()

    def begin_again(self) -> None:
        """Forget what a pass over the archive has seen: what comes next is found from its place alone."""
        self._days: tuple[dict[str, int], list[str]] | None = None  # of the pass that is under way
        self._seen: frozenset[str] = frozenset()  # files of the archive that passes of this process have seen
        self._passing: frozenset[str] = frozenset()
        self._cuts: dict[str, list[tuple[int, int]]] = {}

    def next(self, place: Place) -> Piece:
        """The next piece; it may hold no record, and is the last for now when there is no more."""
        said = ""
        try:
            if place.archived is None:
                place = place.began(self._log.newest())
            if place.archived is not None:
                return self._archived(place)
        except Unavailable as error:
            said = error.sentence()
        return self._hot(place, said)

    def _hot(self, place: Place, said: str) -> Piece:
        batch = self._log.read(place)
        mine = [
            (record, at) for record, at in batch.records
            if record.model == self._model and record.kind in PREDICTED and record.status < 400
        ]  # fmt: skip
        for damage in batch.damage:
            said = (
                said
                or f"bytes {damage.start} to {damage.end} of the log's segment {damage.segment} are damaged"
            )
        return Piece(
            place.read_hot(batch.offsets), flat(mine), more=len(batch.records) >= HOT_RECORDS, said=said
        )

    def _archived(self, place: Place) -> Piece:
        """The next stretch of time of the pass; raises Unavailable."""
        since_us = place.archived.until_us if place.archived is not None else 0
        for day in self._days_left(place):
            for start_us, until_us in self._stretches(day):
                if until_us > since_us:
                    found = self._stretch(place, day, max(start_us, since_us), until_us)
                    return Piece(place.passed(until_us), found, more=True, until_us=until_us)
        self._seen, self._days, self._cuts = self._passing, None, {}
        return Piece(place.ended(), flat([]), more=True)

    def _days_left(self, place: Place) -> list[str]:
        """Days with archived records that are wanted, from that on which the pass has reached."""
        if place.archived is None:
            return []
        upto = place.archived.upto
        if self._days is None or self._days[0] != upto:
            files = self._files()
            new = {day for path, day in files.items() if path not in self._seen}
            with unreadable_is_said():
                there = self._rows().filter(pl.col("day").is_in(sorted(new))).select("day", "segment")
                held = there.unique().collect()
            wanted = held.filter(pl.col("segment").is_in(_wanted(place, held["segment"])))
            self._days, self._cuts = (upto, sorted(set(wanted["day"].to_list()))), {}
            self._passing = frozenset(files)
        reached = day_of(place.archived.until_us)
        return [day for day in self._days[1] if day >= reached]

    def _stretches(self, day: str) -> list[tuple[int, int]]:
        """A day cut into stretches of about as many predicted rows as fit into memory."""
        if day not in self._cuts:
            with unreadable_is_said():
                times = self._rows().filter(pl.col("day") == day).select("at_us", "rows").collect()
            counted = times.group_by("at_us").agg(pl.col("rows").clip(1).sum()).sort("at_us")
            piece = (counted["rows"].cum_sum() - 1) // PIECE_ROWS
            starts = counted.group_by(piece.alias("piece"), maintain_order=True).agg(pl.col("at_us").first())
            firsts = starts["at_us"].to_list()
            ends = [*firsts[1:], int(counted["at_us"].max()) + 1] if firsts else []  # type: ignore[arg-type]
            self._cuts = {day: list(zip(firsts, ends, strict=True))}
        return self._cuts[day]

    def _stretch(self, place: Place, day: str, since_us: int, until_us: int) -> pl.DataFrame:
        inside = (pl.col("day") == day) & between(since_us, until_us) & (pl.col("status") < 400)
        with unreadable_is_said():
            # in order of time, so that counting by the hour moves no column about
            found = self._rows().filter(inside).select(_COLUMNS).collect().sort("at_us", maintain_order=True)
        after = {name: place.wants(name) for name in found["segment"].unique().to_list()}
        if all(at == 0 for at in after.values()):
            return found
        names = [name for name, at in after.items() if at is not None]
        least = pl.DataFrame(
            {"segment": names, "after": [after[name] for name in names]},
            schema={"segment": pl.String, "after": pl.Int64},
        )
        joined = found.join(least, on="segment", how="inner", maintain_order="left")
        return joined.filter(pl.col("position") > pl.col("after")).drop("after")

    def _files(self) -> dict[str, str]:
        """The model's files in the archive, and the day of each."""
        table = self._log.look().table
        if table is None:
            return {}
        with unreadable_is_said():
            files = pl.DataFrame(table.get_add_actions(flatten=True))
        mine = files.filter(pl.col("partition.model") == self._model)
        return dict(mine.select("path", pl.col("partition.day").cast(pl.String)).iter_rows())

    def _rows(self) -> pl.LazyFrame:
        rows = self._log.look().rows()
        if rows is None:
            return pl.DataFrame(schema=SCHEMA).lazy()
        return rows.filter((pl.col("model") == self._model) & pl.col("kind").is_in(_KINDS))


def _wanted(place: Place, segments: pl.Series) -> list[str]:
    return [name for name in segments.unique().to_list() if place.wants(name) is not None]
