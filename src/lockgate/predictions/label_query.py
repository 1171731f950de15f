"""Labels out of another database: one SELECT, asked again and again, the newest rows alone where a column grows.

Read-only: the transaction is one that cannot write (PostgreSQL), or the connection refuses to (SQLite). The address comes
from a file and is never told in errors.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import polars as pl
import sqlalchemy as sa

from lockgate.db import Database
from lockgate.errors import InvalidInput, Unavailable
from lockgate.predictions.tables import label_queries

CHUNK = 20_000
CONNECT_S = 10
DRIVERS = ("postgresql+psycopg", "sqlite", "sqlite+pysqlite")  # those that are made unable to write
ADDRESSES = "postgresql+psycopg://USER:PASSWORD@HOST/NAME, sqlite:////path/file"


class Reached(msgspec.Struct, frozen=True):
    """The newest value of a growing column. `kind`: `text`, `number`, `time` or `date`."""

    kind: str
    value: str | int | float


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a query is."""

    reached: Reached | None = None
    asked_us: int = 0
    rows: int = 0
    error: str | None = None


def new_rows(
    url_file: Path, sql: str, grows: str | None, reached: Reached | None
) -> Iterator[tuple[pl.DataFrame, Reached | None]]:
    """What a query brings, by pieces, with how far each goes. Rows of the very value that was reached come again: another may
    have been written at the same moment, and what is known is passed over.

    Raises InvalidInput for an address, a query or a column that cannot be, Unavailable when the database cannot be reached.
    """
    engine = _engine(url_file)
    inner = sql.strip().rstrip(";").replace(":", r"\:")  # its colons are its own, and bind nothing
    text = f"SELECT * FROM (\n{inner}\n) AS labels_asked"  # noqa: S608 - the statement is the administrator's, from config.yaml
    if grows is not None:
        text += f" WHERE {grows} >= :reached" * (reached is not None) + f" ORDER BY {grows}"
    bound = {} if reached is None or grows is None else {"reached": _value(reached)}
    try:
        with _connected(engine) as connection:
            tx = _read_only(connection, engine.dialect.name).execution_options(yield_per=CHUNK)
            with tx.execute(sa.text(text), bound) as found:
                names = list(found.keys())
                if grows is not None and grows not in names:
                    raise InvalidInput(
                        "the query has no column that grows so", got=grows, allowed=", ".join(names)
                    )
                for part in found.partitions(CHUNK):
                    last = None if grows is None else _reached(part[-1][names.index(grows)])
                    yield _frame(names, part), last
    except sa.exc.SQLAlchemyError as error:
        raise _refusal(error, engine.dialect.name) from error
    finally:
        engine.dispose()


def progress_of(tx: sa.Connection, name: str) -> Progress:
    """How far a query is; the beginning for one that was never asked."""
    row = tx.execute(sa.select(label_queries).where(label_queries.c.name == name)).first()
    if row is None:
        return Progress()
    reached = msgspec.json.decode(row.reached, type=Reached | None) if row.reached else None
    return Progress(reached=reached, asked_us=row.asked_us, rows=row.rows, error=row.error)


def put_progress(db: Database, name: str, model: str, progress: Progress) -> None:
    """Keep how far a query is."""
    values = {"model": model, "reached": msgspec.json.encode(progress.reached).decode(), "asked_us": progress.asked_us,
              "rows": progress.rows, "error": progress.error}  # fmt: skip
    with db.write() as tx:
        same = label_queries.c.name == name
        if tx.execute(sa.update(label_queries).where(same).values(values)).rowcount == 0:
            tx.execute(sa.insert(label_queries).values(name=name, **values))


def _engine(url_file: Path) -> sa.Engine:
    try:
        address = sa.make_url(url_file.read_text().strip())
    except OSError as error:
        raise InvalidInput(
            "the file with the database's address cannot be read", got=f"{url_file}: {error.strerror}"
        ) from error
    except (sa.exc.ArgumentError, ValueError):
        # What it says holds a piece of the address, maybe of the password.
        raise InvalidInput(f"{url_file} holds no address of a database", allowed=ADDRESSES) from None
    if address.drivername not in DRIVERS:
        raise InvalidInput(
            "labels cannot be read from this kind of database", got=address.drivername, allowed=ADDRESSES
        )
    if address.get_backend_name() == "sqlite":
        if not address.database or not Path(address.database).exists():
            raise Unavailable("the database of the labels is not there", got="no such file")
        return sa.create_engine(address)
    return sa.create_engine(address, connect_args={"connect_timeout": CONNECT_S})


def _connected(engine: sa.Engine) -> sa.Connection:
    """A connection. Raises Unavailable, which names nobody: of a password with an @ in it the rest would stand as the host."""
    try:
        return engine.connect()
    except sa.exc.SQLAlchemyError as error:
        said = re.sub(r"""'.*'|"[^"]*"|\bport \d+""", "...", _first_line(error))
        raise Unavailable("the database of the labels cannot be reached", got=said) from None


def _read_only(connection: sa.Connection, dialect: str) -> sa.Connection:
    """The connection, unable to write."""
    if dialect == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only=ON")
        return connection
    return connection.execution_options(postgresql_readonly=True)


def _frame(names: Sequence[str], rows: Sequence[Any]) -> pl.DataFrame:
    columns = {name: [_plain(row[place]) for row in rows] for place, name in enumerate(names)}
    return pl.DataFrame(columns, strict=False, infer_schema_length=None)


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    return float(value) if isinstance(value, Decimal) else value


def _reached(value: Any) -> Reached | None:
    if value is None:
        return None
    if isinstance(value, dt.datetime):
        return Reached("time", value.isoformat())
    if isinstance(value, dt.date):
        return Reached("date", value.isoformat())
    if isinstance(value, str):
        return Reached("text", value)
    return Reached("number", value if isinstance(value, int) else float(value))


def _value(reached: Reached) -> Any:
    if reached.kind == "time":
        return dt.datetime.fromisoformat(str(reached.value))
    return dt.date.fromisoformat(str(reached.value)) if reached.kind == "date" else reached.value


def _refusal(error: sa.exc.SQLAlchemyError, dialect: str) -> InvalidInput | Unavailable:
    """A database that cannot be asked now, or a query that it will never answer: SQLite calls both operational."""
    said = _first_line(error)
    away = isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)
    if away and (dialect != "sqlite" or any(word in said for word in ("locked", "unable to open", "disk"))):
        return Unavailable("the database of the labels cannot be asked now", got=said)
    return InvalidInput("the query for labels cannot be run", got=said)


def _first_line(error: sa.exc.SQLAlchemyError) -> str:
    """What the database said, without the statement and its address."""
    said = str(getattr(error, "orig", None) or type(error).__name__)
    return said.splitlines()[0][:200] if said else type(error).__name__
