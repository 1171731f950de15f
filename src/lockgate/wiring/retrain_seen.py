"""What a look for reasons to retrain has before it: the live version's run, monitors, labels, seasons, what ran before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import polars as pl
import sqlalchemy as sa

from lockgate.checks.evidence import Split
from lockgate.checks.loading import load_tables
from lockgate.config import ModelConfig
from lockgate.config_retraining import RetrainConfig
from lockgate.errors import NotFound
from lockgate.governance.people import find_person, may, was_revoked
from lockgate.governance.permissions import Permission, RoleName
from lockgate.monitor.notices import Notice, open_notices
from lockgate.monitor.performance_delay import delay_of
from lockgate.monitor.performance_windows import Window, complete_of, windows_of
from lockgate.monitor.profiles import profile_between
from lockgate.pipelines.run import Run
from lockgate.pipelines.store import run_of_version
from lockgate.predictions.tables import labels
from lockgate.registry.naming import VersionName
from lockgate.registry.store import Version, get_model, get_version
from lockgate.release.phases import Release
from lockgate.release.store import find_running, live_version
from lockgate.retraining.fitness import BROKEN
from lockgate.retraining.retraining import PIPELINE, Retraining, State
from lockgate.retraining.seasons import as_in_season, rows_of_season, stays_by_nature
from lockgate.retraining.store import retrainings_of
from lockgate.retraining.times import times_in
from lockgate.retraining.triggers import LabelsSay, Seen, moved_notices, scheduled_us
from lockgate.wiring.house import House
from lockgate.wiring.monitoring import knowing
from lockgate.wiring.performance import subject_of

BY_HAND = RetrainConfig(when=())  # of a model whose settings say nothing of retraining


@dataclass(frozen=True)
class View:
    """One model as retraining sees it. `run`: that made the live version, None where people submitted it; `labelled`: share of
    the live version's predictions in complete windows that have a label, None without one; `past`: every retraining but those
    that were refused, the newest first; `stopped`: why people let nothing of it be trained by itself, empty where they do."""

    settings: ModelConfig
    live: Version
    run: Run | None
    seen: Seen
    past: tuple[Retraining, ...]
    release: Release | None
    labelled: float | None
    labelled_rows: int
    stopped: str = ""

    @property
    def config(self) -> RetrainConfig:
        """What its settings say."""
        return self.settings.retrain or BY_HAND


def view_of(house: House, model: str) -> View | None:
    """What there is to be seen of a model; None while nothing of it is live. Raises NotFound."""
    now_us, subject = house.clock.now_us(), subject_of(house, model)
    with house.db.read() as tx:
        settings, number = get_model(tx, model).settings, live_version(tx, model)
        if number is None:
            return None
        live = get_version(tx, VersionName(model, number))
        run, past = run_of_version(tx, model, number), retrainings_of(tx, model, but=(State.REFUSED,))
        trained_us = (run.ended_us or live.created_us) if run is not None else live.created_us
        notices = tuple(said.notice for said in open_notices(tx, model))
        windows = windows_of(tx, model)
        complete = complete_of(windows, delay_of(windows, now_us, subject.delay_us), now_us, number)
        seen = Seen(
            model=model, live=number, trained_us=trained_us, notices=notices, labels=_labels_since(tx, model, trained_us),
            scheduled_us=scheduled_us(past),
        )  # fmt: skip
        release, stopped = find_running(tx, model), _stopped(tx, model)
    learned = _Learned(house, settings, live)
    seen = _with(seen, notices=tuple(each for each in notices if not learned.knows_as_constant(each)))
    moved = moved_notices(seen)
    seen = _with(
        seen, since={each.subject: _since(complete, each) for each in moved},
        seasonal={each.subject: learned.seasonal(each) for each in moved if each.columns},
    )  # fmt: skip
    rows, labelled = sum(each.rows for each in complete), sum(each.labelled for each in complete)
    return View(settings=settings, live=live, run=run, seen=seen, past=tuple(past), release=release,
                labelled=labelled / rows if rows else None, labelled_rows=labelled, stopped=stopped)  # fmt: skip


def _stopped(tx: sa.Connection, model: str) -> str:
    """Why the part that trains may not do so: a person deactivated it, or took its role away."""
    part = find_person(tx, PIPELINE)
    if part is None or may(tx, part, Permission.MODEL_SUBMIT, model):
        return ""
    if not part.active:
        return f"'{PIPELINE}' was deactivated; an admin lets it go on: lockgate person activate {PIPELINE}"
    if was_revoked(tx, PIPELINE, RoleName.PIPELINE, model):
        again = f"lockgate grant {PIPELINE} {RoleName.PIPELINE} --model {model}"
        return f"the role '{RoleName.PIPELINE}' of '{PIPELINE}' on this model was taken away; an admin gives it back: {again}"
    return ""  # granted when the first one begins


def _labels_since(tx: sa.Connection, model: str, since_us: int) -> int:
    c = labels.c
    mine = (c.model == model) & (c.metric == "") & (c.imported_us > since_us)
    return int(tx.execute(sa.select(sa.func.count()).where(mine)).scalar_one())


def _since(complete: list[Window], notice: Notice) -> LabelsSay:
    """What labels of complete windows say that began when it moved, or later."""
    return LabelsSay(labelled=sum(each.labelled for each in complete if each.since_us >= notice.since_us))


class _Learned:
    """The rows that the live version learned from, in the order of time; read when they are first asked for."""

    def __init__(self, house: House, settings: ModelConfig, live: Version) -> None:
        self._house, self._settings, self._live = house, settings, live
        self._read = False
        self._frame: pl.DataFrame | None = None

    def knows_as_constant(self, notice: Notice) -> bool:
        """Whether all that a notice calls broken are columns that stay as they are for long by their nature."""
        if (notice.source, notice.subject) != BROKEN or not notice.columns:
            return False
        if not all(f"'{name}' is always " in notice.words for name in notice.columns):
            return False
        frame = self._rows()
        return frame is not None and all(
            name in frame.columns and stays_by_nature(frame[name]) for name in notice.columns
        )

    def seasonal(self, notice: Notice) -> tuple[str, ...]:
        """The columns of a notice that lie as they did in the same season."""
        time, known = self._settings.time, knowing(self._house, self._live.model)(self._live.number)
        frame, now_us = self._rows(), self._house.clock.now_us()
        if frame is None or time is None or known.validated is None:
            return ()
        season = rows_of_season(frame, time, notice.since_us, now_us)
        with self._house.db.read() as tx:
            now = profile_between(tx, self._live.model, self._live.number, notice.since_us, now_us)
        moved = {name: notice.figures[name] for name in notice.columns if name in notice.figures}
        return as_in_season(moved, season, now.columns, known.validated.columns)

    def _rows(self) -> pl.DataFrame | None:
        """None where they are gone, or no column says when they were."""
        if not self._read:
            self._read = True
            digest, time = self._live.manifest.data.get(Split.TRAIN), self._settings.time
            if digest is not None and time is not None:
                try:
                    frame = load_tables(self._house.blobs, {Split.TRAIN: digest}, self._settings.seed).frames[
                        Split.TRAIN
                    ]
                except NotFound:
                    return None
                timed = _timed(frame, time)
                self._frame = timed.sort(time, maintain_order=True) if timed is not None else None
        return self._frame


def _with(seen: Seen, **more: Any) -> Seen:
    return msgspec.structs.replace(seen, **more)


def _timed(frame: pl.DataFrame, time: str) -> pl.DataFrame | None:
    """The rows with their time as a time; None where the column is not there, or is none."""
    if time not in frame.columns:
        return None
    times = times_in(frame[time])
    return frame.with_columns(times.alias(time)).drop_nulls(time) if times is not None else None
