"""Pools that a real version answers: the log and a data version; what becomes of labels of the log; who is erased."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.gateway.conftest import World

from lockgate.annotation.batches import items_of
from lockgate.annotation.picking import Strategy
from lockgate.annotation.signals import Reason
from lockgate.config import Home, ModelConfig
from lockgate.datasets.versions import Origin, Source
from lockgate.errors import Conflict, InvalidInput
from lockgate.predictions.labels import latest_labels
from lockgate.predictions.query import frame as log_frame
from lockgate.registry.package import read_manifest
from lockgate.registry.store import Version, create_model, record_version
from lockgate.wiring.annotation import learning_curve, select_batch
from lockgate.wiring.annotation_files import picture
from lockgate.wiring.annotation_shown import Order
from lockgate.wiring.annotation_work import finish, label_item, shown_of
from lockgate.wiring.datasets import add_table
from lockgate.wiring.erasing import erase_person
from lockgate.wiring.house import House, open_house
from lockgate.wiring.scoring import Order as Scoring
from lockgate.wiring.scoring import score_file

ROWS = 300


def quiet(*_: object) -> None:
    """Nobody watches."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[House]:
    """An open house."""
    home = Home(tmp_path_factory.mktemp("home")).prepare()
    shutil.copyfile(sqlite_template, home.database)
    opened = open_house(home)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def version(house: House) -> Version:
    """churn/1, a compiled model of three numbers, which has answered 300 recorded rows and knows a data set of the same."""
    world = World(house.home, house.blobs)
    digest = world.package()
    manifest = read_manifest(house.blobs.fetch_tree(f"packages/{digest[7:]}", house.home.cache), digest)
    costs = {"1": {"0": 9.0}, "0": {"1": 1.0}}
    with house.db.write() as tx:
        settings = ModelConfig(key="customer", target="left", costs=costs)
        create_model(tx, "churn", settings, actor=house.owner.id, at_us=1)
        found, _ = record_version(
            tx, model="churn", digest=digest, manifest=manifest, author=house.owner.id, at_us=1
        )
    world.close()
    draw = np.random.default_rng(0)
    frame = pl.DataFrame({name: draw.normal(size=ROWS) for name in "abc"})
    frame = frame.with_columns(customer=pl.Series([f"c{place}" for place in range(ROWS)]))
    path = house.home.root / "rows.parquet"
    frame.write_parquet(path)
    score_file(
        house,
        house.owner,
        found,
        Scoring(path, house.home.root / "scored.parquet", "job-1", None),
        tell=quiet,
    )
    add_table(house, house.owner, "customers", frame, source=Source(origin=Origin.FRAME), tell=quiet)
    return found


def margin_of_log(house: House) -> dict[str, float]:
    """By key, how sure the recorded answer was."""
    rows = log_frame(house.home, house.blobs, "churn", database=house.db)
    return {key: abs(2 * each - 1) for key, each in zip(rows["key"], rows["out.probability"], strict=True)}


def test_unsure_requests_of_the_log_are_asked_and_become_labels(house: House, version: Version) -> None:
    """By margin the requests that the version was least sure of; their labels are labels of those very requests."""
    order = Order(budget=6, strategy=Strategy.MARGIN, people=1)
    found = select_batch(house, house.owner, "churn", order, quiet)
    assert found.batch.asked.source == "log"
    with house.db.read() as tx:
        items = items_of(tx, found.batch.id)
    rows = log_frame(house.home, house.blobs, "churn", database=house.db)
    keys = {(one["id"], one["row"] or 0): one["key"] for one in rows.select("id", "row", "key").to_dicts()}
    sure = margin_of_log(house)
    picked = [keys[item.content.request, item.content.row] for item in items]
    assert set(picked) == set(sorted(sure, key=lambda key: sure[key])[:6])
    assert set(items[0].content.cells) == {"a", "b", "c"}
    assert items[0].content.answered in found.batch.asked.classes
    with pytest.raises(Conflict, match="nothing of batch"):
        finish(house, house.owner, found.batch.id, tell=quiet)
    for item in items:
        label_item(house, house.owner, found.batch.id, item.number, found.batch.asked.classes[1])
    done = finish(house, house.owner, found.batch.id, tell=quiet)
    assert (done.labels, done.data) == (6, None)
    labelled = log_frame(house.home, house.blobs, "churn", where="label IS NOT NULL", database=house.db)
    assert set(labelled["key"]) == set(picked)
    with house.db.read() as tx:
        assert latest_labels(tx, "churn").height == 6
    more = select_batch(house, house.owner, "churn", order, quiet)
    with house.db.read() as tx:
        again = {keys[item.content.request, item.content.row] for item in items_of(tx, more.batch.id)}
    assert not again & set(picked)


def test_a_pool_is_answered_by_the_version_and_weighed_by_costs(house: House, version: Version) -> None:
    """The mixture knows that the model is unsure and what mistakes cost; the model's answer stands with the item."""
    found = select_batch(
        house, house.owner, "churn", Order(money=9.0, price=0.3, people=3, pool="customers@1"), quiet
    )
    assert (found.batch.items, found.batch.asked.people) == (10, 3)
    assert set(found.selection.reasons) == {Reason.MARGIN, Reason.COST}
    with house.db.read() as tx:
        items = items_of(tx, found.batch.id)
        assert shown_of(tx, house.owner, found.batch.id).agreement.shared == 0
    assert all(0.5 <= (item.content.probability or 0) <= 1 for item in items)
    with pytest.raises(InvalidInput, match="no picture"):
        picture(house, house.owner, found.batch.id, 1)
    narrow = pl.DataFrame({"a": [1.0, 2.0], "left": [None, None]}, schema_overrides={"left": pl.Int64})
    add_table(house, house.owner, "narrow", narrow, source=Source(origin=Origin.FRAME), tell=quiet)
    with pytest.raises(InvalidInput, match="lacks columns"):
        select_batch(house, house.owner, "churn", Order(budget=1, pool="narrow@1"), quiet)
    curve = learning_curve(house, house.owner, "churn", Order(budget=1, pool="customers@1"), quiet)
    assert "too few to tell" in curve.words


def test_who_is_erased_is_in_no_item(house: House, version: Version) -> None:
    """Items of an erased person's rows are emptied; the batch and its other items stay."""
    found = select_batch(
        house, house.owner, "churn", Order(budget=300, pool="customers@1", strategy=Strategy.CHANCE), quiet
    )
    with house.db.read() as tx:
        before = items_of(tx, found.batch.id)
    erase_person(house, house.owner, "churn", "c7", reason="they asked", tell=quiet)
    with house.db.read() as tx:
        after = items_of(tx, found.batch.id)
    gone = [item for item in after if item.content.reason == "erased"]
    assert len(gone) == 1
    assert gone[0].content.cells == {}
    assert len(after) == len(before) == 300


def test_a_huge_pool_is_sampled_and_what_that_may_miss_is_said(
    house: House, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a limit of 100 rows, of 300 a third is looked at, and the sentence says how good the picked ones are at least."""
    for module in ("annotation", "annotation_pool"):
        monkeypatch.setattr(f"lockgate.wiring.{module}.MOST_ROWS", 100)
    found = select_batch(house, house.owner, "churn", Order(budget=5, pool="customers@1"), quiet)
    assert found.selection.pool == 100
    assert "of 300 rows a sample of 100 was looked at" in found.said[0]
    assert "among the best 9.27 % of all" in found.said[0]
    with house.db.read() as tx:
        rows = [item.content.row for item in items_of(tx, found.batch.id)]
    assert max(rows) >= 100
    more = select_batch(
        house, house.owner, "churn", Order(budget=200, pool="customers@1", strategy=Strategy.CHANCE), quiet
    )
    assert "among the best 100.00 % of all" in more.said[0]
