"""Who was trained on which rows, through splits: from rows to versions, and from a version to the rows that it came from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from tests.wiring.test_training import PIPELINE, order, quiet, table

from lockgate.config import Home
from lockgate.datasets.split import Split
from lockgate.datasets.versions import DataVersion, Origin, Source
from lockgate.pipelines.run import Run
from lockgate.wiring.data_quality import looked_at
from lockgate.wiring.data_referring import refer_table
from lockgate.wiring.datasets import add_table, frame_of, resolve_data
from lockgate.wiring.house import House, open_house
from lockgate.wiring.lineage import DataLineage, data_lineage, split_data, version_lineage
from lockgate.wiring.training import train

READS = "from pathlib import Path\n\ndef model(raw: Path):\n    return len\n"


def timed() -> pl.DataFrame:
    """200 rows, one an hour, of fifty people in turn."""
    start = datetime(2026, 1, 1)
    return table().with_columns(
        at=pl.Series([start + timedelta(hours=hour) for hour in range(200)]),
        who=pl.Series([f"p{row % 50}" for row in range(200)]),
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A home with one table that was split by time, by group and by chance."""
    opened = open_house(Home(tmp_path_factory.mktemp("home")))
    for name, how in (("hours", Split(time="at")), ("people", Split(group="who")), ("drawn", Split(seed=4))):
        made = add_table(opened, opened.owner, name, timed(), source=Source(origin=Origin.FRAME), tell=quiet)
        split_data(opened, opened.owner, made.data, how, quiet)
    yield opened
    opened.close()


def data(house: House, name: str) -> DataVersion:
    """A version by its name."""
    with house.db.read() as tx:
        return resolve_data(tx, name)


def trained(house: House, on: str, model: str) -> Run:
    """A run that read a version and made no version of a model."""
    return train(
        house, house.owner, order(house, READS, model=model, data={"raw": on}, submit=False), quiet
    ).run


def asked(house: House, name: str, rows: tuple[int, int] | None = None) -> DataLineage:
    """The lineage of a version or of its rows."""
    return data_lineage(house, house.owner, data(house, name), rows)


def test_a_version_that_was_trained_on_a_split_is_found_from_the_rows_of_the_whole(house: House) -> None:
    """The first rows were trained on, the last ones only tested: both are said; and the version leads back to the whole."""
    done = train(
        house, house.owner, order(house, PIPELINE, model="hourly", data={"raw": "hours-train@1"}), quiet
    )
    assert done.version is not None
    first = asked(house, "hours@1", (1, 100))
    assert [(one.model, one.version, one.data, one.role, one.rows) for one in first.read_by] == [
        ("hourly", 1, "hours-train@1", "raw", 100)
    ]
    assert asked(house, "hours@1", (161, 200)).read_by == ()
    assert [(one.data, one.rows) for one in asked(house, "hours@1", (151, 170)).read_by] == [
        ("hours-train@1", 10)
    ]
    whole = asked(house, "hours@1")
    assert whole.children == ("hours-test@1", "hours-train@1")
    assert [(one.model, one.data, one.rows) for one in whole.read_by] == [("hourly", "hours-train@1", None)]
    (origin,) = version_lineage(house, done.version).origins["raw"]
    assert (origin.data, origin.rows, origin.read, origin.through) == ("hours@1", 200, 160, ())


def test_from_a_part_to_who_was_trained_on_the_whole(house: House) -> None:
    """A model that read everything read the test rows too, and what a part was split into again leads to its runs."""
    trained(house, "hours@1", "all")
    found = {one.model: (one.data, one.rows) for one in asked(house, "hours-test@1", (1, 5)).read_by}
    assert found == {"all": ("hours@1", 5)}
    split_data(house, house.owner, data(house, "hours-train@1"), Split(time="at", test=0.5), quiet)
    trained(house, "hours-train-test@1", "half")
    late = {one.model: one.rows for one in asked(house, "hours@1", (101, 110)).read_by}
    assert late["half"] == 10
    early = {one.model: one.rows for one in asked(house, "hours@1", (1, 10)).read_by}
    assert "half" not in early


@pytest.mark.parametrize("name", ["people", "drawn"])
def test_splits_by_group_and_by_chance_are_followed_row_by_row(house: House, name: str) -> None:
    """Of any ten rows exactly those that lie in the part that was read are counted."""
    trained(house, f"{name}-train@1", name)
    with house.db.read() as tx:
        part = resolve_data(tx, f"{name}-train@1")
    sides = split_rows(house, name)
    for start in (1, 91, 191):
        (found,) = [one for one in asked(house, f"{name}@1", (start, start + 9)).read_by if one.model == name]
        assert found.rows == sum(sides[start - 1 : start + 9])
        assert found.data == part.full


def split_rows(house: House, name: str) -> list[bool]:
    """Which rows of the whole lie in its train part, counted by hand."""

    part = set(frame_of(house, data(house, f"{name}-train@1"))["at"].to_list())
    return [at in part for at in timed()["at"].to_list()]


def test_the_same_part_of_two_versions_belongs_to_both(house: House) -> None:
    """Rows that come at the end fall into the test part: the train part is the same version, and both versions lead to it."""
    add_table(house, house.owner, "same", timed().head(160), source=Source(origin=Origin.FRAME), tell=quiet)
    add_table(house, house.owner, "same", timed().head(200), source=Source(origin=Origin.FRAME), tell=quiet)
    for number, share in ((1, 0.25), (2, 0.4)):
        split_data(house, house.owner, data(house, f"same@{number}"), Split(time="at", test=share), quiet)
    trained(house, "same-train@1", "twice")
    for number in (1, 2):
        found = asked(house, f"same@{number}")
        assert "same-train@1" in found.children
        assert [one.model for one in found.read_by] == ["twice"]
    assert asked(house, "same-train@1").parents == ("same@1", "same@2")


def test_rows_that_cannot_be_looked_at_any_more_are_said(house: House, tmp_path: Path) -> None:
    """A referred file that changed after it was trained on is no reason to hide the others, nor to say that nobody read it."""
    path = tmp_path / "far.csv"
    add_table(house, house.owner, "far", table(), source=Source(origin=Origin.FRAME), tell=quiet)
    table(8).write_csv(path)
    far = refer_table(house, house.owner, "far", path, tell=quiet).data
    trained(house, far.full, "farther")
    path.write_text("a\n1\n")
    found = asked(house, "far@1", (1, 3))
    assert (found.read_by, list(found.unread)) == ((), ["far@2"])
    assert "has changed" in found.unread["far@2"]


def test_versions_that_were_made_of_each_other_are_looked_at_like_others(house: House) -> None:
    """The same content may come from several: a table that changed and changed back is its own origin."""
    for rows, parent in ((table(), None), (table().head(150), "turned@1"), (table(), "turned@2")):
        source = Source(origin=Origin.FRAME, parent=parent)
        added = add_table(house, house.owner, "turned", rows, source=source, tell=quiet)
        looked = looked_at(house, added, tell=quiet)
        assert "the whole check" not in {one.subject for one in looked.findings}
    assert (added.data.full, asked(house, "turned@1").parents) == ("turned@1", ("turned@2",))
