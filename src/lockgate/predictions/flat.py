"""Records as rows of a table, and back without loss."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from itertools import groupby

import msgspec
import polars as pl

from lockgate.clock import SECOND_US
from lockgate.predictions.record import Attempt, Block, Kind, Offset, Record, Sealed
from lockgate.traffic import Role

CHUNK_RECORDS = 20_000
CHUNK_BYTES = 16 * 1024 * 1024
SCHEMA: dict[str, type[pl.DataType]] = {
    "model": pl.String, "day": pl.String, "kind": pl.String, "id": pl.String, "at_us": pl.Int64,
    "latency_us": pl.Int64, "version": pl.Int64, "digest": pl.String, "role": pl.String, "assigned": pl.String,
    "weight": pl.Float64, "epoch": pl.Int64, "release": pl.Int64, "stage": pl.Int64, "forced": pl.Boolean,
    "key": pl.String, "inference_id": pl.String, "caller": pl.String, "status": pl.Int64, "rows": pl.Int64,
    "error": pl.String, "failed_version": pl.Int64, "failed_digest": pl.String, "failed_reason": pl.String,
    "failed_error": pl.String, "failed_latency_us": pl.Int64, "of": pl.String, "inputs": pl.Binary,
    "outputs": pl.Binary, "segment": pl.String, "position": pl.Int64, "place": pl.Int64, "sealed": pl.Binary,
    "erased": pl.Binary, "trace": pl.String,
}  # fmt: skip
_PACKED = ("inputs", "outputs", "sealed", "erased")  # msgpack; empty lists of the last two are null
_SAME = tuple(name for name in Record.__struct_fields__ if name in SCHEMA and name not in _PACKED)
_ENUMS = {"kind": Kind, "role": Role, "assigned": Role}
_ATTEMPT = Attempt.__struct_fields__
_encoder = msgspec.msgpack.Encoder()
_blocks = msgspec.msgpack.Decoder(list[Block])
_sealed = msgspec.msgpack.Decoder(list[Sealed])
_rows = msgspec.msgpack.Decoder(list[int])


def chunks_of(placed: Iterable[tuple[Record, Offset]]) -> Iterator[list[tuple[Record, Offset]]]:
    """The same records in lists that fit into memory: whole frames, so that `flat` can count places within them."""
    chunk: list[tuple[Record, Offset]] = []
    size, last = 0, Offset("", 0)
    for record, place in placed:
        if place != last:
            if len(chunk) >= CHUNK_RECORDS or size >= CHUNK_BYTES:
                yield chunk
                chunk, size = [], 0
            size += place.position - (last.position if place.segment == last.segment else 0)
            last = place
        chunk.append((record, place))
    if chunk:
        yield chunk


def flat(placed: Iterable[tuple[Record, Offset]]) -> pl.DataFrame:
    """One row per record. `place` is the record's place within the frame that ends at the offset."""
    pairs = list(placed)
    records, offsets = [record for record, _ in pairs], [offset for _, offset in pairs]
    columns: dict[str, list[object]] = {name: [getattr(record, name) for record in records] for name in _SAME}
    for name in _ATTEMPT:
        columns[f"failed_{name}"] = [
            None if record.failed is None else getattr(record.failed, name) for record in records
        ]
    columns["day"] = [day_of(record.at_us) for record in records]
    for name in ("inputs", "outputs"):
        columns[name] = [_encoder.encode(getattr(record, name)) for record in records]
    for name in ("sealed", "erased"):
        values = [getattr(record, name) for record in records]
        columns[name] = [_encoder.encode(value) if value else None for value in values]
    columns["segment"] = [offset.segment for offset in offsets]
    columns["position"] = [offset.position for offset in offsets]
    columns["place"] = [place for _, group in groupby(offsets) for place, _ in enumerate(group)]
    return pl.DataFrame(columns, schema=SCHEMA)


def record_of(row: dict[str, object]) -> Record:
    """A row of the table as the record that it was."""
    attempt = [row[f"failed_{name}"] for name in _ATTEMPT]
    return Record(
        **{name: row[name] for name in _SAME if name not in _ENUMS},  # type: ignore[arg-type]
        **{name: kind(row[name]) for name, kind in _ENUMS.items()},  # type: ignore[arg-type]
        inputs=blocks_in(row["inputs"]),
        outputs=blocks_in(row["outputs"]),
        sealed=sealed_in(row["sealed"]),
        erased=rows_in(row["erased"]),
        failed=msgspec.convert(attempt, Attempt) if row["failed_reason"] is not None else None,
    )


def blocks_in(value: object) -> list[Block]:
    """The blocks in a cell of `inputs` or `outputs`."""
    return _blocks.decode(value) if isinstance(value, bytes) else []


def sealed_in(value: object) -> list[Sealed]:
    """What is encrypted, in a cell of `sealed`."""
    return _sealed.decode(value) if isinstance(value, bytes) else []


def rows_in(value: object) -> list[int]:
    """The rows in a cell of `erased`."""
    return _rows.decode(value) if isinstance(value, bytes) else []


def day_of(at_us: int) -> str:
    """The UTC day of a time, as the table's partitions are named.

    >>> day_of(1_700_000_000_000_000)
    '2023-11-14'
    """
    return dt.datetime.fromtimestamp(at_us // SECOND_US, tz=dt.UTC).date().isoformat()
