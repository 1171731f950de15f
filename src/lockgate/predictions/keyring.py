"""The keys of personal inputs, for those who read: out of the database, and of files that are not there yet."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import sqlalchemy as sa

from lockgate.config import Home
from lockgate.db import Database
from lockgate.predictions.flat import blocks_in, sealed_in
from lockgate.predictions.personal import KEYS_SUFFIX, MadeKey, opened, read_keys, unwrap
from lockgate.predictions.record import Block, Columns, Record, Sealed, blocks_of
from lockgate.predictions.segment import SUFFIX
from lockgate.predictions.subject import log_secret
from lockgate.predictions.tables import log_keys

_MOST = 500  # ids in one question


def take_in(log: Path, database: Database, *, ended_only: bool = True) -> int:
    """Take the keys on file into the database; files whose segment is ended or gone are removed. Returns how many came."""
    count = 0
    for path in sorted(log.glob(f"*/*{KEYS_SUFFIX}")):
        made = read_keys(path)
        with database.write() as tx:
            count += record_keys(tx, made)
        if not path.with_suffix(SUFFIX).exists() or not ended_only:
            path.unlink(missing_ok=True)
    return count


class Keyring:
    """Opens personal inputs as far as their keys are still there."""

    def __init__(self, home: Home, database: Database) -> None:
        self._home, self._database = home, database
        self._keys: dict[bytes, bytes] = {}

    def open(self, record: Record) -> Record:
        """The record with its personal inputs among the others; what nobody can read any more is missing there."""
        if not record.sealed:
            return record
        inputs = self._inputs(record.id, record.inputs, record.sealed, record.rows)
        return msgspec.structs.replace(record, inputs=inputs, sealed=[])

    def open_rows(self, flat: pl.DataFrame) -> pl.DataFrame:
        """The same for records as rows."""
        if flat["sealed"].null_count() == flat.height:
            return flat
        cells = flat.select("id", "inputs", "sealed", "rows").iter_rows()
        opened_cells = [
            inputs
            if sealed is None
            else msgspec.msgpack.encode(self._inputs(name, blocks_in(inputs), sealed_in(sealed), rows))
            for name, inputs, sealed, rows in cells
        ]
        return flat.with_columns(inputs=pl.Series(opened_cells, dtype=pl.Binary))

    def _inputs(self, name: str, inputs: list[Block], sealed: list[Sealed], rows: int) -> list[Block]:
        self._fetch({one.key for one in sealed} - self._keys.keys())
        parts = [
            opened(self._keys[one.key], name, one) if self._keys.get(one.key) else None for one in sealed
        ]
        known = next((part for part in parts if part is not None), None)
        if known is None or len(sealed) != rows:
            return inputs
        columns: Columns = {}
        for column, sample in known.items():
            cells = [part[column] if part is not None else _missing(sample) for part in parts]
            if all(cell is not None for cell in cells):
                columns[column] = np.concatenate([cell for cell in cells if cell is not None])
        return [*inputs, *blocks_of(columns)]

    def _fetch(self, wanted: set[bytes]) -> None:
        """Look keys up; those that are nowhere are remembered as destroyed (empty)."""
        if not wanted:
            return
        secret = log_secret(self._home.secrets)
        for path in self._home.log.glob(f"*/*{KEYS_SUFFIX}"):
            self._keys |= {made.id: unwrap(secret, made) for made in read_keys(path) if made.id in wanted}
        left = sorted(wanted - self._keys.keys())
        with self._database.read() as tx:
            for start in range(0, len(left), _MOST):
                ids = [number.hex() for number in left[start : start + _MOST]]
                for row in tx.execute(sa.select(log_keys).where(log_keys.c.id.in_(ids))):
                    made = MadeKey(
                        bytes.fromhex(row.id), row.model, row.subject, bytes.fromhex(row.wrapped), 0
                    )
                    self._keys[made.id] = unwrap(secret, made)
        self._keys |= dict.fromkeys(wanted - self._keys.keys(), b"")


def record_keys(tx: sa.Connection, made: list[MadeKey]) -> int:
    """Put keys into the database, in the caller's transaction; returns how many were not there yet."""
    known: set[str] = set()
    ids = [one.id.hex() for one in made]
    for start in range(0, len(ids), _MOST):
        query = sa.select(log_keys.c.id).where(log_keys.c.id.in_(ids[start : start + _MOST]))
        known |= set(tx.execute(query).scalars())
    rows = [
        {"id": one.id.hex(), "model": one.model, "subject": one.subject, "wrapped": one.wrapped.hex(),
         "made_us": one.made_us}
        for one in made if one.id.hex() not in known
    ]  # fmt: skip
    if rows:
        tx.execute(sa.insert(log_keys), rows)
    return len(rows)


def _missing(sample: np.ndarray) -> np.ndarray | None:
    """A cell that nobody can read any more; None where the type has no such value."""
    if sample.dtype == object:
        return np.full(sample.shape, None, dtype=object)
    return np.full_like(sample, np.nan) if sample.dtype.kind == "f" else None
