"""How far back a retraining learns and what it is tested on, on a real home: its log, its own algorithm, its pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import msgspec
import numpy as np
import polars as pl
import pytest
from tests.retraining.flow import live_model, quiet

from lockgate.clock import DAY_US, HOUR_US, FakeClock
from lockgate.config import Home
from lockgate.config_retraining import Held, Past, RetrainConfig
from lockgate.datasets.columns import columns_from
from lockgate.datasets.versions import Origin, Source, get_data, parse_data
from lockgate.predictions.label_import import Naming, import_many
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.record import Record, blocks_of
from lockgate.registry.store import Version
from lockgate.retraining.held import held_since_us, own_since_us
from lockgate.wiring.datasets import add_table, frame_of
from lockgate.wiring.house import House, open_house
from lockgate.wiring.packages import open_version
from lockgate.wiring.retrain_data import data_for
from lockgate.wiring.retrain_reach import Tested as Kept
from lockgate.wiring.retrain_reach import until_us
from lockgate.wiring.retrain_seen import View, view_of

pytestmark = pytest.mark.faults
BEGINS_US = 1_760_000_000_000_000 // DAY_US * DAY_US
GIVEN, LOGGED = 60, 140  # days
TURNS = 130  # the day of all from which on the answer is another one
PIPELINE = """
import polars as pl
from sklearn.linear_model import LinearRegression

def train(raw: pl.DataFrame) -> pl.DataFrame:
    return raw.head(int(raw.height * 0.7))

def test(raw: pl.DataFrame) -> pl.DataFrame:
    return raw.tail(raw.height - int(raw.height * 0.7))

def model(train: pl.DataFrame):
    return LinearRegression().fit(train.select("a", "b").to_numpy(), train["y"].to_numpy())
"""
SETTINGS = {
    "target": "y", "time": "at", "suites": {"low": ["leakage", "performance"]}, "task": "regression",
    "retrain": {"rows": "log", "when": ["performance"]},
}  # fmt: skip


def _rows(first: int, days: int) -> pl.DataFrame:
    """Rows by the hour, from a day on; the second input counts the other way round after TURNS."""
    rng = np.random.default_rng(first)
    hours = np.arange(first * 24, (first + days) * 24)
    x = rng.normal(size=(hours.size, 2))
    turned = np.where(hours >= TURNS * 24, -1.0, 1.0)
    at = pl.Series(BEGINS_US + hours * HOUR_US).cast(pl.Datetime("us"))
    return pl.DataFrame(
        {
            "at": at,
            "a": x[:, 0],
            "b": x[:, 1],
            "y": x[:, 0] + turned * x[:, 1] + rng.normal(0, 0.3, hours.size),
        }
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A home whose model learned sixty days, and answered for a hundred and forty, labels a day late."""
    clock = FakeClock(BEGINS_US + GIVEN * DAY_US)
    opened = open_house(Home(tmp_path_factory.mktemp("home")), clock)
    add_table(opened, opened.owner, "rows", _rows(0, GIVEN), source=Source(origin=Origin.FRAME), tell=quiet)
    live = live_model(opened, opened.owner, text=PIPELINE, **SETTINGS)
    _answered(opened, live, _rows(GIVEN, LOGGED))
    yield opened
    opened.close()


def _answered(house: House, live: Version, rows: pl.DataFrame) -> None:
    """A request a day; what came true is handed in every ten days."""
    columns = columns_from(rows.select("a", "b"), live.manifest.signature)
    with closing(open_version(house, live.digest)) as model:
        outputs = model.predict(columns)
    with SegmentWriter(house.home.log, "gateway-0", clock=house.clock) as writer:
        for day in range(LOGGED):
            part = slice(24 * day, 24 * day + 24)
            writer.append([Record(
                id=f"day-{day}", at_us=BEGINS_US + (GIVEN + day) * DAY_US, model="flow", version=live.number, digest=live.digest,
                rows=24, inputs=blocks_of({name: column[part] for name, column in columns.items()}),
                outputs=blocks_of({name: column[part] for name, column in outputs.items()}),
            )])  # fmt: skip
    hours = pl.int_range(rows.height, eager=True)
    told = rows.select(id=pl.format("day-{}", hours // 24), row=hours % 24, label="y")
    for day in range(0, LOGGED, 10):
        known_us = BEGINS_US + (GIVEN + day + 11) * DAY_US
        import_many(house.db, "flow", told[24 * day : 24 * (day + 10)], Naming("label", on="id", key="id", row="row"),
                    by="ada", now_us=known_us)  # fmt: skip
    house.clock.sleep((LOGGED + 1) * DAY_US / 1e6)


def _view(house: House, **retrain: object) -> View:
    view = view_of(house, "flow")
    assert view is not None
    config = msgspec.structs.replace(view.config, **retrain)
    return View(**{**{name: getattr(view, name) for name in view.__dataclass_fields__},
                   "settings": msgspec.structs.replace(view.settings, retrain=config)})  # fmt: skip


def test_the_log_says_how_far_back_and_its_newest_rows_are_the_test(house: House) -> None:
    """The answer turned fifty days before the rows that are kept for the test: what lies before is left out of the table, by the
    version's own algorithm; and the pipeline, which would keep three tenths, is told where its test begins."""
    view, told = _view(house), []
    assert view.run is not None
    found = data_for(house, house.owner, view, view.run, lambda *said: told.append(said))
    assert found.reach is not None
    assert found.reach.days in (30.0, 14.0)
    assert "its own algorithm (of flow/1)" in found.reach.by
    assert "a mean absolute error of" in found.reach.words
    assert found.cut is not None
    ends = BEGINS_US + (GIVEN + LOGGED) * DAY_US
    since = pl.Series([found.cut.since]).str.to_datetime(time_unit="us").to_physical()[0]
    assert 7 * DAY_US <= ends - since <= 21 * DAY_US
    with house.db.read() as tx:
        made = frame_of(house, get_data(tx, *parse_data(found.data["raw"])))
    oldest = made["at"].min()
    assert pl.Series([oldest]).cast(pl.Datetime("us")).to_physical()[0] >= BEGINS_US + TURNS * DAY_US
    assert found.rows == {"raw": (GIVEN + LOGGED) * 24}
    assert told[0][0] == "how far back to learn"
    assert told[-1][1] + 1 == told[-1][2] == found.reach.fits


def test_words_of_the_settings_count(house: House) -> None:
    """All days, the pipeline's own test, or so many days of each: nothing is found out then."""
    view = _view(house, newest_days=Past.ALL, test_days=Held.OWN)
    assert view.run is not None
    found = data_for(house, house.owner, view, view.run, quiet)
    assert (found.reach, found.cut) == (None, None)
    view = _view(house, newest_days=100.0, test_days=7.0)
    found = data_for(house, house.owner, view, view.run, quiet)
    assert found.reach is None
    assert found.cut is not None
    with house.db.read() as tx:
        assert get_data(tx, *parse_data(found.data["raw"])).rows == 100 * 24


@pytest.mark.parametrize("tested", [Kept(None, 0.2, movable=True), Kept(None, 0.3, movable=False)])
@pytest.mark.parametrize("old", [True, False])
def test_rows_without_a_label_bring_no_tested_row_into_view(tested: Kept, old: bool) -> None:
    """A pipeline may count them when it keeps the newest rows, or not: the earlier of both tests is kept away from."""
    every = np.arange(1_000) * HOUR_US
    labelled = every[500:] if old else every[:600]
    until = until_us(tested, RetrainConfig(), labelled, every)
    for counted in (labelled, every):
        cut = held_since_us(counted, Held.AUTO, None) if tested.movable else None
        assert until <= (own_since_us(counted, tested.share) if cut is None else cut)
