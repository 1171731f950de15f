"""A model that is trained by a pipeline, answers, gets labels and is trained again, with time compressed by a clock that is told.

Real parts: the house on SQLite, pipeline processes, sealed packages, all checks, segments of the log, labels, the watchers of
drift and performance, the retrainer. Compressed: a release goes live in one move, where a controller takes days of traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from lockgate.clock import DAY_US, FakeClock
from lockgate.config import Home
from lockgate.datasets.columns import columns_from
from lockgate.datasets.versions import DataVersion, Origin, Source
from lockgate.monitor.notices import open_notices
from lockgate.monitor.watcher import Watch
from lockgate.pipelines.sources import Sources
from lockgate.predictions.label_import import Naming, import_many
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.record import Record, blocks_of
from lockgate.registry.naming import VersionName
from lockgate.registry.store import Version, get_model, get_version
from lockgate.release.phases import Phase, Release
from lockgate.release.store import claim, find_running, live_version, record_release
from lockgate.retraining.retraining import Retraining
from lockgate.retraining.store import retrainings_of
from lockgate.wiring.codestore import store_code
from lockgate.wiring.datasets import add_table
from lockgate.wiring.house import House, open_house
from lockgate.wiring.monitoring import watchers_of
from lockgate.wiring.packages import open_version
from lockgate.wiring.retrain_service import Retrainer
from lockgate.wiring.training import TrainOrder, train
from lockgate.wiring.validating import validate_version

GRACE_US = DAY_US // 24
MOST_ROUNDS = 500


@dataclass(frozen=True)
class Case:
    """A model and its world. `rows`: with `at_us`, the inputs and the target; `given`: the columns of the pipeline's table."""

    model: str
    pipeline: str
    code: str
    rows: pl.DataFrame
    given: tuple[str, ...]
    target: str
    settings: Mapping[str, object]
    parameters: Mapping[str, object]
    role: str = "raw"


@dataclass
class Day:
    """What was open and what was on its way when a day was over."""

    at_us: int
    live: int
    alarms: tuple[str, ...]


@dataclass
class Stage:
    """The case on a home of its own."""

    case: Case
    house: House
    writer: SegmentWriter | None
    retrainer: Retrainer = field(init=False)
    watch: Watch = field(init=False)
    late: list[tuple[int, pl.DataFrame]] = field(default_factory=list)
    days: list[Day] = field(default_factory=list)

    def __post_init__(self) -> None:
        """With a retrainer and the watchers of a box."""
        self.retrainer = Retrainer(self.house, owner="stage")
        self.watch = Watch(self.house.db, self.house.clock, watchers_of(self.house))

    @property
    def live(self) -> Version:
        """The version that answers."""
        with self.house.db.read() as tx:
            number = live_version(tx, self.case.model)
            assert number is not None, "nothing is live"
            return get_version(tx, VersionName(self.case.model, number))

    @property
    def retrainings(self) -> list[Retraining]:
        """All of them, the oldest first."""
        with self.house.db.read() as tx:
            return retrainings_of(tx, self.case.model)[::-1]

    def add_rows(self, rows: pl.DataFrame) -> DataVersion:
        """Rows as the next version of the data set."""
        source = Source(origin=Origin.FRAME)
        name = f"{self.case.model}-rows"
        frame = rows.select(self.case.given)
        return add_table(self.house, self.house.owner, name, frame, source=source, tell=quiet).data

    def first(self, rows: pl.DataFrame) -> Version:
        """Train on these rows, validate, go live."""
        case, house = self.case, self.house
        code = store_code(house, Sources({case.pipeline: case.code.encode()}))
        order = TrainOrder(
            model=case.model, pipeline=case.pipeline, code=code, data={case.role: self.add_rows(rows).full},
            parameters=dict(case.parameters), settings=dict(case.settings),
        )  # fmt: skip
        made = train(house, house.owner, order, quiet).version
        assert made is not None, "the pipeline made no version"
        validate_version(house, house.owner, made, None, quiet)
        self._live(made)
        return made

    def play(self, rows: pl.DataFrame, *, delay_days: float, look_days: float = 1.0) -> None:
        """Days of requests answered by what is live, labels so much later, watchers and the retrainer after each few days."""
        inputs = [each.name for each in self.live.manifest.signature.inputs]
        parts = rows.with_columns(day=pl.col("at_us") // DAY_US).partition_by("day", maintain_order=True)
        looked_us = 0
        for part in parts:
            end_us = int(part["day"][0]) * DAY_US + DAY_US
            name = self._answer(part, inputs)
            self.wait_until(end_us)
            told = part.select(id=pl.lit(name), row=pl.int_range(part.height), label=self.case.target)
            self.late.append((end_us + round(delay_days * DAY_US), told))
            if end_us - looked_us >= look_days * DAY_US:
                looked_us = end_us
                self.look()
        self.look()

    def look(self) -> None:
        """Labels that are due, the watchers, the retrainer, and a release that it began goes live."""
        self.hand_in()
        self.house.clock.sleep(GRACE_US / 1e6)
        for _ in range(MOST_ROUNDS):
            if not self.watch.round():
                break
        self.retrain()
        with self.house.db.read() as tx:
            alarms = tuple(
                sorted(f"{each.notice.source}: {each.notice.subject} ({each.notice.severity})"
                       for each in open_notices(tx, self.case.model) if each.notice.version in (0, self.live.number))
            )  # fmt: skip
        self.days.append(Day(self.house.clock.now_us(), self.live.number, alarms))

    def retrain(self) -> None:
        """Rounds of the retrainer until nothing goes on; what it released goes live."""
        for _ in range(6):
            self.retrainer.round()
            self.retrainer.wait()
            with self.house.db.read() as tx:
                running = find_running(tx, self.case.model)
            if running is not None:
                self._finish(running)
            elif not any(each.is_running for each in self.retrainings):
                return

    def hand_in(self) -> None:
        """Labels whose time has come."""
        now_us = self.house.clock.now_us()
        due = [each for each in self.late if each[0] <= now_us]
        self.late = [each for each in self.late if each[0] > now_us]
        for at_us, told in due:
            naming = Naming("label", on="id", key="id", row="row")
            import_many(self.house.db, self.case.model, told, naming, by="ada", now_us=at_us)

    def wait_until(self, at_us: int) -> None:
        """The clock goes on."""
        self.house.clock.sleep(max(at_us - self.house.clock.now_us(), 0) / 1e6)

    def errors(self, version: int, rows: pl.DataFrame) -> float:
        """The mean absolute error of a version on rows."""
        with self.house.db.read() as tx:
            found = get_version(tx, VersionName(self.case.model, version))
        return float(np.abs(self.answers(found, rows) - rows[self.case.target].to_numpy()).mean())

    def answers(self, version: Version, rows: pl.DataFrame) -> np.ndarray:
        """What a version decides."""
        outputs = self._outputs(version, rows)
        return np.asarray(outputs[version.manifest.answer.prediction])

    def _outputs(self, version: Version, rows: pl.DataFrame) -> dict[str, np.ndarray]:
        names = [each.name for each in version.manifest.signature.inputs]
        with closing(open_version(self.house, version.digest)) as model:
            return dict(model.predict(columns_from(rows.select(names), version.manifest.signature)))

    def _answer(self, part: pl.DataFrame, inputs: list[str]) -> str:
        """One request of a day's rows; its id."""
        assert self.writer is not None, "nobody writes the log"
        version = self.live
        columns = columns_from(part.select(inputs), version.manifest.signature)
        outputs = self._open(version).predict(columns)
        record = Record(
            id=_name(part), at_us=int(part["at_us"][0]), model=self.case.model, version=version.number, digest=version.digest,
            rows=part.height, inputs=blocks_of(columns), outputs=blocks_of(outputs),
        )  # fmt: skip
        self.writer.append([record])
        return record.id

    def _open(self, version: Version) -> object:
        if getattr(self, "_model", None) is None or self._model.digest != version.digest:
            self.close()
            self._model = open_version(self.house, version.digest)
        return self._model

    def close(self) -> None:
        """Let go of the model that answers."""
        model = getattr(self, "_model", None)
        if model is not None:
            model.close()
            self._model = None

    def _live(self, version: Version) -> None:
        """A release that begins and is done at once."""
        now_us = self.house.clock.now_us()
        draft = Release(id=0, model=version.model, version=version.number, digest=version.digest, author=version.author,
                        created_us=now_us, phase_us=now_us)  # fmt: skip
        with self.house.db.write() as tx:
            made = record_release(tx, draft, actor=version.author, at_us=now_us)
        self._finish(made)

    def _finish(self, running: Release) -> None:
        now_us = self.house.clock.now_us()
        done = msgspec.structs.replace(
            running, phase=Phase.DONE, seq=running.seq + 1, reason="compressed: its stages took no time", phase_us=now_us,
            finished_us=now_us,
        )  # fmt: skip
        with self.house.db.write() as tx:
            claim(tx, running, done, actor="controller", at_us=now_us)


def staged(case: Case, folder: Path, at_us: int, *, then: Callable[[Stage], None]) -> None:
    """Open a home whose clock begins at a time, let the stage play, close it all."""
    house = open_house(Home(folder), FakeClock(at_us))
    try:
        with SegmentWriter(house.home.log, "gateway-0", clock=house.clock) as writer:
            stage = Stage(case, house, writer)
            try:
                then(stage)
            finally:
                stage.close()
    finally:
        house.close()


def settings_of(stage: Stage) -> object:
    """What the model's settings say of retraining."""
    with stage.house.db.read() as tx:
        return get_model(tx, stage.case.model).settings.retrain


def quiet(*_said: object, **_more: object) -> None:
    """Nobody listens to the progress."""


def _name(part: pl.DataFrame) -> str:
    return f"day-{int(part['at_us'][0]) // DAY_US}"
