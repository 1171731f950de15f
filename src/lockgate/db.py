"""The metadata database: SQLite (WAL) by default, PostgreSQL when outgrown; SQLAlchemy Core on both.

Rules that keep both alike: times are integers of microseconds (`BigInteger`), no NaN is stored, JSON is text made by
msgspec, and every write transaction on SQLite starts with BEGIN IMMEDIATE so that compare-and-set claims do not
race. Each room declares its tables on `metadata` in its `tables.py`; `lockgate/migrations` creates them.
"""

from __future__ import annotations

import fcntl
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from lockgate.errors import Conflict, InvalidInput, MissingExtra, Unavailable
from lockgate.late import late

if TYPE_CHECKING:
    from alembic import command, config
else:
    command, config = late("alembic.command"), late("alembic.config")

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

BUSY_TIMEOUT_MS = 15_000
WAL_RETRY_S = 0.02
_READS: dict[str, dict[str, object]] = {
    "sqlite": {"lockgate_reads": True},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}
POSTGRES = "postgresql+psycopg"
MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """One metadata database. `write()` is one transaction; `read()` sees one consistent snapshot."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One write transaction: committed at the end of the block, rolled back when it raises."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except sa.exc.OperationalError as error:
            raise _unavailable(error) from error

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """One read transaction; it takes no write lock."""
        try:
            with self.engine.connect().execution_options(**_READS[self.dialect]) as connection:
                yield connection
        except sa.exc.OperationalError as error:
            raise _unavailable(error) from error

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def open_database(url: str) -> Database:
    """Open (not migrate) a database by its address: `sqlite:////path/file.db` or `postgresql://user@host/name`.

    Raises InvalidInput for an address of another kind, MissingExtra when its library is not installed.
    """
    address = _address(url)
    try:
        # Errors stand in logs and before people: values of rows, keys of persons among them, are not told there.
        engine = sa.create_engine(address, hide_parameters=True, **_options(address))
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"the database {address.drivername} needs the library {error.name}",
            fix="pip install 'lockgate[postgres]'",
        ) from error
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return Database(engine)


def migrate(database: Database) -> None:
    """Bring the schema to the newest revision; does nothing when it is there already.

    Raises Unavailable for a database that cannot be used, Conflict for one that a newer lockgate has written.
    """
    newest = max(path.stem for path in (MIGRATIONS / "versions").glob("0*.py"))
    try:
        there = _revision(database)
        if there == newest:
            return
        if there is not None and there > newest:
            raise Conflict("a newer lockgate has used this database", got=there, allowed=f"up to {newest}",
                           fix="use that lockgate, or a newer one; an older one would not know its tables")  # fmt: skip
        with _turn(database):
            if _revision(database) != newest:
                _upgrade(database)
    except sa.exc.OperationalError as error:
        raise _unavailable(error) from error


def _upgrade(database: Database) -> None:
    settings = config.Config()
    settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with database.engine.connect() as connection:
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")


@contextmanager
def _turn(database: Database) -> Iterator[None]:
    """One process migrates a SQLite file at a time; PostgreSQL has its own lock for that, in the migrations."""
    file = database.engine.url.database if database.dialect == "sqlite" else None
    if not file or not Path(file).parent.is_dir():
        yield
        return
    with Path(f"{file}.migrating").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _revision(database: Database) -> str | None:
    """The schema's revision; None in an empty database. Revisions are named as their files: `0004_release`."""
    with database.engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _address(url: str) -> sa.URL:
    """The parsed address. Its password is never part of an error."""
    allowed = "sqlite:////path/file.db or postgresql://user@host/name"
    fix = "correct 'database' in config.yaml"
    try:
        address = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise InvalidInput("the address of the database cannot be read", allowed=allowed, fix=fix) from error
    if address.get_backend_name() not in _READS:
        kind = address.get_backend_name()
        raise InvalidInput("this kind of database is not used", got=kind, allowed=allowed, fix=fix)
    if address.drivername == "postgresql":  # SQLAlchemy's own choice is the library before this one
        return address.set(drivername=POSTGRES)
    return address


def _options(address: sa.URL) -> dict[str, object]:
    if address.get_backend_name() == "sqlite":
        return {"connect_args": {"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000}}
    return {"pool_pre_ping": True, "isolation_level": "READ COMMITTED"}


def _prepare_sqlite(connection, _record) -> None:  # type: ignore[no-untyped-def]
    connection.isolation_level = None  # transactions are ours: BEGIN IMMEDIATE in write()
    cursor = connection.cursor()
    _use_wal(cursor)
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _use_wal(cursor: sqlite3.Cursor) -> None:
    """Write-ahead logging. SQLite refuses the change at once when others write a new file; nobody waits but we."""
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(WAL_RETRY_S)
        else:
            return


def _begin_sqlite(connection: sa.Connection) -> None:
    reads = connection.get_execution_options().get("lockgate_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _unavailable(error: sa.exc.OperationalError) -> Unavailable:
    return Unavailable(
        "the metadata database cannot be used now",
        got=str(error.orig).splitlines()[0] if error.orig else str(error),
        fix="see that the database runs, that its disk has room and that the home folder is writable; then try again",
    )
