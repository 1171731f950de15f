"""The rows of the log as a file of their own, however many there are: stretch by stretch, whole or not at all."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import polars as pl

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.db import Database
from lockgate.errors import Unavailable
from lockgate.predictions.query import frames, join
from lockgate.predictions.stored import Asked


class Format(StrEnum):
    """How rows are written."""

    JSON = "json"  # one object a line
    ARROW = "arrow"
    PARQUET = "parquet"


def export(
    home: Home,
    blobs: Blobs,
    asked: Asked,
    target: Path,
    how: Format,
    *,
    where: str | None = None,
    database: Database | None = None,
    tell: Callable[..., None] = lambda *_: None,
) -> int:
    """Write the rows that `query.frames` gives, oldest first; returns how many. `tell(phase, done, total)`.

    Versions with unlike columns share the file: what one lacks is null, unlike types become text. Raises as `frames`
    does, and Unavailable when the file cannot be written.
    """
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    try:
        with tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent) as folder:
            parts: dict[Path, pl.Schema] = {}
            height = 0
            found = frames(home, blobs, asked, where=where, database=database)
            for number, (rows, done, total) in enumerate(found):
                part = Path(folder) / f"{number}.parquet"
                rows.write_parquet(part, compression="lz4")
                parts[part] = rows.schema
                height += rows.height
                tell("reading", done, total)
            tell("writing", 0, 0)
            _write(_together(parts), temporary, how)
        temporary.replace(target)
    except OSError as error:
        raise Unavailable(
            f"{target.name} cannot be written", got=error, fix="see the room and the rights of its folder"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return height


def _together(parts: dict[Path, pl.Schema]) -> pl.LazyFrame:
    """The parts below each other, with the columns and types that fit them all."""
    unlike = {tuple(schema.items()): schema for schema in parts.values()}
    whole = join([pl.DataFrame(schema=schema) for schema in unlike.values()]).schema
    return pl.concat(
        [
            pl.scan_parquet(part).select(
                pl.col(name).cast(kind) if name in schema else pl.lit(None, kind).alias(name)
                for name, kind in whole.items()
            )
            for part, schema in parts.items()
        ]
    )


def _write(rows: pl.LazyFrame, target: Path, how: Format) -> None:
    match how:
        case Format.PARQUET:
            rows.sink_parquet(target, compression="zstd")
        case Format.ARROW:
            rows.sink_ipc(target)
        case Format.JSON:
            rows.sink_ndjson(target)
