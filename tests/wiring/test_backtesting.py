"""Back-tests of the log and of tables, and where checks are computed."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.gateway.conftest import World

from lockgate.checks.finding import Status
from lockgate.checks.running.cluster import RayCluster
from lockgate.checks.running.local import LocalProcesses
from lockgate.clock import DAY_US
from lockgate.config import Home, ModelConfig
from lockgate.errors import Conflict, Forbidden, InvalidInput
from lockgate.governance.people import add_person, grant
from lockgate.governance.permissions import RoleName
from lockgate.predictions.label_import import import_labels
from lockgate.registry.package import read_manifest
from lockgate.registry.store import Version, create_model, record_version
from lockgate.wiring.backtesting import BackTested, Stretch, back_test
from lockgate.wiring.computing import pool_of
from lockgate.wiring.house import House, open_house
from lockgate.wiring.scoring import Order, score_file

ROWS = 480
FIRST = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


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
    """churn/1, a compiled model of three numbers."""
    world = World(house.home, house.blobs)
    digest = world.package()
    manifest = read_manifest(house.blobs.fetch_tree(f"packages/{digest[7:]}", house.home.cache), digest)
    with house.db.write() as tx:
        settings = ModelConfig(key="customer", target="left", time="at")
        create_model(tx, "churn", settings, actor=house.owner.id, at_us=1)
        found, _ = record_version(
            tx, model="churn", digest=digest, manifest=manifest, author=house.owner.id, at_us=1
        )
    world.close()
    return found


@pytest.fixture(scope="module")
def table(house: House, version: Version) -> Path:
    """480 rows over eight months whose label is the model's own answer, but wrong in every tenth row."""
    draw = np.random.default_rng(0)
    frame = pl.DataFrame({name: draw.normal(size=ROWS) for name in "abc"}).with_columns(
        customer=pl.Series([f"c{place}" for place in range(ROWS)]),
        at=pl.Series([FIRST + dt.timedelta(hours=12 * place) for place in range(ROWS)]).dt.replace_time_zone(
            None
        ),
    )
    path = house.home.root / "rows.parquet"
    frame.write_parquet(path)
    scored = house.home.root / "scored.parquet"
    score_file(house, house.owner, version, Order(path, scored, "job-1", None), tell=lambda *_: None)
    answers = pl.read_parquet(scored)["prediction"].cast(pl.Int64)
    wrong = pl.Series(np.arange(ROWS) % 10 == 0).cast(pl.Int64)
    frame.with_columns(left=(answers + wrong) % 2).write_parquet(path)
    return path


def judged(house: House, version: Version, stretch: Stretch) -> BackTested:
    """A back-test by the owner."""
    return back_test(house, house.owner, version, stretch, tell=lambda *_: None)


def test_a_table_is_a_past(house: House, version: Version, table: Path) -> None:
    """Its months are windows; `since` and `until` cut it; nothing is recorded; what it lacks is said."""
    whole = judged(house, version, Stretch(table=table))
    assert (whole.rows, whole.source, whole.model, whole.version) == (ROWS, "a table", "churn", 1)
    over_time = next(finding for finding in whole.findings if finding.subject == "over time")
    assert over_time.status is not Status.COULD_NOT_RUN
    assert [row[0] for row in over_time.table.rows] == [f"2026-0{month}" for month in range(1, 9)]
    first_us = round(FIRST.timestamp() * 1e6)
    part = judged(house, version, Stretch(first_us + 10 * DAY_US, first_us + 150 * DAY_US, table))
    assert part.rows == 280
    narrow = house.home.root / "narrow.csv"
    narrow.write_text("a,b,c,left\n1,2,3,1\n")
    with pytest.raises(InvalidInput, match="needs the time of every row, column 'at'"):
        judged(house, version, Stretch(table=narrow))
    narrow.write_text("")
    with pytest.raises(
        InvalidInput, match=r"^narrow\.csv: the file is empty"
    ):  # whose folder it lay in is nobody's business
        judged(house, version, Stretch(table=narrow))


def test_the_log_is_a_past_once_labels_came(house: House, version: Version, table: Path) -> None:
    """Without labels it says how to bring them; with them the recorded rows are answered; another time holds none."""
    with pytest.raises(Conflict, match="no recorded prediction"):
        judged(house, version, Stretch())
    labels = pl.read_parquet(table).select("customer", "left")
    with house.db.write() as tx:
        import_labels(
            tx,
            "churn",
            labels,
            on="key",
            key="customer",
            label="left",
            by=house.owner.id,
            now_us=house.clock.now_us(),
        )
    found = judged(house, version, Stretch())
    assert (found.rows, found.source) == (ROWS, "the prediction log")
    assert "recorded predictions" in found.findings[0].subject
    assert {finding.status for finding in found.findings} <= {Status.PASS, Status.WARN}
    with pytest.raises(Conflict, match="in that time"):
        judged(house, version, Stretch(until_us=DAY_US))


def test_where_checks_are_computed(house: House) -> None:
    """Here by default; on a cluster that config.yaml names, or that an admin names; what is no address is refused."""
    with house.db.write() as tx:
        builder = add_person(tx, "bea", by=house.owner, at_us=1)
        grant(tx, builder.id, RoleName.BUILDER, "*", by=house.owner, at_us=1)
        assert isinstance(pool_of(house, tx, builder), LocalProcesses)
        assert isinstance(pool_of(house, tx, builder, "local"), LocalProcesses)
        with pytest.raises(Forbidden, match=r"config\.yaml does not name"):
            pool_of(house, tx, builder, "ray://elsewhere:10001")
        admins = pool_of(house, tx, house.owner, "ray://elsewhere:10001")
        assert (type(admins), admins.address) == (RayCluster, "ray://elsewhere:10001")
        with pytest.raises(InvalidInput, match="nowhere to compute"):
            pool_of(house, tx, house.owner, "dask://elsewhere")
