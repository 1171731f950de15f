"""Scoring a table with a version of the registry: the same package as online, the same log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from lockgate.config import ModelConfig
from lockgate.datasets.columns import columns_from
from lockgate.datasets.dataset import read_table
from lockgate.errors import InvalidInput
from lockgate.governance.people import Person, require
from lockgate.governance.permissions import Permission
from lockgate.inference.batch import CHUNK_ROWS, BatchJob, Chunk, score_table
from lockgate.predictions.numbered import open_writer
from lockgate.predictions.personal import Personal, Protector, kept_here
from lockgate.predictions.subject import key_text, log_secret
from lockgate.registry.signature import Signature
from lockgate.registry.store import Version, get_model
from lockgate.wiring.house import House
from lockgate.wiring.packages import open_version

Tell = Callable[..., None]  # tell(phase, done, total, message)


class ScoredTable(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a table. `job` stands in every record as `inference_id`.

    `key`: the column of the table that the business keys on record came from; None: the rows are on record without one.
    """

    model: str
    version: int
    rows: int
    failed: int
    job: str
    key: str | None


@dataclass(frozen=True)
class Order:
    """Which table is to be scored into which file. `key`: its column of business keys, if not the model's own `key`."""

    table: Path
    target: Path
    job: str
    key: str | None = None


def score_file(house: House, person: Person, version: Version, order: Order, *, tell: Tell) -> ScoredTable:
    """Score a table file into a Parquet file. Raises Forbidden, InvalidInput for a table that does not fit."""
    with house.db.read() as tx:
        require(tx, person, Permission.PREDICTION_CALL, version.model)
        settings = get_model(tx, version.model).settings
    tell("reading the table", 0, 0)
    frame = read_table(order.table, order.table.name)
    key = _key_column(frame, settings, order.key)
    tell("loading the model", 0, 0)
    with (
        closing(open_version(house, version.digest, settings.python)) as executor,
        open_writer(house.home.log, "batch", _protector(house, settings)) as log,
    ):
        done = score_table(
            executor, _chunks(frame, executor.manifest.signature, settings, key), order.target,
            job=BatchJob(version.model, version.number, person.id, order.job), log=log, clock=house.clock,
            progress=lambda rows: tell("scoring", rows, frame.height),
        )  # fmt: skip
    return ScoredTable(
        model=version.model,
        version=version.number,
        rows=done.rows,
        failed=done.failed,
        job=order.job,
        key=key,
    )


def _protector(house: House, settings: ModelConfig) -> Protector:
    personal = Personal(settings.personal, settings.key)
    return Protector(kept_here(log_secret(house.home.secrets)), lambda _: personal)


def _key_column(frame: pl.DataFrame, settings: ModelConfig, named: str | None) -> str | None:
    """The column of the table that holds the business keys; None when there is none. Raises InvalidInput."""
    if named is not None and named not in frame.columns:
        raise InvalidInput(
            f"the table has no column '{named}' to take the keys from", allowed=", ".join(frame.columns)
        )
    return named or (settings.key if settings.key in frame.columns else None)


def _chunks(
    frame: pl.DataFrame, signature: Signature, settings: ModelConfig, key: str | None
) -> Iterator[Chunk]:
    leave_out = [name for name in (settings.target, settings.time, settings.key, key) if name is not None]
    for start in range(0, frame.height, CHUNK_ROWS):
        rows = frame.slice(start, CHUNK_ROWS)
        columns = columns_from(rows, signature, leave_out=leave_out)
        name = settings.key or key
        # under the model's own name for it, by which erasures and labels look
        beside = {} if key is None or name is None or name in columns else {name: _keys(rows[key])}
        yield Chunk(rows.to_arrow(), columns, beside)


def _keys(cells: pl.Series) -> np.ndarray:
    """Business keys as they are recorded: as text."""
    values = np.empty(len(cells), dtype=object)
    values[:] = [None if cell is None else key_text(cell) for cell in cells.to_list()]
    return values
