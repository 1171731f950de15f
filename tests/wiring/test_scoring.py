"""Scoring a table file: the business key of every row is on record with it, by which labels and erasures find it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from tests.gateway.conftest import World

from lockgate.config import Home, ModelConfig
from lockgate.errors import InvalidInput
from lockgate.predictions.label_import import import_labels
from lockgate.predictions.query import frame
from lockgate.registry.package import read_manifest
from lockgate.registry.store import Version, change_settings, create_model, record_version
from lockgate.wiring.erasing import erase_person
from lockgate.wiring.house import House, open_house
from lockgate.wiring.scoring import Order, ScoredTable, score_file

ROWS = {"a": [1.0, 2.0, 3.0], "b": [0.0, 1.0, 0.0], "c": [1.0, 1.0, -4.0]}
PEOPLE = ["4711", "12", None]


@pytest.fixture
def house(home: Home, sqlite_template: Path) -> Iterator[House]:
    """An open house."""
    shutil.copyfile(sqlite_template, home.database)
    opened = open_house(home)
    yield opened
    opened.close()


@pytest.fixture
def version(house: House) -> Version:
    """churn/1, a compiled model of three numbers, whose business key is `customer`."""
    world = World(house.home, house.blobs)
    digest = world.package()
    manifest = read_manifest(house.blobs.fetch_tree(f"packages/{digest[7:]}", house.home.cache), digest)
    with house.db.write() as tx:
        create_model(tx, "churn", ModelConfig(key="customer"), actor=house.owner.id, at_us=1)
        found, _ = record_version(
            tx, model="churn", digest=digest, manifest=manifest, author=house.owner.id, at_us=1
        )
    world.close()
    return found


def scored(house: House, version: Version, table: pl.DataFrame, key: str | None = None) -> ScoredTable:
    """The table scored by the owner into `scored.parquet` of the home."""
    path = house.home.root / "table.parquet"
    table.write_parquet(path)
    order = Order(path, house.home.root / "scored.parquet", "job-1", key)
    return score_file(house, house.owner, version, order, tell=lambda *_: None)


@pytest.mark.parametrize(
    ("column", "named", "cells"),
    [("customer", None, PEOPLE), ("kunde", "kunde", PEOPLE), ("customer", None, [4711, 12, None]),
     ("kunde", "kunde", [4711.0, 12.0, None])],
    ids=["the model's own name", "another name", "whole numbers", "floats"],
)  # fmt: skip
def test_every_row_is_on_record_with_its_key(
    house: House, version: Version, column: str, named: str | None, cells: list[object]
) -> None:
    """The key stays in the result and goes on record row by row, as text and under the model's own name for it."""
    table = pl.DataFrame({column: cells, **ROWS})
    done = scored(house, version, table, named)
    assert (done.rows, done.failed, done.key) == (3, 0, column)
    result = pl.read_parquet(house.home.root / "scored.parquet")
    assert result.select(table.columns).equals(table)
    rows = frame(house.home, house.blobs, "churn", database=house.db)
    assert rows["in.customer"].to_list() == rows["key"].to_list() == PEOPLE
    assert frame(house.home, house.blobs, "churn", where="key = '12'", database=house.db)[
        "in.a"
    ].to_list() == [2.0]


def test_labels_by_key_find_rows_of_a_table(house: House, version: Version) -> None:
    """Labels that come later by the business key stand beside the very rows, though all have one record."""
    scored(house, version, pl.DataFrame({"customer": PEOPLE, **ROWS}))
    told = pl.DataFrame({"key": [12, 4711], "churned": [1, 0]})
    with house.db.write() as tx:
        import_labels(tx, "churn", told, on="key", label="churned", by="ada", now_us=2)
    rows = frame(house.home, house.blobs, "churn", database=house.db)
    assert rows["id"].n_unique() == 1
    assert rows["label"].to_list() == [0, 1, None]


def test_a_person_in_a_scored_table_is_erased(house: House, version: Version) -> None:
    """Their rows go, the others keep their numbers; with personal inputs each person has a key of their own."""
    with house.db.write() as tx:
        settings = ModelConfig(key="customer", personal=("a",))
        change_settings(tx, "churn", settings, actor=house.owner.id, at_us=2)
    scored(house, version, pl.DataFrame({"customer": PEOPLE, **ROWS}))
    done = erase_person(house, house.owner, "churn", "4711", reason="by letter", tell=lambda *_: None)
    assert (done.erasure.counts.rows, done.erasure.counts.keys) == (1, 1)
    left = frame(house.home, house.blobs, "churn", database=house.db)
    assert left.select("row", "key", "in.a").rows() == [(1, "12", 2.0), (2, None, 3.0)]


def test_a_table_without_keys_is_scored_all_the_same(house: House, version: Version) -> None:
    """No column of the model's key: rows without a key, which is said; a column that is asked for by name must be there."""
    assert scored(house, version, pl.DataFrame(ROWS)).key is None
    assert frame(house.home, house.blobs, "churn", database=house.db)["key"].to_list() == [None] * 3
    with pytest.raises(InvalidInput, match="no column 'kunde'"):
        scored(house, version, pl.DataFrame(ROWS), "kunde")
