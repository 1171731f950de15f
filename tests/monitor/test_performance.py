"""The watcher of performance: real predictions replayed with labels a month late, crashes, late and corrected labels."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
from tests.monitor.replays import MONTH_US, Stage, Stream, cars, loans

from lockgate.blobs import Blobs
from lockgate.clock import FakeClock
from lockgate.config import Home
from lockgate.db import Database
from lockgate.monitor.estimate import estimates_of, kept_of
from lockgate.monitor.notices import open_notices
from lockgate.monitor.performance_delay import delay_of
from lockgate.monitor.performance_figures import Labelled, figures_of
from lockgate.monitor.performance_making import About
from lockgate.monitor.performance_windows import Window, complete_of, windows_of
from lockgate.predictions.archive import archive
from lockgate.predictions.erase import Ground, ask, carry_out
from lockgate.predictions.label_import import Naming, import_many
from lockgate.predictions.log import SegmentWriter
from lockgate.stats.expected import calibration_of


def loans_stage(home: Home, blobs: Blobs, db: Database, stream: Stream, **settings: object) -> Stage:
    """A stage whose version was validated on the reference rows."""
    truth, score = stream.reference["label"] == 1, stream.reference["p"]
    known = Labelled(
        truth=truth.to_numpy(), decided=(stream.reference["y"] == 1).to_numpy(), score=score.to_numpy()
    )
    about = About(stream.manifest, calibration_of(score, truth), figures_of(known), {"salary_range": None})
    return Stage(
        home, blobs, db, stream, about, {"delay_us": MONTH_US, "kept": ("salary_range",), **settings}
    )


def windows(stage: Stage) -> list[Window]:
    """What is kept of the windows."""
    with stage.db.read() as tx:
        return windows_of(tx, stage.stream.model)


def words(stage: Stage) -> dict[str, str]:
    """What holds now, by subject."""
    with stage.db.read() as tx:
        return {said.notice.subject: said.notice.words for said in open_notices(tx, stage.stream.model)}


def test_loans_are_estimated_before_their_labels_and_an_alarm_comes_with_them(
    home: Home, blobs: Blobs, sqlite: Database
) -> None:
    """T1 with labels a month late: AUC and accuracy are foreseen in every window, their fall is said once labels are there,
    not before the fall; so is the change of what equal scores stand for."""
    stage = loans_stage(home, blobs, sqlite, loans(), window="5000 rows")
    alarms: list[tuple[int, str]] = []
    stage.play(50_000, 5_000, after=lambda place: alarms.extend((place, each) for each in words(stage)))
    found = windows(stage)
    assert [(each.rows, each.labelled) for each in found] == [(5_000, 5_000)] * 10
    accuracy = [each.figures["accuracy"].value for each in found]
    assert min(accuracy[:5]) > 0.935 > 0.925 > max(accuracy[5:])
    with sqlite.read() as tx:
        kept = kept_of(estimates_of(tx, "loans"))
    assert kept.figures["roc_auc"][0] == 10
    assert kept.figures["roc_auc"][1] >= 9
    assert kept.figures["accuracy"][1] >= 9
    assert kept.held / kept.checked > 0.8
    fallen = [place for place, subject in alarms if subject == "worse: accuracy"]
    assert fallen, "the fall of accuracy was never said"
    assert min(fallen) >= 6, "labels of the first bad window come a month after it"
    assert "since 2019-04-" in words(stage)["worse: accuracy"]
    assert "fewer rows come true than before" in words(stage)["concept"]


def test_cars_drift_without_doing_worse(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """T2: other cars come and errors get smaller; no alarm of worse performance, and later estimates follow."""
    stream = cars()
    known = Labelled(
        truth=stream.reference["label"].to_numpy().astype(float), decided=stream.reference["y"].to_numpy()
    )
    about = About(stream.manifest, None, figures_of(known), {"fuel": None})
    stage = Stage(
        home, blobs, sqlite, stream, about, {"delay_us": MONTH_US, "kept": ("fuel",), "window": "12000 rows"}
    )
    alarms: list[str] = []
    stage.play(60_000, 12_000, after=lambda _: alarms.extend(words(stage)))
    found = windows(stage)
    assert found[0].figures["mae"].value > 840 > 720 > found[-1].figures["mae"].value
    assert not [each for each in (*alarms, *words(stage)) if each.startswith("worse")]
    with sqlite.read() as tx:
        made = {each.number: each for each in estimates_of(tx, "cars")}
    assert made[4].figures["mae"].value < 0.9 * known_mae(found[0])


def known_mae(window: Window) -> float:
    """What a window's error was."""
    return window.figures["mae"].value


def test_young_windows_are_not_complete_and_late_and_corrected_labels_count(
    home: Home, blobs: Blobs, database: Database
) -> None:
    """By the day: labels that came late fill their windows, corrected ones change them, a window too young is incomplete."""
    stream = loans()
    stage = loans_stage(home, blobs, database, stream, window="7d")
    stage.play(5_000, 1_000)
    before = windows(stage)
    assert sum(each.rows for each in before) == sum(each.labelled for each in before) == 5_000
    first = stream.rows[:1_000].select("id", label=1 - pl.col("label"))
    import_many(database, "loans", first, Naming("label", key="id"), by="ada", now_us=stage.now_us + 1)
    stage.settle(stage.watcher())
    after = windows(stage)
    assert after[0].figures["accuracy"].value < 0.2 < before[0].figures["accuracy"].value
    assert after[-1] == before[-1]
    now_us = after[-1].until_us + 1
    complete = complete_of(
        [each for each in after if each.labelled < each.rows], delay_of(after, now_us, MONTH_US), now_us, 1
    )
    assert complete == []


@pytest.mark.parametrize("step", ["_make", "_take_labels", "_estimate", "_judge", "_add"])
def test_a_watcher_that_dies_loses_and_doubles_nothing(
    home: Home, blobs: Blobs, sqlite: Database, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Killed at any step, the next one goes on: every row is in one window once, and no file is left over."""
    stage = loans_stage(home, blobs, sqlite, loans(), window="1000 rows")
    whole = stage.watcher().__class__.__dict__[step]
    died: list[int] = []

    def dies_once(self: object, *given: object) -> object:
        made = whole(self, *given)
        if len(died) < 2:
            died.append(1)
            raise KeyboardInterrupt
        return made

    monkeypatch.setattr(f"lockgate.monitor.performance.PerformanceWatcher.{step}", dies_once)
    settle = stage.settle

    def stubborn(watcher: object) -> None:
        while True:
            try:
                return settle(stage.watcher() if died else watcher)  # type: ignore[arg-type]
            except KeyboardInterrupt:
                continue

    stage.settle = stubborn  # type: ignore[method-assign]
    stage.play(3_000, 1_000)
    assert len(died) == 2
    assert [(each.rows, each.labelled) for each in windows(stage)] == [(1_000, 1_000)] * 3
    stage.settle(stage.watcher())
    with sqlite.read() as tx:
        parts = {f"{part.number}.parquet" for part in stage.watcher()._ledger.parts(tx)}
    left = {path.name for path in Path(home.root / "ledger" / "loans").iterdir()}
    assert left == parts | {"lock"}


def test_whoever_is_erased_from_the_log_is_erased_from_the_ledger(
    home: Home, blobs: Blobs, sqlite: Database
) -> None:
    """While the erasure runs, by the key; and when the monitor was away until the key was forgotten, by its hash."""
    stage = loans_stage(home, blobs, sqlite, loans(), window="1000 rows")
    stage.play(2_000, 1_000)
    first, second = (str(stage.stream.rows["id"][place]) for place in (7, 1_007))
    clock = FakeClock(stage.now_us)
    ground = Ground(home, blobs, sqlite, clock)

    def erase(key: str) -> int:
        with sqlite.write() as tx:
            asked = ask(tx, home, "loans", key, reason="a letter", by="ada", at_us=clock.now_us())
        carry_out(ground, asked.id, "id")
        return asked.id

    erase(first)
    stage.settle(stage.watcher())
    assert keys(stage) == 1_999
    number = erase(second)
    clock.sleep(3_600)
    assert carry_out(ground, number, "id").state == "finished"
    stage.settle(stage.watcher())
    assert keys(stage) == 1_998


def keys(stage: Stage) -> int:
    """Of how many people the ledger's files hold rows."""
    return pl.read_parquet(stage.home.root / "ledger" / "loans" / "*.parquet")["key"].n_unique()


@pytest.mark.parametrize("window", [None, "1000 rows"])
def test_a_ledger_that_is_made_again_leaves_no_window_of_the_old_one(
    home: Home, blobs: Blobs, sqlite: Database, window: str | None
) -> None:
    """Thrown away while the monitor runs, and made anew for one more slice: the same windows, each once, with what labels say."""
    stage = loans_stage(home, blobs, sqlite, loans(), window=window)
    stage.play(3_000, 250)
    before = windows(stage)
    watcher = stage.watcher()
    stage.settle(watcher)
    shutil.rmtree(home.root / "ledger" / "loans")
    stage.settle(watcher)
    assert windows(stage) == before
    assert keys(stage) == 3_000
    stage.settings = {**stage.settings, "kept": ("salary_range", "size_of_downpayment")}
    stage.settle(stage.watcher())
    assert windows(stage) == before


def test_what_is_archived_already_counts_too(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """A monitor that starts late finds its rows in the archive, later ones in the files, each once."""
    stage = loans_stage(home, blobs, sqlite, loans(), window="1000 rows")
    with SegmentWriter(home.log, "gateway-0") as log:
        log.append(stage.records(stage.stream.rows[:2_000], 0))
    archive(home.log, blobs, sqlite)
    with SegmentWriter(home.log, "gateway-0") as log:
        log.append(stage.records(stage.stream.rows[2_000:3_000], 2_000))
    stage.now_us = int(stage.stream.rows["at_us"][3_000])
    stage.settle(stage.watcher())
    assert [each.rows for each in windows(stage)] == [1_000] * 3
    assert keys(stage) == 3_000
