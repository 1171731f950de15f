"""Transactions, claims, snapshots and clear failures of the metadata database."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from lockgate.db import Database, migrate, open_database
from lockgate.errors import InvalidInput, Unavailable
from lockgate.governance.tables import audit_head, people

PERSON = {"name": "Ada", "kind": "person", "active": True, "created_us": 1}


def _insert(tx: sa.Connection, identifier: str) -> None:
    tx.execute(sa.insert(people).values(id=identifier, **PERSON))


def _ids(database: Database) -> list[str]:
    with database.read() as tx:
        return list(tx.execute(sa.select(people.c.id).order_by(people.c.id)).scalars())


def _write_and_fail(database: Database) -> None:
    with database.write() as tx:
        _insert(tx, "ada")
        raise RuntimeError("in the middle")


def test_errors_tell_no_values_of_rows(database: Database) -> None:
    """They stand in logs, and as what a watcher failed of before whoever may see the model."""
    with database.write() as tx:
        _insert(tx, "ada")
    with pytest.raises(sa.exc.IntegrityError) as refused, database.write() as tx:
        _insert(tx, "ada")
    assert "INSERT INTO people" in str(refused.value)
    assert PERSON["name"] not in str(refused.value)


def test_a_write_that_raises_leaves_nothing(database: Database) -> None:
    """All or nothing."""
    with pytest.raises(RuntimeError, match="in the middle"):
        _write_and_fail(database)
    assert _ids(database) == []


def test_a_claim_has_exactly_one_winner(database: Database) -> None:
    """Eight threads compare-and-set the same row: one changes it, seven change none."""
    won: list[int] = []
    gate = threading.Barrier(8)

    def claim(number: int) -> None:
        gate.wait()
        with database.write() as tx:
            found = tx.execute(sa.select(audit_head.c.seq)).scalar_one()
            changed = tx.execute(
                sa.update(audit_head).where(audit_head.c.seq == 0).values(seq=number + 1)
            ).rowcount
        if changed and found == 0:
            won.append(number)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_a_read_sees_one_snapshot(database: Database) -> None:
    """What others commit during a read is not seen by it."""
    with database.read() as tx:
        first = tx.execute(sa.select(sa.func.count()).select_from(people)).scalar_one()
        with database.write() as other:
            _insert(other, "ada")
        assert tx.execute(sa.select(sa.func.count()).select_from(people)).scalar_one() == first
    assert _ids(database) == ["ada"]


def test_a_reader_does_not_hold_up_a_writer(database: Database) -> None:
    """A long read and a write at the same time both go through."""
    with database.read() as tx:
        tx.execute(sa.select(people)).all()
        with database.write() as other:
            _insert(other, "bob")
    assert _ids(database) == ["bob"]


def test_foreign_keys_are_enforced(database: Database) -> None:
    """A key of nobody is refused on both databases."""
    statement = sa.text(
        "INSERT INTO keys (hash, prefix, person, label, created_by, created_us) VALUES ('h', 'p', 'ghost', 'l', 'a', 1)"
    )
    with pytest.raises(sa.exc.IntegrityError), database.write() as tx:
        tx.execute(statement)


_FIRST_START = """
import sys
from lockgate.db import migrate, open_database
database = open_database(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
migrate(database)
database.close()
"""


def test_first_starts_at_once_migrate_once(tmp_path: Path) -> None:
    """Three processes that start on an empty home take turns, and all end well."""
    url = f"sqlite:///{tmp_path / 'lockgate.db'}"
    command = [sys.executable, "-c", _FIRST_START, url]
    with ExitStack() as stack:
        starts = [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(3)
        ]
        for start in starts:
            assert start.stdout is not None
            assert start.stdout.readline() == "ready\n"
        for start in starts:
            assert start.stdin is not None
            start.stdin.write("go\n")
            start.stdin.flush()
        assert [start.wait(60) for start in starts] == [0, 0, 0]


def test_a_database_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    """Unavailable, with what to look at; never a bare driver error."""
    database = open_database(f"sqlite:///{tmp_path / 'nowhere' / 'lockgate.db'}")
    with pytest.raises(Unavailable, match="home folder is writable"), database.read() as tx:
        tx.execute(sa.text("SELECT 1"))
    with pytest.raises(Unavailable):
        migrate(database)


@pytest.mark.parametrize(
    "url", ["oracle://user:secret@host/x", "mysql+pymysql://user:secret@host/x", "secret", ""]
)
def test_an_address_of_another_kind_is_refused(url: str) -> None:
    """What is allowed and where to correct it; the password is not repeated."""
    with pytest.raises(InvalidInput) as refusal:
        open_database(url)
    assert "postgresql://user@host/name" in str(refusal.value)
    assert "config.yaml" in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_the_plain_address_of_postgres_will_do(postgres: Database) -> None:
    """`postgresql://` means the library that lockgate brings."""
    url = postgres.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    plain = open_database(url)
    assert _ids(plain) == []
    plain.close()


def test_sqlite_files_are_in_wal_mode(sqlite: Database) -> None:
    """Readers and the writer do not wait for each other."""
    with sqlite.read() as tx:
        assert tx.execute(sa.text("PRAGMA journal_mode")).scalar_one() == "wal"


@pytest.mark.postgres
def test_a_read_cannot_write_on_postgres(postgres: Database) -> None:
    """`read()` is read-only where the database can hold one to it."""
    with pytest.raises(sa.exc.InternalError, match="read-only"), postgres.read() as tx:
        _insert(tx, "ada")


def test_the_driver_is_the_one_of_the_standard_library(sqlite: Database) -> None:
    """SQLite needs nothing to be installed."""
    with sqlite.engine.connect() as connection:
        assert isinstance(connection.connection.driver_connection, sqlite3.Connection)
