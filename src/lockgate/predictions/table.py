"""The Delta table of archived predictions: where it is, whose it is, and which segments of this box it holds.

A box is known by a random name (`log/box.json`), so that boxes which share a table never take each other's segments for
their own. The same file remembers the table's id: a store that is away, or another in its place, is said instead of
being taken for an empty archive.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from lockgate.blobs import Blobs
from lockgate.errors import Unavailable
from lockgate.late import late
from lockgate.predictions.flat import SCHEMA

if TYPE_CHECKING:
    import deltalake
    import pyarrow as pa
    from deltalake import exceptions
else:
    deltalake, pa, exceptions = late("deltalake"), late("pyarrow"), late("deltalake.exceptions")

TABLE = "archive/predictions"
GROUP_ROWS = 10_000  # of a row group: what a query of a short time has to read at least
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # a terminal's, in errors of far stores
MOST_WORDS = 300  # characters of what a store said
PROPERTIES = {
    # the table's own notes hold the least and the greatest value of these columns only: never a person's key
    "delta.dataSkippingStatsColumns": "at_us,version,status,release,position",
}


class Box(msgspec.Struct, frozen=True):
    """Who writes from this home, and into which table (its id; None: into none so far)."""

    name: str
    table: str | None = None


@dataclass(frozen=True)
class Look:
    """One version of the table, or none, as one box sees it."""

    table: deltalake.DeltaTable | None
    box: str | None

    def holds(self, segment: str) -> bool:
        """Whether a segment's rows are in this version of the table."""
        if self.table is None or self.box is None:
            return False
        writer, number = number_of(segment)
        newest = self.table.transaction_version(f"{self.box}/{writer}")
        return newest is not None and newest >= number

    def rows(self) -> pl.LazyFrame | None:
        """Every archived record, with all columns of `SCHEMA`; those that an older table lacks are null."""
        if self.table is None:
            return None
        there = {field.name for field in self.table.schema().fields}
        columns = [
            pl.col(name) if name in there else pl.lit(None, kind).alias(name) for name, kind in SCHEMA.items()
        ]
        return pl.scan_delta(self.table).select(columns)


class Archive:
    """The table as the box of one log folder uses it."""

    def __init__(self, log: Path, blobs: Blobs) -> None:
        self.log, self.uri = log, f"{blobs.url}/{TABLE}"

    def look(self, version: int | None = None) -> Look:
        """The table as it is now, or was at a version. Raises Unavailable when it is away."""
        box = self._box()
        with unreadable_is_said():
            table = self._open(version)
        known = box.table if box is not None else None
        if known is not None and (table is None or str(table.metadata().id) != known):
            raise Unavailable(
                "the archive of predictions is not in its store"
                if table is None
                else "the store holds another archive of predictions",
                got=self.uri,
                fix="make the store reachable again (is its disk mounted?), or correct 'blobs' in config.yaml",
            )
        return Look(table, None if box is None else box.name)

    def note(self) -> str:
        """The name of this box, made when it is new; the table's id is noted once there is one."""
        box = self._box() or Box(secrets.token_hex(8))
        if box.table is None and (table := self._open()) is not None:
            box = Box(box.name, str(table.metadata().id))
        if box != self._box():
            temporary = self._note.with_suffix(".part")
            temporary.write_bytes(msgspec.json.encode(box))
            temporary.replace(self._note)
        return box.name

    def make(self) -> None:
        """An empty table where there is none. A first write that met another box's would give the table a new id."""
        if self._open() is not None:
            return
        try:
            deltalake.DeltaTable.create(
                self.uri, _schema(), partition_by=["model", "day"], configuration=PROPERTIES,
                commit_properties=deltalake.CommitProperties(max_commit_retries=0),  # else it is made a second time
            )  # fmt: skip
        except exceptions.DeltaError:
            if self._open() is None:  # else another box was first
                raise

    def _open(self, version: int | None = None) -> deltalake.DeltaTable | None:
        """The table, if there is one. Not `is_deltatable`: it holds Python's lock while it waits for a far store."""
        try:
            return deltalake.DeltaTable(self.uri, version=version)
        except exceptions.TableNotFoundError:
            return None

    @property
    def _note(self) -> Path:
        return self.log / "box.json"

    def _box(self) -> Box | None:
        try:
            return msgspec.json.decode(self._note.read_bytes(), type=Box)
        except FileNotFoundError:
            return None


def append(store: Archive, frames: Iterable[pl.DataFrame], newest: Mapping[str, int]) -> None:
    """Commit rows together with the names of the newest segments they come from (writer -> number)."""
    box = store.note()
    with unreadable_is_said():
        store.make()
        deltalake.write_deltalake(
            store.uri,
            pa.RecordBatchReader.from_batches(_schema(), _batches(frames)),
            mode="append",
            schema_mode="merge",
            writer_properties=properties(),
            commit_properties=deltalake.CommitProperties(
                app_transactions=[
                    deltalake.Transaction(f"{box}/{name}", number) for name, number in newest.items()
                ]
            ),
        )
    store.note()


def properties() -> deltalake.WriterProperties:
    """How files of the table are written."""
    return deltalake.WriterProperties(compression="ZSTD", max_row_group_size=GROUP_ROWS)


def number_of(segment: str) -> tuple[str, int]:
    """The writer and the growing number in a segment's name."""
    writer, _, name = segment.partition("/")
    return writer, int(name.partition("-")[0])


@contextmanager
def unreadable_is_said() -> Iterator[None]:
    """What the store or a file of the table raises, as one sentence. Raises Unavailable."""
    try:
        yield
    except (exceptions.DeltaError, OSError, pl.exceptions.PolarsError) as error:
        raise Unavailable(
            "the archive of predictions cannot be used",
            got=_short(error),
            fix="is its store reachable, and are its files whole? lockgate log check says which are not",
        ) from error


def _short(error: Exception) -> str:
    """What an error says, in one line: far stores tell over several what was asked and why it failed."""
    words = " ".join(_COLOURS.sub("", str(error)).split()) or type(error).__name__
    return words if len(words) <= MOST_WORDS else f"{words[:MOST_WORDS]} ..."


def _schema() -> pa.Schema:
    return pl.DataFrame(schema=SCHEMA).to_arrow().schema


def _batches(frames: Iterable[pl.DataFrame]) -> Iterator[Any]:
    for frame in frames:
        yield from frame.sort("at_us", maintain_order=True).to_arrow().to_batches()
