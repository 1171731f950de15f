"""Labels out of another database, real SQLite and real PostgreSQL: new rows alone, nothing written, clear errors."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from lockgate.db import Database
from lockgate.errors import InvalidInput, Unavailable
from lockgate.predictions.label_query import Progress, Reached, new_rows, progress_of, put_progress

SQL = "SELECT customer, left_us, wrote FROM outcomes WHERE customer NOT LIKE ':no%';"


@pytest.fixture
def address(database: Database, tmp_path: Path) -> Path:
    """A database of somebody else's with three outcomes; the file that holds its address."""
    with database.write() as tx:
        tx.execute(sa.text("CREATE TABLE outcomes (customer TEXT, left_us INTEGER, wrote TIMESTAMP)"))
        for name, left, day in (("a", 1, 1), ("b", 0, 2), ("c", 1, 2)):
            values = {"name": name, "left": left, "at": f"2026-03-0{day} 10:00:00"}
            tx.execute(sa.text("INSERT INTO outcomes VALUES (:name, :left, :at)"), values)
    path = tmp_path / "address"
    path.write_text(database.engine.url.render_as_string(hide_password=False) + "\n")
    return path


def test_new_rows_alone_are_read_where_a_column_grows(database: Database, address: Path) -> None:
    """The first time all, then from the value that was reached on, so that nothing of that very moment is missed."""
    ((rows, reached),) = new_rows(address, SQL, "wrote", None)
    assert rows["customer"].to_list() == ["a", "b", "c"]
    assert reached is not None
    put_progress(database, "crm", "churn", Progress(reached=reached, asked_us=5, rows=3))
    with database.write() as tx:
        tx.execute(sa.text("INSERT INTO outcomes VALUES ('d', 0, '2026-03-02 10:00:00')"))
    with database.read() as tx:
        before = progress_of(tx, "crm")
    assert before == Progress(reached=reached, asked_us=5, rows=3)
    ((more, _),) = new_rows(address, SQL, "wrote", before.reached)
    assert sorted(more["customer"].to_list()) == ["b", "c", "d"]
    assert (
        list(
            new_rows(
                address,
                SQL,
                "wrote",
                Reached("text", "2027-01-01")
                if database.dialect == "sqlite"
                else Reached("time", "2027-01-01T00:00:00"),
            )
        )
        == []
    )
    ((whole, nowhere),) = new_rows(address, SQL, None, None)
    assert (whole.height, nowhere) == (4, None)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM outcomes",
        "INSERT INTO outcomes VALUES ('x', 1, NULL)",
        "SELECT nothing",
        "SELECT 1) AS one; COMMIT; DELETE FROM outcomes; COMMIT; SELECT * FROM (SELECT 1",
    ],
)
def test_nothing_but_a_select_is_possible(database: Database, address: Path, statement: str) -> None:
    """What would write, and what is no query, is refused and changes nothing; the address is not told."""
    with pytest.raises(InvalidInput, match="cannot be run") as refused:
        list(new_rows(address, statement, None, None))
    assert address.read_text().strip() not in refused.value.sentence()
    ((rows, _),) = new_rows(address, SQL, None, None)
    assert rows.height == 3


def test_what_cannot_be_asked_is_said(address: Path, tmp_path: Path) -> None:
    """An address that is none, a file that is not there, a database that is away, a column that there is not."""
    with pytest.raises(InvalidInput, match=r'cannot be run.* grown|cannot be run.*"grown"'):
        list(new_rows(address, SQL.replace("wrote", "wrote AS grown2"), "grown", None))
    for text, says in (
        ("nonsense", "holds no address"),
        ("mysql+pymysql://a/b", "this kind of database"),
        ("postgresql://a/b", "this kind of database"),
        ("sqlite:////nowhere/x.db", "not there"),
    ):
        wrong = tmp_path / "wrong"
        wrong.write_text(text)
        with pytest.raises((InvalidInput, Unavailable), match=says):
            list(new_rows(wrong, SQL, None, None))
    with pytest.raises(InvalidInput, match="cannot be read"):
        list(new_rows(tmp_path / "absent", SQL, None, None))
    with pytest.raises(InvalidInput, match="no column that grows so"):
        list(new_rows(address, SQL, "WROTE", None))


@pytest.mark.parametrize(
    "text",
    [
        "postgresql+psycopg://ann:secret@127.0.0.1:1/none",
        "postgresql+psycopg://ann:half@secret@127.0.0.1:1/none",
        "postgresql+psycopg://ann:half@x:secret@127.0.0.1/none",
    ],
)
def test_no_error_tells_the_address(tmp_path: Path, text: str) -> None:
    """Neither a database that is away nor a password that breaks the address, by an @ of its own, shows a piece of it."""
    path = tmp_path / "address"
    path.write_text(text)
    with pytest.raises((InvalidInput, Unavailable)) as away:
        list(new_rows(path, SQL, None, None))
    said = away.value.sentence()
    assert not [word for word in ("secret", "half", "ann:", "127.0.0.1", "none") if word in said]


def test_keys_that_are_uuids_and_comments_in_statements_are_read(postgres: Database, tmp_path: Path) -> None:
    """What PostgreSQL gives as an object is a key as text; a comment at the end of a statement ends with its line."""
    path = tmp_path / "address"
    path.write_text(postgres.engine.url.render_as_string(hide_password=False))
    sql = "SELECT '6f1c2d5e-0000-4000-8000-000000000001'::uuid AS customer -- the only one"
    ((rows, _),) = new_rows(path, sql, None, None)
    assert rows["customer"].to_list() == ["6f1c2d5e-0000-4000-8000-000000000001"]
