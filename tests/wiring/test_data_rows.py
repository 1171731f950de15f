"""Data that stay where they are: a Delta table, a query, a large file. Each use holds them to what was added."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from lockgate.config import Home
from lockgate.datasets import large
from lockgate.datasets.queried import without_password
from lockgate.datasets.versions import DataVersion, Origin, Source
from lockgate.errors import Conflict, Forbidden, InvalidInput, NotFound
from lockgate.governance.people import add_person, grant
from lockgate.governance.permissions import RoleName
from lockgate.wiring.data_referring import refer_delta, refer_query, refer_table
from lockgate.wiring.data_rows import address_of, table_at
from lockgate.wiring.datasets import add_table, file_of, frame_of
from lockgate.wiring.house import House, open_house


def quiet(*_said: object, **_more: object) -> None:
    """Nobody listens to the progress."""


def rows(seed: int = 0, count: int = 60) -> pl.DataFrame:
    """Whole numbers, numbers with a gap, words."""
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "id": np.arange(count) + 1_000 * seed,
            "x": rng.normal(size=count),
            "town": rng.choice(["Bonn", "Ulm"], count),
        }
    ).with_columns(x=pl.when(pl.col("id") % 7 == 0).then(None).otherwise("x"))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A home."""
    opened = open_house(Home(tmp_path_factory.mktemp("home")))
    yield opened
    opened.close()


def is_stored(house: House, data: DataVersion) -> bool:
    """Whether its rows were copied."""
    return house.blobs.exists(f"data/{data.digest.partition(':')[2]}.parquet")


def test_a_version_of_a_delta_table_stays_what_it_was(house: House, tmp_path: Path) -> None:
    """Rows that come later change nothing; a file that is written over, or vacuumed, is named; nothing is copied."""
    lake = tmp_path / "lake"
    write_deltalake(lake, rows(0), partition_by=["town"])
    write_deltalake(lake, rows(1), mode="append")
    before = refer_delta(house, house.owner, "lake", lake, 0, tell=quiet).data
    newest = refer_delta(house, house.owner, "lake", lake, None, tell=quiet).data
    assert (before.source.origin, before.source.version, newest.source.version) == (Origin.DELTA, 0, 1)
    assert (before.rows, newest.rows, is_stored(house, before), is_stored(house, newest)) == (
        60,
        120,
        False,
        False,
    )
    write_deltalake(lake, rows(2), mode="append")
    DeltaTable(lake).create_checkpoint()
    assert frame_of(house, before).sort("id").equals(rows(0).sort("id"), null_equal=True)
    assert frame_of(house, newest).height == 120
    with file_of(house, before, tmp_path) as path:
        assert pl.read_parquet(path).height == 60
    (name, *_) = [path for path in lake.glob("town=*/*.parquet") if pl.read_parquet(path)["id"].max() < 1_000]
    body = name.read_bytes()
    pl.read_parquet(name).with_columns(x=pl.lit(0.0)).write_parquet(name)
    with pytest.raises(Conflict, match=rf"lake@1 refers to has changed.*version 0: .*{name.name}"):
        frame_of(house, before)
    name.unlink()
    with pytest.raises(NotFound, match="a file of lake, version 0, is gone"):
        frame_of(house, before)
    name.write_bytes(body)
    assert frame_of(house, before).height == 60


def test_a_delta_table_whose_files_lie_elsewhere_is_not_referred_to(house: House, tmp_path: Path) -> None:
    """A file of it is a link that leads out of its folder: any file of the machine could be meant."""
    lake = tmp_path / "lake"
    write_deltalake(lake, rows(0))
    (file,) = lake.glob("*.parquet")
    file.rename(tmp_path / file.name)
    file.symlink_to(tmp_path / file.name)
    with pytest.raises(InvalidInput, match=r"lake, version 0, reads files that lie outside its folder"):
        refer_delta(house, house.owner, "far", lake, None, tell=quiet)


def test_a_query_is_asked_again_and_must_give_the_same(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows come in pieces; one that changed is said; the query can change nothing; without an order it is refused."""
    file = tmp_path / "bank.db"
    with sqlite3.connect(file) as bank:
        bank.execute("create table loans (id integer primary key, amount real, note text)")
        bank.executemany(
            "insert into loans values (?, ?, ?)",
            [(n, n / 2 if n % 3 else None, None if n < 9 else "x") for n in range(20)],
        )
    address, sql = f"sqlite:///{file}", "select * from loans order by id"
    monkeypatch.setattr("lockgate.datasets.queried.FETCHED", 6)  # a column without a value in the first piece
    data = refer_query(house, house.owner, "bank", sql, address, tell=quiet).data
    assert (data.rows, data.source.query, data.source.path, is_stored(house, data)) == (
        20,
        sql,
        address,
        False,
    )
    assert dict(data.columns) == {"id": "Int64", "amount": "Float64", "note": "String"}
    assert frame_of(house, data)["note"].null_count() == 9
    with sqlite3.connect(file) as bank:
        bank.execute("update loans set amount = 7 where id = 1")
    with pytest.raises(
        Conflict, match=r"bank@1 refers to has changed.*select \* from loans.*without --refer rows are kept"
    ):
        frame_of(house, data)
    with pytest.raises(InvalidInput, match=r"needs an order of its rows.*ORDER BY"):
        refer_query(house, house.owner, "bank", "select * from loans", address, tell=quiet)
    with pytest.raises(InvalidInput, match=r"cannot be run.*readonly"):
        refer_query(
            house, house.owner, "bank", "delete from loans returning id -- order by id", address, tell=quiet
        )
    with pytest.raises(InvalidInput, match="cannot be run"):
        refer_query(house, house.owner, "bank", "select * from nowhere order by 1", address, tell=quiet)


def test_a_password_is_never_written_down(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a reference needs one it comes from the environment of who runs lockgate, when it is that database's."""
    monkeypatch.setenv("LOCKGATE_DATABASE", "postgresql://reader:secret@db/bank")
    assert address_of("postgresql://reader@db/bank") == "postgresql://reader:secret@db/bank"
    assert address_of("postgresql://reader@db/other") == "postgresql://reader@db/other"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("postgresql://u:secret@db/x?sslkey=k&authToken=secret", "postgresql://u@db/x?sslkey=k"),
        ("mssql+pyodbc:///?odbc_connect=PWD%3Dsecret", "mssql+pyodbc:///"),
        ("snowflake://u@a/x?private_key=secret&role=r", "snowflake://u@a/x?role=r"),
    ],
)
def test_settings_that_are_secrets_are_not_written_down(given: str, kept: str) -> None:
    """Some databases take a token, or all they need in one setting; where a key lies is no secret."""
    assert without_password(given) == kept


@pytest.mark.parametrize(
    "given", ["postgresql://u:se@cret@db/x", "postgresql://u:s@e:cret@db/x", "u:se@cret@db"]
)
def test_a_password_that_reads_as_a_host_is_refused(given: str) -> None:
    """An @ in a password ends it; what comes after it would stand in the address that is kept, or in an error."""
    with pytest.raises(InvalidInput, match=r"no address of a database.*%40") as refused:
        without_password(given)
    assert "cret" not in str(refused.value)


def test_only_who_runs_the_machine_refers(house: House, tmp_path: Path) -> None:
    """A builder may not have lockgate read a path or ask a database that they name."""
    with house.db.write() as tx:
        builder = add_person(tx, "builder", by=house.owner, at_us=1)
        grant(tx, "builder", RoleName.BUILDER, "*", by=house.owner, at_us=1)
    rows().write_csv(tmp_path / "rows.csv")
    for act in (
        lambda: refer_table(house, builder, "x", tmp_path / "rows.csv", tell=quiet),
        lambda: refer_delta(house, builder, "x", tmp_path, None, tell=quiet),
        lambda: refer_query(house, builder, "x", "select 1 order by 1", "sqlite://", tell=quiet),
    ):
        with pytest.raises(Forbidden, match="only an admin may refer"):
            act()


def test_a_large_file_is_the_same_version_as_read_whole(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In pieces or whole, added or referred to: one digest, one profile; and it is read in pieces again."""
    path, frame = tmp_path / "rows.csv", rows(3, 5_000)
    frame.write_csv(path)
    source = Source(origin=Origin.FILE, said="rows.csv")
    whole = add_table(house, house.owner, "whole", path, source=source, tell=quiet).data
    monkeypatch.setattr(large, "LARGE_BYTES", 1_000)
    monkeypatch.setattr("lockgate.datasets.pieces.ROWS_AT_ONCE", 800)
    monkeypatch.setattr("lockgate.datasets.large.ROWS_AT_ONCE", 800)
    pieces = add_table(house, house.owner, "pieces", path, source=source, tell=quiet)
    far = refer_table(house, house.owner, "far", path, tell=quiet).data
    assert pieces.data.digest == whole.digest == far.digest
    assert pieces.data.profile == far.profile
    assert [one.distinct for one in whole.profile.columns] == [one.distinct for one in far.profile.columns]
    assert pieces.rows.height == 5_000
    for data in (whole, pieces.data, far):
        with table_at(house, data) as table:
            assert sum(piece.height for piece in table.pieces()) == 5_000
