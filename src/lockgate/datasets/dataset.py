"""Tables by content: read a file, give it a digest of what it holds, keep it in the store and get it back unchanged.

Files are read whole or refused with the place and the reason; a stored table is named by the digest of its content.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
import polars as pl

from lockgate.blobs import Blobs
from lockgate.datasets.content import digest_of_frame, digest_of_parquet
from lockgate.datasets.pieces import rows_at, rows_of
from lockgate.errors import InvalidInput, NotFound, SealBroken

SEPARATORS = {",": "','", ";": "';'", "\t": "a tab", "|": "'|'"}
SEPARATED = {".csv": ",", ".tsv": "\t"}
MARK = b"PAR1"  # at both ends of a Parquet file
FORMATS = "parquet, csv, tsv, jsonl (one object a line), json (a list of objects)"


@dataclass(frozen=True)
class Dataset:
    """A stored table. `blob` is its name in the store, `columns` are (name, type) in order."""

    digest: str
    blob: str
    rows: int
    columns: tuple[tuple[str, str], ...]
    bytes: int


def read_table(source: Path | bytes, filename: str | None = None) -> pl.DataFrame:
    """A file, or a body with the name it was sent under, as a table of at least one row and one column.

    Values stay as the file holds them: an empty CSV field is missing, nothing else is, and times stay text. Raises
    NotFound, and InvalidInput for an unknown format, an empty or broken file, rows of unequal length, repeated names.
    """
    name = filename or (str(source) if isinstance(source, Path) else "table")
    body = source if isinstance(source, bytes) else _bytes(source)
    reader = READERS.get(Path(name).suffix.lower())
    if reader is None:
        raise InvalidInput(
            f"{name}: lockgate does not know this kind of table",
            got=Path(name).suffix or "no ending",
            allowed=FORMATS,
            fix="give it such an ending; or let a pipeline's step take the file as a pathlib.Path and read it",
        )
    if not body.strip():
        raise InvalidInput(f"{name}: the file is empty", got=f"{len(body)} bytes")
    try:
        frame = reader(body, name)
    except (pl.exceptions.PolarsError, OSError, csv.Error) as error:
        raise InvalidInput(
            f"{name}: this cannot be read as {Path(name).suffix.lstrip('.')}",
            got=str(error).splitlines()[0][:200],
        ) from error
    if frame.width == 0:
        raise InvalidInput(f"{name}: the table has no columns")
    if frame.height == 0:
        raise InvalidInput(f"{name}: the table has a header and no rows", got=", ".join(frame.columns[:20]))
    return frame


def store_dataset(blobs: Blobs, frame: pl.DataFrame) -> Dataset:
    """Keep a table under the digest of its content; a table that is there already is not written again."""
    digest = digest_of_frame(frame)
    blob = blob_of(digest)
    body = io.BytesIO()
    frame.write_parquet(body, compression="zstd", statistics=False)
    if not blobs.exists(blob):
        blobs.put(blob, body.getvalue())
    columns = tuple((name, str(kind)) for name, kind in frame.schema.items())
    return Dataset(digest, blob, frame.height, columns, body.tell())


def store_parquet(blobs: Blobs, path: Path) -> Dataset:
    """Keep the table of a Parquet file, which is never whole in memory; the file itself is stored, so its groups of rows should
    be small."""
    digest = digest_of_parquet(path)
    blob = blob_of(digest)
    if not blobs.exists(blob):
        blobs.put_file(blob, path)
    columns = tuple((name, str(kind)) for name, kind in pl.read_parquet_schema(path).items())
    return Dataset(digest, blob, rows_of(path), columns, path.stat().st_size)


def load_dataset(blobs: Blobs, digest: str) -> pl.DataFrame:
    """The table of a digest. Raises NotFound, and SealBroken when what is stored is no longer what was named."""
    frame = pl.read_parquet(io.BytesIO(blobs.get(blob_of(digest))))
    require_digest(digest_of_frame(frame), digest)
    return frame


def load_rows(blobs: Blobs, digest: str, most: int, chance: np.random.Generator) -> tuple[pl.DataFrame, int]:
    """The table of a digest, or `most` of its rows in their order, drawn without replacement; and how many it has.

    All bytes are held against the digest, a piece at a time: memory is that of a piece and of the rows drawn. Raises as
    `load_dataset`.
    """
    with blobs.file(blob_of(digest)) as path:
        rows = rows_of(path)
        if rows <= most:
            return load_dataset(blobs, digest), rows
        require_digest(digest_of_parquet(path), digest)
        return rows_at(path, np.sort(chance.choice(rows, most, replace=False))), rows


def require_digest(found: str, digest: str) -> None:
    """Raise SealBroken where stored rows are not those that their name says."""
    if found != digest:
        raise SealBroken(
            f"the stored data set {digest} holds other values than it was named for",
            got=found,
            fix="restore the file from a backup, or submit the data again",
        )


def blob_of(digest: str) -> str:
    """The name in the store of a data set's digest.

    >>> blob_of("sha256:" + "0" * 64)[:12]
    'data/0000000'
    """
    kind, _, hexes = digest.partition(":")
    if kind != "sha256" or len(hexes) != 64 or set(hexes) - set("0123456789abcdef"):
        raise InvalidInput(
            "this is not the digest of a data set", got=digest, allowed="sha256: and 64 hex digits"
        )
    return f"data/{hexes}.parquet"


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {path}") from error
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read", got=error.strerror) from error


def _parquet(body: bytes, name: str) -> pl.DataFrame:
    if not (body.startswith(MARK) and body.endswith(MARK)):
        raise InvalidInput(
            f"{name}: this is not a whole Parquet file",
            got=f"{len(body)} bytes",
            fix="write it again; it may have been cut off",
        )
    return pl.read_parquet(io.BytesIO(body))


def _csv(body: bytes, name: str) -> pl.DataFrame:
    return _separated(body, name, SEPARATED[".csv"])


def _tsv(body: bytes, name: str) -> pl.DataFrame:
    return _separated(body, name, SEPARATED[".tsv"])


def _separated(body: bytes, name: str, separator: str) -> pl.DataFrame:
    text = _text(body, name)
    refuse_unlike(io.StringIO(text, newline=""), name, separator)
    return pl.read_csv(io.BytesIO(text.encode()), separator=separator, infer_schema_length=None)


def refuse_unlike(text: TextIO, name: str, separator: str) -> None:
    """Raise InvalidInput for values separated otherwise, columns of one name, and rows of another length than the header.

    Reads line by line, from the start.
    """
    _refuse_other_separator([text.readline(), text.readline()], name, separator)
    text.seek(0)
    rows = csv.reader(text, delimiter=separator)
    header = next(rows, [])
    _refuse_repeated(header, name)
    # polars fills short rows with missing values without a word, so lengths are counted here.
    for row in rows:
        if row and len(row) != len(header):
            raise InvalidInput(
                f"{name}, line {rows.line_num}: a row of another length than the header",
                got=f"{len(row)} values",
                allowed=f"{len(header)} values",
                fix="quote values that hold the separator",
            )


def _refuse_other_separator(lines: list[str], name: str, separator: str) -> None:
    """A header that is one column of its kind, though another sign parts it and the first row alike."""
    if separator in lines[0]:
        return
    found = next((sign for sign in SEPARATORS if sign in lines[0] and sign in lines[1]), None)
    if found is None:
        return
    how, but = f"sep={found!r}", ""
    if found == ";":
        how, but = f"{how}, decimal=','", " (without decimal=',' where numbers are written 1.5)"
    raise InvalidInput(
        f"{name}: the separator seems to be {SEPARATORS[found]}",
        got=f"one column named {lines[0].strip()[:80]!r}",
        allowed=f"values separated by {SEPARATORS[separator]}",
        fix=f"convert it: pandas.read_csv(FILE, {how}).to_parquet('table.parquet'){but}",
    )


def _json_lines(body: bytes, name: str) -> pl.DataFrame:
    objects = []
    for number, line in enumerate(_text(body, name).splitlines(), start=1):
        if line.strip():
            objects.append(_loads(line, f"{name}, line {number}"))
    return _of_objects(objects, name)


def _json(body: bytes, name: str) -> pl.DataFrame:
    value = _loads(_text(body, name), name)
    if not isinstance(value, list):
        raise InvalidInput(f"{name}: a table in JSON is a list of objects", got=type(value).__name__)
    return _of_objects(value, name)


def _loads(text: str, place: str) -> object:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        _refuse_repeated([key for key, _ in pairs], place)
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{place}: not valid JSON", got=str(error)) from error


def _of_objects(objects: list[object], name: str) -> pl.DataFrame:
    for number, value in enumerate(objects, start=1):
        if not isinstance(value, dict):
            raise InvalidInput(f"{name}, row {number}: a row is an object", got=type(value).__name__)
    return pl.DataFrame(objects, infer_schema_length=None, strict=True) if objects else pl.DataFrame()


def _text(body: bytes, name: str) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{name}: the text is not UTF-8",
            got=f"byte {body[error.start]:#04x} at {error.start}",
            fix="save it as UTF-8, or as Parquet",
        ) from error


def _refuse_repeated(names: list[str], place: str) -> None:
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise InvalidInput(f"{place}: a column name stands more than once", got=", ".join(repeated))
    if any(not name.strip() for name in names):
        raise InvalidInput(
            f"{place}: column {[n.strip() for n in names].index('') + 1} has no name",
            fix="name it, or leave the row index out (pandas: to_csv(index=False))",
        )


READERS: dict[str, Callable[[bytes, str], pl.DataFrame]] = {
    ".parquet": _parquet,
    ".pq": _parquet,
    ".csv": _csv,
    ".tsv": _tsv,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
}
