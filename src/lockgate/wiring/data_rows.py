"""The rows of a data version on this machine, piece by piece, held against what was named: stored, or where they lie outside.

A reference is a promise: a file, a Delta table's version, a query's result must still be what they were when they were added.
Each use looks, and says what changed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from lockgate.datasets.content import digest_of_parquet, digest_of_table, sha256_of
from lockgate.datasets.dataset import blob_of, read_table, require_digest
from lockgate.datasets.delta import DeltaFiles, delta_files, delta_rows
from lockgate.datasets.images import FILES
from lockgate.datasets.large import PARQUET, is_large, rewritten
from lockgate.datasets.pieces import Table, table_of
from lockgate.datasets.queried import query_rows, without_password
from lockgate.datasets.versions import DataKind, DataVersion, Origin
from lockgate.errors import Conflict, InvalidInput, NotFound
from lockgate.wiring.house import House

DATABASE = "LOCKGATE_DATABASE"  # a SQLAlchemy address with its password, where lockgate runs
SHOWN = 5


@contextmanager
def working_folder(house: House) -> Iterator[Path]:
    """A folder of the home for what is needed for a while: the system's own may be small."""
    with tempfile.TemporaryDirectory(prefix="data-", dir=house.home.run) as folder:
        yield Path(folder)


@contextmanager
def table_at(house: House, data: DataVersion) -> Iterator[Table]:
    """A version's rows for the length of a block, never whole in memory. Raises as `lockgate.wiring.datasets.frame_of`."""
    if data.kind is DataKind.FILE:
        raise InvalidInput(
            f"{data.full} is a file that lockgate does not read as a table", got=data.source.said
        )
    if data.source.path is None or data.kind is DataKind.IMAGES:
        with house.blobs.file(blob_of(data.digest)) as path:
            table = table_of(path)
            require_digest(digest_of_table(table), data.digest)
            yield table
    else:
        with working_folder(house) as work:
            yield table_of(referred_rows(house, data, work / "rows.parquet"))


def referred_rows(house: House, data: DataVersion, into: Path) -> Path:
    """A Parquet file with the rows that a version refers to: the file itself, or made at `into`. Raises Conflict, NotFound,
    InvalidInput."""
    source, place = data.source, data.source.path or ""
    if source.origin is Origin.DELTA:
        _require_files(house, data)
        delta_rows(place, source.version, into)
    elif source.origin is Origin.SQL:
        query_rows(source.query or "", address_of(place), into)
    elif (path := unchanged(data)).suffix in PARQUET:
        return path  # its bytes are those that were digested
    elif is_large(path, path.name):
        rewritten(path, path.name, into)
    else:
        read_table(path).write_parquet(into)
    if digest_of_parquet(into) != data.digest:
        raise changed(data)
    return into


def unchanged(data: DataVersion) -> Path:
    """The file that a version refers to, its bytes held against their digest. Raises NotFound, Conflict."""
    path = Path(data.source.path or "")
    if not path.is_file():
        raise NotFound(f"the file of {data.full} is gone", got=path, fix="put it back, or add a version that is there: "
                       f"lockgate data add {data.name} FILE")  # fmt: skip
    if sha256_of(path) != data.source.sha256:
        raise changed(data)
    return path


def address_of(place: str) -> str:
    """The address of a database that is written down without its password: with it where `LOCKGATE_DATABASE` gives it."""
    given = os.environ.get(DATABASE)
    return given if given and without_password(given) == place else place


def changed(data: DataVersion, what: str | None = None) -> Conflict:
    """What a reference leads to is not what it was."""
    source, again = data.source, f"lockgate data add {data.name}"
    got, allowed = what or source.path, source.sha256
    fix = f"bring the old file back, or take it as a new version: {again} {source.path} --refer"
    if source.origin is Origin.SQL:
        fix = f"take today's rows as a new version: {again} --sql ... --refer; without --refer rows are kept and cannot change"
        got, allowed = what or source.query, data.digest
    return Conflict(
        f"what {data.full} refers to has changed since it was added", got=got, allowed=allowed, fix=fix
    )


def _require_files(house: House, data: DataVersion) -> None:
    """The files of a Delta table's version are those that were added. Raises Conflict that names them, NotFound."""
    source = data.source
    folder = Path(source.path or "")
    if not folder.is_dir():
        raise NotFound(
            f"the Delta table of {data.full} is gone",
            got=folder,
            fix="put it back, or add a version that is there",
        )
    known = msgspec.json.decode(house.blobs.get(f"{FILES}/{source.sha256}"), type=DeltaFiles)
    found = delta_files(folder, source.version)
    other = sorted(
        name
        for name in known.files.keys() | found.files.keys()
        if known.files.get(name) != found.files.get(name)
    )
    if other:
        more = f" and {len(other) - SHOWN} more" if len(other) > SHOWN else ""
        raise changed(data, f"{source.path}, version {source.version}: {', '.join(other[:SHOWN])}{more}")
