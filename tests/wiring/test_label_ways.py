"""Labels as they really come, by every way there is: whichever way they came, the same is known in the end."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import polars as pl
import pytest
import sqlalchemy as sa

import lockgate
from lockgate.cli.main import main
from lockgate.client.near import NearTransport
from lockgate.clock import DAY_US, SECOND_US, FakeClock, iso
from lockgate.config import Home, Labels, ModelConfig
from lockgate.governance.keys import create_key
from lockgate.predictions.labels import coverage
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.query import frame
from lockgate.predictions.record import Record
from lockgate.predictions.tables import labels
from lockgate.registry.store import create_model
from lockgate.web.app import create_app
from lockgate.wiring.house import House, open_house
from lockgate.wiring.labelling import LabelIntake

Row = tuple[str | None, int | None, int]  # key, label, day on which it became known
Way = Callable[[House, int, list[Row]], None]
START_US = 1_767_225_600 * SECOND_US  # 2026-01-01
FIRST: list[Row] = [
    ("c1", 0, 3),
    ("c2", 1, 3),
    ("c3", 1, 3),
    ("stranger", 1, 3),
    ("c4", None, 3),
    (None, 1, 3),
]
SECOND: list[Row] = [
    ("c1", 0, 3),  # repeated
    ("c2", 0, 9),  # corrected
    ("c3", 0, 1),  # older than what is known: kept, does not count
    ("c4", 1, 9),  # at last
    ("c5", 0, 9), ("c5", 1, 9),  # contradictory: the last row counts
]  # fmt: skip
KNOWN = {"c1": 0, "c2": 0, "c3": 1, "c4": 1, "c5": 1, "c6": None}
QUERY = """
labels:
  queries:
    - {name: crm, model: churn, url_file: ADDRESS, sql: "SELECT customer, gone, known_on, number FROM outcomes",
       label: gone, key: customer, at: known_on, grows: number, every_s: 60}
"""


def day(number: int) -> str:
    """A day of January as people write it."""
    return iso(START_US + (number - 1) * DAY_US)


def table(rows: list[Row]) -> pl.DataFrame:
    """The rows as a table."""
    return pl.DataFrame(
        {"customer": [key for key, _, _ in rows], "gone": [label for _, label, _ in rows],
         "known_on": [day(when) for _, _, when in rows]},
        schema={"customer": pl.String, "gone": pl.Int64, "known_on": pl.String},
    )  # fmt: skip


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """`churn`, whose settings name the columns, with one request each of c1 to c6 on record, and a query in its settings."""
    home = Home(tmp_path / "home").prepare()
    (tmp_path / "address").write_text(f"sqlite:///{tmp_path / 'crm.db'}")
    (home.root / "config.yaml").write_text(QUERY.replace("ADDRESS", str(tmp_path / "address")))
    made = open_house(home, FakeClock(START_US + 20 * DAY_US))
    named = Labels(label="gone", on="key", key="customer", at="known_on")
    with made.db.write() as tx:
        create_model(tx, "churn", ModelConfig(labels=named), actor="ada", at_us=1)
    with SegmentWriter(home.log, "gateway-0") as log:
        log.append([
            Record(id=f"r{n}", at_us=START_US, model="churn", version=1, rows=1, key=f"c{n}") for n in range(1, 7)
        ])  # fmt: skip
    yield made
    made.close()


def by_command(house: House, number: int, rows: list[Row]) -> None:
    """`lockgate labels import`, a CSV."""
    path = house.home.root.parent / f"{number}.csv"
    table(rows).write_csv(path)
    words = (
        "labels",
        "import",
        "churn",
        str(path),
        "--label",
        "gone",
        "--key",
        "customer",
        "--at",
        "known_on",
    )
    assert main([*words, "--home", str(house.home.root)]) == 0


def by_frame(house: House, number: int, rows: list[Row]) -> None:
    """`lockgate.import_labels`, a polars frame the first time, a pandas one the second."""
    made = table(rows) if number == 0 else table(rows).to_pandas()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("LOCKGATE_HOME", str(house.home.root))
        lockgate.import_labels("churn", made, label="gone", key="customer", at="known_on")


def by_program(house: House, _number: int, rows: list[Row]) -> None:
    """`POST /labels/rows`, as JSON; a row without a key cannot be said so, and is not sent."""
    app = create_app(house)
    with house.db.write() as tx:
        key, _ = create_key(tx, house.owner, label="", by=house.owner, at_us=1)
    sent = [
        {"value": whose, "label": label, "at": day(when)} for whose, label, when in rows if whose is not None
    ]
    transport = NearTransport.over(app)
    with httpx.Client(transport=transport, base_url="http://box") as client:
        done = client.post(
            "/api/models/churn/labels/rows", json={"labels": sent}, headers={"authorization": f"Bearer {key}"}
        )
    assert done.status_code == 200, done.text
    transport.close()
    app.state.jobs.close()


def by_folder(house: House, number: int, rows: list[Row]) -> None:
    """The watched folder, a Parquet file."""
    folder = house.home.root / "labels" / "churn"
    folder.mkdir(parents=True, exist_ok=True)
    table(rows).write_parquet(folder / f"{number}.parquet")
    os.utime(folder / f"{number}.parquet", (1, 1))
    _taken_in(house)


def by_query(house: House, number: int, rows: list[Row]) -> None:
    """A table of another database, to which rows are added."""
    with sqlite3.connect(house.home.root.parent / "crm.db") as other:
        other.execute(
            "CREATE TABLE IF NOT EXISTS outcomes (number INTEGER PRIMARY KEY, customer TEXT, gone INTEGER, known_on TEXT)"
        )
        values = [(number * 100 + place, *row) for place, row in enumerate(table(rows).rows())]
        other.executemany("INSERT INTO outcomes VALUES (?, ?, ?, ?)", values)
    other.close()
    _taken_in(house)


def _taken_in(house: House) -> None:
    """Two looks of the monitor, a minute apart."""
    intake = LabelIntake(house, "churn")
    for _ in range(2):
        house.clock.sleep(60)
        assert intake.look(house.clock.now_us()).words in ("", _NO_DATABASE)


_NO_DATABASE = "the query 'crm': the database of the labels is not there; received: no such file"


@pytest.mark.parametrize("way", [by_command, by_frame, by_program, by_folder, by_query])
def test_every_way_comes_to_the_same(house: House, way: Way) -> None:
    """Late, repeated, corrected, older, partly missing, contradictory, of strangers: what counts, what is kept, and what is
    covered are the same by command, frame, program, folder and query; everything once more changes nothing."""
    way(house, 0, FIRST)
    way(house, 1, SECOND)
    assert known(house) == KNOWN
    kept = on_record(house)
    assert kept == {"c1": 1, "c2": 2, "c3": 2, "c4": 1, "c5": 2, "stranger": 1}
    way(house, 2, SECOND)
    assert (known(house), on_record(house)) == (KNOWN, kept)


def known(house: House) -> dict[str, int | None]:
    """What counts for each request."""
    rows = frame(house.home, house.blobs, "churn", database=house.db)
    assert coverage(rows)["labelled"].to_list() == [rows["label"].count()]
    return dict(zip(rows["key"], rows["label"], strict=True))


def on_record(house: House) -> dict[str, int]:
    """How many labels of each key are kept."""
    with house.db.read() as tx:
        return dict(sorted(Counter(tx.execute(sa.select(labels.c.value)).scalars()).items()))
