"""A version of a Delta table on this machine: its number, the files that it is made of with their digests, its rows as Parquet.

A version's number alone pins nothing: a table can be made anew, or its files written over. Number and digests together do, and
what was appended since changes neither.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

import msgspec
import polars as pl

from lockgate.datasets.content import sha256_of
from lockgate.datasets.pieces import ROWS_AT_ONCE
from lockgate.errors import InvalidInput, NotFound
from lockgate.late import late

if TYPE_CHECKING:
    import deltalake
else:
    deltalake = late("deltalake")

LOG = "_delta_log"


class DeltaFiles(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a table: `files` by their path below its folder, each with the SHA-256 of its bytes."""

    number: int
    files: dict[str, str]

    def encoded(self) -> bytes:
        """The same bytes for the same files."""
        return msgspec.json.encode(self, order="deterministic")


def is_delta(place: str | Path) -> bool:
    """Whether a folder of this machine is a Delta table."""
    return (Path(place) / LOG).is_dir()


def delta_files(folder: Path, number: int | None) -> DeltaFiles:
    """A version (None: the newest) with the digests of its files. Raises NotFound for a file that is gone, InvalidInput."""
    table, inside = _opened(str(folder), number), folder.resolve()
    found = {}
    for uri in sorted(table.file_uris()):
        path = Path(unquote(urlparse(uri).path) if uri.startswith("file:") else uri)
        if not path.is_file():
            raise NotFound(
                f"a file of {folder.name}, version {table.version()}, is gone: vacuumed, or moved", got=path.name,
                fix="bring it back from a backup, or take a version that is there",
            )  # fmt: skip
        if not path.resolve().is_relative_to(inside):
            raise InvalidInput(
                f"{folder.name}, version {table.version()}, reads files that lie outside its folder", got=path,
                allowed="a table whose files lie below its folder", fix="copy it whole, or leave out --refer",
            )  # fmt: skip
        found[path.resolve().relative_to(inside).as_posix()] = sha256_of(path)
    return DeltaFiles(number=table.version(), files=found)


def delta_rows(place: str, number: int | None, into: Path) -> int:
    """The rows of a version (None: the newest) as a Parquet file, a piece at a time; which it was. Raises InvalidInput."""
    version = _opened(place, number).version()
    try:
        table = pl.scan_delta(place, version=version)
        table.sink_parquet(into, compression="zstd", statistics=False, row_group_size=ROWS_AT_ONCE)
    except (pl.exceptions.PolarsError, OSError, deltalake.exceptions.DeltaError) as error:
        raise _unreadable(place, error) from error
    return int(version)


def _opened(place: str, number: int | None) -> deltalake.DeltaTable:
    try:
        return deltalake.DeltaTable(place, version=number)
    except (deltalake.exceptions.DeltaError, OSError) as error:
        raise _unreadable(place, error) from error


def _unreadable(place: str, error: Exception) -> InvalidInput:
    return InvalidInput(f"{place} cannot be read as a Delta table", got=str(error).splitlines()[0][:300])
