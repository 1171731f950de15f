"""Having a database let go of what was deleted, so that no older copy of a row stays in its files."""

from __future__ import annotations

import logging

import sqlalchemy as sa

from lockgate.db import Database
from lockgate.predictions.tables import labels, log_erasures, log_keys

LOCK_S = 10  # for a table of PostgreSQL that others hold
_log = logging.getLogger(__name__)


def overwrite_deleted(tx: sa.Connection) -> None:
    """Have SQLite put zeros where it deletes rows, as long as this connection lives."""
    if tx.dialect.name == "sqlite":
        tx.exec_driver_sql("PRAGMA secure_delete=ON")


def forget_deleted(db: Database) -> None:
    """Have the database let go of older copies of rows.

    SQLite writes its log of changes into the file and cuts it to nothing. PostgreSQL writes the tables that held the person
    anew, into other files; while somebody else holds one of them it goes on, and the second pass tries again.
    """
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if db.dialect == "sqlite":
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            return
        connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_S}s'")
        try:
            for table in (labels, log_keys, log_erasures):
                connection.exec_driver_sql(f"VACUUM (FULL) {table.name}")
        except sa.exc.OperationalError as error:
            _log.warning(
                "old copies of erased rows stay in PostgreSQL's files until its next vacuum: %s", error.orig
            )
        finally:
            connection.exec_driver_sql("RESET lock_timeout")
