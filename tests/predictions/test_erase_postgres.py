"""Erasing a person when the metadata are in PostgreSQL: rows, labels, keys and the clear key are gone from its tables' files."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa
from tests.conftest import PostgresServer

from lockgate.blobs import Blobs
from lockgate.clock import SECOND_US, FakeClock
from lockgate.config import Home
from lockgate.db import Database, open_database
from lockgate.governance import audit
from lockgate.governance.checkpoints import verify
from lockgate.predictions.archive import archive
from lockgate.predictions.erase import (
    AGAIN_US,
    ErasureState,
    Ground,
    ask,
    carry_out,
    due,
    get,
    sweep_again,
    unswept,
)
from lockgate.predictions.erase_deleted import forget_deleted
from lockgate.predictions.keyring import take_in
from lockgate.predictions.label_import import import_labels
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.personal import Personal, Protector, kept_here
from lockgate.predictions.query import frame
from lockgate.predictions.record import Record, blocks_of
from lockgate.predictions.subject import log_secret
from lockgate.predictions.tables import labels, log_erasures, log_keys

from .records import scored

pytestmark = pytest.mark.postgres
PERSON = "customer-4711-of-springfield"
NAME = "Agathe Unvergesslich"


def request(name: str, person: str, plan: str) -> Record:
    """A request of one person with a personal input."""
    columns = {"age": np.array([1.0]), "plan": np.array([plan], dtype=object)}
    return scored(name, key=person, inputs=blocks_of(columns))


@pytest.fixture
def ground(home: Home, blobs: Blobs, postgres: Database, clock: FakeClock) -> Ground:
    """A person and another one: in the archive, in a hot segment, with labels, with keys of personal inputs."""
    protector = Protector(kept_here(log_secret(home.secrets)), lambda _: Personal(("plan",), None))
    for step in ("archived", "hot"):
        with SegmentWriter(home.log, "w", protector=protector) as log:
            log.append([request(f"{step}-1", PERSON, NAME), request(f"{step}-2", "other", "gold")])
        if step == "archived":
            archive(home.log, blobs, postgres)
    take_in(home.log, postgres)
    table = pl.DataFrame({"key": [PERSON, "other"], "churned": [1, 0]})
    with postgres.write() as tx:
        import_labels(tx, "churn", table, on="key", label="churned", by="ada", now_us=2)
    with postgres.write() as tx:
        tx.exec_driver_sql("CREATE TABLE beside (number integer, body text)")
        tx.execute(
            sa.insert(beside), [{"number": 1, "body": f"item of {PERSON}"}, {"number": 2, "body": "other"}]
        )
    with postgres.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(
            "ANALYZE"
        )  # as PostgreSQL does by itself: it notes what values are frequent
    return Ground(home, blobs, postgres, clock, empty_beside, ("beside",))


beside = sa.Table("beside", sa.MetaData(), sa.Column("number", sa.Integer), sa.Column("body", sa.Text))


def empty_beside(tx: sa.Connection, *_given: object) -> None:
    """What another room does in an erasure's transaction: the person's item is emptied."""
    tx.execute(sa.update(beside).where(beside.c.number == 1).values(body=""))


def files_of(server: PostgresServer, database: Database) -> dict[str, Path]:
    """The files in which PostgreSQL keeps the tables that knew the person, with their indexes, as they are on the disk now."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("CHECKPOINT")
        found: dict[str, Path] = {}
        for table in (labels, log_keys, log_erasures, beside):
            for name in (table.name, *(str(index.name) for index in table.indexes)):
                path = connection.execute(
                    sa.text("SELECT pg_relation_filepath(:name)"), {"name": name}
                ).scalar_one()
                found[f"{table.name}/{name}"] = server.folder / "data" / path
        path = connection.execute(sa.text("SELECT pg_relation_filepath('pg_statistic')")).scalar_one()
        found["pg_statistic"] = server.folder / "data" / path
    return found


def holding(files: dict[str, Path]) -> set[str]:
    """Tables whose file, or an index of which, holds the person's key."""
    return {name.partition("/")[0] for name, path in files.items() if PERSON.encode() in path.read_bytes()}


def test_a_person_is_gone_from_postgresql(ground: Ground, postgres_server: PostgresServer) -> None:
    """Log, archive, labels and keys forget them, at once and for good; the other person is as before; the audit log is whole."""
    database, home = ground.db, ground.home
    with database.write() as tx:
        asked = ask(tx, home, "churn", PERSON, reason="asked by letter", by="ada", at_us=5)
    assert holding(files_of(postgres_server, database)) >= {
        "labels",
        "log_erasures",
        "beside",
        "pg_statistic",
    }
    done = carry_out(ground, asked.id, None)
    assert (done.state, done.counts.requests, done.counts.labels, done.counts.keys) == (
        ErasureState.ERASED, 2, 1, 1,
    )  # fmt: skip
    assert done.counts.copies_in == []
    # the key is needed for what is on its way; one row of its table, so PostgreSQL notes no frequent value of it
    assert holding(files_of(postgres_server, database)) <= {"log_erasures", "pg_statistic"}
    ground.clock.sleep(2 * AGAIN_US / SECOND_US)
    with database.read() as tx:
        assert due(tx, ground.clock.now_us()) == [asked.id]
    assert carry_out(ground, asked.id, None).state is ErasureState.FINISHED
    assert holding(files_of(postgres_server, database)) == set()
    assert not [
        path for path in home.root.rglob("*") if path.is_file() and PERSON.encode() in path.read_bytes()
    ]
    rows = frame(home, ground.blobs, "churn", database=database)
    assert rows.select("id", "key", "in.plan", "label").rows() == [
        ("archived-2", "other", "gold", 0), ("hot-2", "other", "gold", 0),
    ]  # fmt: skip
    with database.read() as tx:
        assert not tx.execute(sa.select(labels).where(labels.c.value == PERSON)).all()
        assert len(tx.execute(sa.select(log_keys)).all()) == 1
        assert all(PERSON not in row.details for row in audit.rows(tx, action="log:person"))
    assert verify(database, home).faults == ()


def test_a_table_that_somebody_holds_keeps_the_erasure_from_nothing(
    ground: Ground,
    postgres_server: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A long reader of the labels holds up the rewriting of their file alone, which the erasure says until it was done."""
    monkeypatch.setattr("lockgate.predictions.erase_deleted.LOCK_S", 1)
    with ground.db.write() as tx:
        asked = ask(tx, ground.home, "churn", PERSON, reason="asked by letter", by="ada", at_us=5)
    with ground.db.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(labels)).scalar_one() == 2
        done = carry_out(ground, asked.id, None)
    assert (done.state, done.counts.labels) == (ErasureState.ERASED, 1)
    assert {"labels"} <= {*done.counts.copies_in}  # and what the reader's snapshot may still see elsewhere
    assert "file of labels for now" in caplog.text
    assert (
        {"labels"}
        <= holding(files_of(postgres_server, ground.db))
        <= {*done.counts.copies_in, "log_erasures"}
    )
    ground.clock.sleep(2 * AGAIN_US / SECOND_US)
    with ground.db.read() as tx:
        tx.execute(sa.select(sa.func.count()).select_from(labels)).scalar_one()
        assert carry_out(ground, asked.id, None).state is ErasureState.FINISHED
    with ground.db.read() as tx:
        assert unswept(tx) == [asked.id]
    assert [each.counts.copies_in for each in sweep_again(ground)] == [[]]
    assert holding(files_of(postgres_server, ground.db)) == set()
    with ground.db.read() as tx:
        assert unswept(tx) == []
        assert get(tx, asked.id).counts.labels == 1


def test_a_sweep_that_was_killed_is_made_up_for(
    ground: Ground, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dead between the end of an erasure and the sweep after it: all tables are named until the next sweep was there."""

    def no_power(*_given: object) -> list[str]:
        raise OSError("the power is gone")

    with ground.db.write() as tx:
        asked = ask(tx, ground.home, "churn", PERSON, reason="asked by letter", by="ada", at_us=5)
    for _turn in range(2):
        with monkeypatch.context() as dying:
            dying.setattr("lockgate.predictions.erase.forget_deleted", no_power)
            with pytest.raises(OSError, match="the power is gone"):
                carry_out(ground, asked.id, None)
        ground.clock.sleep(2 * AGAIN_US / SECOND_US)
    with ground.db.read() as tx:
        assert unswept(tx) == [asked.id]
        assert get(tx, asked.id).counts.copies_in == [
            "labels", "log_keys", "log_erasures", "beside", "pg_statistic",
        ]  # fmt: skip
        assert all("copies_in" not in row.details for row in audit.rows(tx, action="log:person"))
    assert [each.state for each in sweep_again(ground)] == [ErasureState.FINISHED]
    assert holding(files_of(postgres_server, ground.db)) == set()
    assert sweep_again(ground) == []


def test_tables_that_are_not_ours_are_said(ground: Ground) -> None:
    """Where lockgate's role owns neither a table nor the database, PostgreSQL warns nobody: the erasure names the table."""
    with ground.db.write() as tx:
        asked = ask(tx, ground.home, "churn", PERSON, reason="asked by letter", by="ada", at_us=5)
        for words in ("CREATE ROLE guest LOGIN", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO guest"):
            tx.exec_driver_sql(words)
    carry_out(ground, asked.id, None)
    guest = open_database(ground.db.engine.url.set(username="guest").render_as_string(hide_password=False))
    try:
        assert forget_deleted(guest, ["labels", "beside"]) == ["labels", "beside", "pg_statistic"]
    finally:
        guest.close()
        with ground.db.write() as tx:
            tx.exec_driver_sql("DROP OWNED BY guest")
            tx.exec_driver_sql("DROP ROLE guest")
