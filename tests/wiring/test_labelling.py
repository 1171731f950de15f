"""Labels that come by themselves, from a folder and from a query, to figures that people can look at."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.gateway.conftest import World

from lockgate.cli.main import main
from lockgate.clock import DAY_US, SECOND_US, FakeClock
from lockgate.config import Goal, Home, Labels, ModelConfig, ServerConfig
from lockgate.errors import InvalidInput
from lockgate.governance.audit import rows as audit_rows
from lockgate.monitor.notices import open_notices
from lockgate.predictions.label_query import Progress, progress_of
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.record import Record, blocks_of
from lockgate.registry.package import read_manifest
from lockgate.registry.store import change_settings, create_model, record_version
from lockgate.wiring.house import House, open_house
from lockgate.wiring.labelling import LabelIntake, hand_in, naming_of
from lockgate.wiring.monitoring import watchers_of
from lockgate.wiring.performance import _Known, coming, performance_of, performance_watcher
from lockgate.yamlfile import parse_yaml

ROWS = 400
QUERY = """
labels:
  queries:
    - name: crm
      model: churn
      url_file: {address}
      sql: SELECT customer, "left", wrote FROM outcomes
      label: left
      key: customer
      grows: wrote
      every_s: 60
"""


@pytest.fixture
def house(tmp_path: Path, clock: FakeClock) -> Iterator[House]:
    """A house with churn/1, 400 predictions on record, and a query of another database in its settings."""
    home = Home(tmp_path / "home").prepare()
    (tmp_path / "address").write_text(f"sqlite:///{tmp_path / 'crm.db'}")
    (home.root / "config.yaml").write_text(QUERY.format(address=tmp_path / "address"))
    opened = open_house(home, clock)
    world = World(home, opened.blobs)
    digest = world.package()
    manifest = read_manifest(opened.blobs.fetch_tree(f"packages/{digest[7:]}", home.cache), digest)
    settings = ModelConfig(key="customer", target="left", slices=("b",), goal=Goal(label_delay_days=30.0))
    with opened.db.write() as tx:
        create_model(tx, "churn", settings, actor="ada", at_us=1)
        record_version(tx, model="churn", digest=digest, manifest=manifest, author="ada", at_us=1)
    world.close()
    draw = np.random.default_rng(0)
    score = draw.random(ROWS)
    with SegmentWriter(home.log, "gateway-0") as log:
        for place in range(ROWS):
            outputs = {
                "prediction": np.array([score[place] > 0.5]).astype(np.int64),
                "probability": np.array([[1 - score[place], score[place]]]),
            }
            log.append([
                Record(id=f"r{place}", at_us=clock.now_us(), model="churn", version=1, rows=1, key=f"c{place}",
                       inputs=blocks_of({"a": np.array([score[place]]), "b": np.array([float(place % 2)])}),
                       outputs=blocks_of(outputs)),
            ])  # fmt: skip
    yield opened
    opened.close()


def outcome(place: int) -> int:
    """What became of a customer: mostly what the score said."""
    score = np.random.default_rng(0).random(ROWS)
    return int((score[place] > 0.5) != (place % 10 == 0))


def look(house: House, watcher: object) -> str:
    """Let somebody look until there is no more; what it could not see."""
    for _ in range(100):
        found = watcher.look(house.clock.now_us())  # type: ignore[attr-defined]
        if not found.more:
            return found.words
    raise AssertionError("there was always more")


def test_from_folder_and_query_to_figures(house: House, clock: FakeClock, tmp_path: Path) -> None:
    """A file and a query bring half of the labels each; windows, slices, delays and unknown ids are there to be looked at."""
    intake, performance = LabelIntake(house, "churn"), performance_watcher(house, "churn")
    clock.sleep(31 * DAY_US / SECOND_US)
    assert (
        look(house, intake)
        == "the query 'crm': the database of the labels is not there; received: no such file"
    )
    folder = house.home.root / "labels" / "churn"
    folder.mkdir(parents=True)
    lines = [f"c{place},{outcome(place)}" for place in range(0, ROWS, 2)]
    (folder / "march.csv").write_text("\n".join(["customer,left", *lines, "stranger,1", ""]))
    (folder / "wrong.csv").write_text("customer,gone\nc1,1\n")
    for path in folder.iterdir():
        os.utime(path, (1, 1))
    with sqlite3.connect(tmp_path / "crm.db") as other:
        other.execute('CREATE TABLE outcomes (customer TEXT, "left" INTEGER, wrote INTEGER)')
        other.executemany(
            "INSERT INTO outcomes VALUES (?, ?, ?)", [(f"c{p}", outcome(p), p) for p in range(1, ROWS, 2)]
        )
    other.close()
    clock.sleep(60)
    look(house, intake)
    assert look(house, intake) == ""
    with house.db.read() as tx:
        sources = {row.action: row.subject for row in audit_rows(tx)}
        (said,) = [each.notice for each in open_notices(tx, "churn") if each.notice.source == "labels"]
    assert {"labels:model:imported", "labels:file:refused"} <= set(sources)
    assert "wrong.csv" in said.words
    look(house, performance)
    shown = performance_of(house, "churn")
    (window,) = shown.windows
    assert (window.window.rows, window.window.labelled, window.complete) == (ROWS, ROWS, True)
    assert window.window.figures["accuracy"].value == pytest.approx(0.9)
    assert {name: part.labelled for name, part in window.window.slices.items()} == {
        "b = 0": 200,
        "b = 1": 200,
    }
    status = coming(house, "churn")
    assert (status.labels, status.labelled, status.unknown, status.behind) == (ROWS + 1, ROWS, {"key": 1}, 0)
    assert status.delay.late_us == 35 * DAY_US  # the end of the age in which 31 days and a minute are counted
    shutil.rmtree(house.home.root / "ledger")
    assert coming(house, "churn").labelled == ROWS
    clock.sleep(60)
    look(house, performance)
    again = coming(house, "churn")
    assert (again.labelled, again.unknown, again.behind) == (ROWS, {"key": 1}, 0)


def test_what_cannot_be_taken_is_said_until_it_is_mended(house: House, clock: FakeClock) -> None:
    """A file that cannot be moved: a notice with its name and the reason, and queries are asked all the same."""
    intake = LabelIntake(house, "churn")
    folder = house.home.root / "labels" / "churn"
    folder.mkdir(parents=True)
    (folder / "taken").write_text("in the way")
    (folder / "march.csv").write_text("customer,left\nc1,1\n")
    os.utime(folder / "march.csv", (1, 1))
    look(house, intake)
    assert look(house, intake).startswith("march.csv: file exists; the query 'crm'")

    def said() -> list[str]:
        with house.db.read() as tx:
            return [
                each.notice.words for each in open_notices(tx, "churn") if "folder" in each.notice.subject
            ]

    assert said() == ["Labels of churn lie in their folder and cannot be taken: march.csv: file exists."]
    (folder / "taken").unlink()
    clock.sleep(61)
    look(house, intake)
    assert said() == []


def test_what_the_command_line_shows(
    house: House, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything: what to do. Then windows, slices, and how labels come, for people and as JSON."""
    home = ("--home", str(house.home.root))
    assert main(["performance", "churn", *home]) == 0
    assert "the monitor has not looked at this model" in capsys.readouterr().out
    clock.sleep(40 * DAY_US / SECOND_US)
    table = pl.DataFrame(
        {"customer": [f"c{p}" for p in range(ROWS)], "left": [outcome(p) for p in range(ROWS)]}
    )
    hand_in(
        house,
        house.owner,
        "churn",
        table,
        naming_of(ModelConfig(target="left", key="customer")),
        source="test",
    )
    look(house, performance_watcher(house, "churn"))
    main(["performance", "churn", *home])
    shown = capsys.readouterr().out
    assert "100%" in shown
    assert "90.0% (" in shown
    main(["performance", "churn", "--slices", *home])
    assert "b = 1" in capsys.readouterr().out
    main(["performance", "churn", "--promises", *home])
    assert "no validation promised anything yet" in capsys.readouterr().out
    main(["performance", "churn", "--labels", *home])
    assert "2023-11" in capsys.readouterr().out
    main(["performance", "churn", "--json", *home])
    found = json.loads(capsys.readouterr().out)
    assert [each["window"]["rows"] for each in found["windows"]] == [ROWS]
    main(["labels", "status", "churn", *home])
    assert "400 (100.0%)" in capsys.readouterr().out


def test_every_model_has_both_watchers(house: House) -> None:
    """The monitor lets somebody bring labels and somebody look at performance."""
    assert {"labels:churn", "performance:churn"} <= set(watchers_of(house)({}))


def test_queries_of_one_name_have_each_their_own_place(house: House) -> None:
    """Of two models they do not go on where the other one was; two of one model are refused."""
    look(house, LabelIntake(house, "churn"))
    with house.db.read() as tx:
        assert progress_of(tx, "churn: crm").error is not None
        assert progress_of(tx, "fraud: crm") == Progress()
    text = QUERY.format(address="address")
    query = text[text.index("    - name") :]
    assert (
        len(parse_yaml(text + query.replace("churn", "fraud"), ServerConfig, "config.yaml").labels.queries)
        == 2
    )
    with pytest.raises(InvalidInput, match="two queries of one model are named crm"):
        parse_yaml(text + query, ServerConfig, "config.yaml")


def test_what_names_the_columns(house: House) -> None:
    """Settings of their own, else target and key; without a target it is said."""
    assert naming_of(ModelConfig(target="left", key="customer")).key == "customer"
    named = naming_of(ModelConfig(target="left", labels=Labels(label="came", on="in.order", at="on")))
    assert (named.label, named.on, named.key, named.at) == ("came", "in.order", None, "on")
    with pytest.raises(InvalidInput, match="which column holds what happened"):
        naming_of(ModelConfig())


def test_performance_is_cut_by_no_column_that_became_personal(house: House) -> None:
    """Who watches hears of it without being started again."""
    about = _Known(house, "churn")
    before = about(1)
    settings = ModelConfig(key="customer", target="left", slices=("b",), personal=("b",))
    with house.db.write() as tx:
        change_settings(tx, "churn", settings, actor="ada", at_us=2)
    after = about(1)
    assert before is not None
    assert after is not None
    assert (before.slicing, after.slicing) == ({"b": None}, {})
