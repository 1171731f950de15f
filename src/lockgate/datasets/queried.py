"""The rows of an SQL query as a Parquet file, fetched a piece at a time in a transaction that may only read."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from lockgate.datasets.pieces import ROWS_AT_ONCE
from lockgate.errors import InvalidInput, MissingExtra
from lockgate.late import late

if TYPE_CHECKING:
    import sqlalchemy as sa
else:
    sa = late("sqlalchemy")

FETCHED = 50_000  # rows at once
_SECRET = re.compile(
    r"pass|pwd|secret|token|credential|private|api_?key|access_?key|odbc_connect", re.IGNORECASE
)
_ORDERED = re.compile(r"\border\s+by\b", re.IGNORECASE)
_READ_ONLY = {"postgresql": "SET TRANSACTION READ ONLY", "mysql": "SET TRANSACTION READ ONLY",
              "mariadb": "SET TRANSACTION READ ONLY", "sqlite": "PRAGMA query_only = ON"}  # fmt: skip


def query_rows(sql: str, address: str, into: Path) -> Path:
    """The rows of a query at `into`. `address`: SQLAlchemy's, with the password where one is needed.

    Columns whose type changes from piece to piece get one that holds both. Raises InvalidInput for what the database refuses,
    a result without rows among it, MissingExtra for a database whose library is not there.
    """
    try:
        engine = sa.create_engine(address)
        try:
            with tempfile.TemporaryDirectory(dir=into.parent) as folder, engine.connect() as connection:
                if (read_only := _READ_ONLY.get(engine.dialect.name)) is not None:
                    connection.execute(sa.text(read_only))
                return _joined(_fetched(sql, connection, Path(folder)), into)
        finally:
            engine.dispose()
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"the database needs the library {error.name}", fix=f"pip install {error.name}"
        ) from error
    except (sa.exc.SQLAlchemyError, pl.exceptions.PolarsError, ValueError) as error:
        if isinstance(error, InvalidInput):
            raise
        said = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise InvalidInput(
            "the query cannot be run", got=said[:300], fix="try it in the database's own shell"
        ) from error


def without_password(address: str) -> str:
    """An address as it may be written down: without its password, and without settings that are called like secrets.

    >>> without_password("postgresql://reader:secret@db/bank?access_token=secret&sslmode=require")
    'postgresql://reader@db/bank?sslmode=require'

    Raises InvalidInput for what is no address, a password with an @ in it among that: a part of it would be read as the host.
    """
    try:
        url = sa.make_url(address)
        host = url.host or ""
    except (sa.exc.ArgumentError, ValueError):  # what they say may hold a part of the password
        host = "@"
    if "@" in host:
        raise InvalidInput(
            "this is no address of a database",
            allowed="postgresql://user@host/name; in a password %40 for @, %3A for :, %2F for /",
        ) from None
    plain = url._replace(password=None).difference_update_query(
        [name for name in url.query if _SECRET.search(name)]
    )
    return str(plain.render_as_string(hide_password=False))


def require_order(sql: str) -> None:
    """Raise InvalidInput for a query whose rows may come in another order each time: its digest would be another one."""
    if not _ORDERED.search(sql):
        raise InvalidInput(
            "a query that is referred to needs an order of its rows: databases give them in any", got=sql[:200],
            fix="end it with ORDER BY and a column that names each row; or leave out --refer, which keeps the rows",
        )  # fmt: skip


def _fetched(sql: str, connection: sa.Connection, folder: Path) -> list[Path]:
    found: list[Path] = []
    rows = pl.read_database(
        sql, connection.execution_options(stream_results=True, max_row_buffer=FETCHED), iter_batches=True,
        batch_size=FETCHED, infer_schema_length=None,
    )  # fmt: skip
    for place, piece in enumerate(rows):
        if piece.height or not found:
            found.append(folder / f"{place:08d}.parquet")
            piece.write_parquet(found[-1])
    return found


def _joined(parts: list[Path], into: Path) -> Path:
    if not parts:
        raise InvalidInput("the query gave no rows", got="0 rows")
    whole = pl.concat([pl.scan_parquet(part, glob=False) for part in parts], how="vertical_relaxed")
    whole.sink_parquet(into, compression="zstd", statistics=False, row_group_size=ROWS_AT_ONCE)
    return into
