"""Having a database let go of what was deleted, so that no older copy of a row stays in its files."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from lockgate.db import Database

LOCK_S = 10  # for a table of PostgreSQL that others hold
STATISTICS = "pg_statistic"  # where PostgreSQL notes which values of a column are frequent
_log = logging.getLogger(__name__)


def overwrite_deleted(tx: sa.Connection) -> None:
    """Have SQLite put zeros where it deletes rows, as long as this connection lives."""
    if tx.dialect.name == "sqlite":
        tx.exec_driver_sql("PRAGMA secure_delete=ON")


def tables_with_copies(db: Database, tables: Iterable[str]) -> list[str]:
    """In which of these older copies of erased rows lie until `forget_deleted` was there: none on SQLite."""
    return [] if db.dialect == "sqlite" else [str(name) for name in (*tables, STATISTICS)]


def forget_deleted(db: Database, tables: Iterable[str]) -> list[str]:
    """Have the database let go of older copies of rows; returns the tables in which some may be left.

    SQLite writes its log of changes into the file and cuts it to nothing. PostgreSQL writes these tables anew, into other files,
    and what it noted of their values (`pg_statistic`). It goes on where that cannot be done to the full: somebody else holds a
    table, or still sees an older state of it; there is no room for a second copy; the table is not ours.
    """
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if db.dialect == "sqlite":
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            return []
        connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_S}s'")
        try:
            every = tables_with_copies(db, tables)
            return [name for name in every if not _written_anew(connection, name)]
        finally:
            connection.exec_driver_sql("RESET lock_timeout")


def _written_anew(connection: sa.Connection, table: str) -> bool:
    """Whether nothing but rows that are valid now is left in a table's file, by what PostgreSQL itself says of its work: it
    skips what is not ours with a warning, and keeps what an older snapshot may still see."""
    said: list[str | None] = []

    def hear(notice: Any) -> None:
        said.append(notice.message_detail if notice.severity_nonlocalized == "INFO" else None)

    session: Any = connection.connection.driver_connection
    session.add_notice_handler(hear)
    try:
        connection.exec_driver_sql(
            f"VACUUM (FULL, VERBOSE{'' if table == STATISTICS else ', ANALYZE'}) {table}"
        )
    except sa.exc.OperationalError as error:
        _log.warning(
            "old copies of erased rows stay in PostgreSQL's file of %s for now: %s", table, error.orig
        )
        return False
    finally:
        session.remove_notice_handler(hear)
    kept = [int(number[0]) for detail in said if (number := re.search(r"\d+", detail or ""))]
    return bool(kept) and kept[0] == 0
