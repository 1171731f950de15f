"""What trials are given: parts of the training rows, and nothing of the test set.

Where the test set is a data set of its own, no trial gets it: in its place stands a part that is held out. Where the pipeline
cuts it off itself, one run of the whole pipeline says which rows they are; trials get the tables without them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from lockgate.config import ModelConfig
from lockgate.config_tuning import PastAim, TuneConfig
from lockgate.datasets.content import digest_of_frame
from lockgate.datasets.versions import DataKind, DataVersion
from lockgate.errors import Conflict, InvalidInput
from lockgate.pipelines.run import DataUsed
from lockgate.tuning.folds import Pair, folds_of, held_out, windows_of
from lockgate.tuning.hiding import Hidden, without
from lockgate.tuning.trial import Ground
from lockgate.tuning.work import Given
from lockgate.wiring.datasets import KINDS, file_of, frame_of
from lockgate.wiring.house import House
from lockgate.wiring.tune_past import TEST, TRAIN, VALIDATION, recorded

Rehearse = Callable[[], pl.DataFrame | None]  # one run of the whole pipeline: its test table


@dataclass
class Ready:
    """What every trial is given, by fold, with where it lies and how it is put on record."""

    ground: Ground
    folds: list[dict[str, Given]] = field(default_factory=list)
    used: list[dict[str, DataUsed]] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)


@dataclass
class Grounds:
    """Makes them. `folder`: where parts are kept, named by their content; `stack`: holds files of the store meanwhile."""

    house: House
    model: str
    settings: ModelConfig
    tune: TuneConfig
    data: Mapping[str, DataVersion]
    folder: Path
    stack: ExitStack

    def made(self, rehearse: Rehearse) -> Ready:
        """Raises InvalidInput, Conflict where no test set is known or where its rows cannot be told from others."""
        if TEST in self.data or self.tune.past is not None:
            return self._declared()
        if self.tune.folds:
            raise InvalidInput("cross validation needs the training rows as a data set", got=f"data: {', '.join(self.data)}",
                               fix="data: {train: ..., test: ...} (lockgate data split NAME), or leave folds out")  # fmt: skip
        test = rehearse()
        if test is None:
            raise Conflict("the pipeline hands over no test table, so none can be kept from the trials",
                           fix="write a step 'test' that returns it, or declare data: {train: ..., test: ...}")  # fmt: skip
        return self._cut_off(test)

    def _declared(self) -> Ready:
        pairs, judged = self._pairs()
        ready = Ready(Ground(judged=judged, rows=tuple((a.height, b.height) for a, b in pairs),
                             hidden=self.data[TEST].rows if TEST in self.data else 0,
                             test=self.data[TEST].digest if TEST in self.data else ""))  # fmt: skip
        for learned, seen in pairs:
            given, used = self._others({TRAIN, VALIDATION, TEST}, ready)
            for role, frame, source in ((TRAIN, learned, TRAIN), (TEST, seen, self._source())):
                self._part(role, frame, source, given=given, used=used, ready=ready)
            if VALIDATION in self.data and (
                self.tune.folds or self.tune.past
            ):  # for the pipeline's own early stop
                more, also = self._others(set(self.data) - {VALIDATION}, ready)
                given, used = {**given, **more}, {**used, **also}
            else:
                given[VALIDATION], used[VALIDATION] = given[TEST], used[TEST]
            ready.folds.append(given)
            ready.used.append(used)
        return ready

    def _pairs(self) -> tuple[list[Pair], str]:
        tune, time, group = self.tune, self.settings.time, self.settings.group
        train = self._table(TRAIN)
        if tune.past is not None:
            past = self._past(tune.past, train)
            words = f"recorded predictions with labels, {tune.past.windows} windows of {past.height:,} rows"
            return windows_of(train, past, tune.past.windows), words
        if tune.folds:
            pairs = folds_of(train, tune.folds, time=time, group=group, seed=tune.seed)
            return pairs, f"cross validation, {tune.folds} folds"
        if VALIDATION in self.data:
            return [(train, self._table(VALIDATION))], f"the declared table {self.data[VALIDATION].full}"
        pair = held_out(train, tune.validation, time=time, group=group, seed=tune.seed)
        by = "the last" if time in train.columns else "a drawn"
        return [pair], f"{by} {tune.validation:.0%} of {self.data[TRAIN].full}"

    def _past(self, past: PastAim, train: pl.DataFrame) -> pl.DataFrame:
        """Recorded rows whose labels came, none of which a trial has seen otherwise or may not see."""
        beside = {role: self._table(role) for role in (VALIDATION, TEST) if role in self.data}
        return recorded(self.house, self.model, self.settings, past, {TRAIN: train, **beside})

    def _cut_off(self, test: pl.DataFrame) -> Ready:
        """Every table that holds the test rows, without them; the pipeline's own cut judges trials on what is left."""
        ready = Ready(Ground())
        given, used = self._others(set(), ready)
        hidden = 0
        for role, version in self.data.items():
            if version.kind is not DataKind.TABLE:
                continue
            found = self._without(self._table(role), test)
            if found is not None and found.rows:
                hidden += found.rows
                self._part(role, found.frame, role, given=given, used=used, ready=ready)
        if not hidden:
            raise Conflict("the rows of the test table are in no data set, so they cannot be kept from the trials",
                           got=", ".join(test.columns[:10]),
                           fix="let 'test' keep its rows' columns, or declare data: {train: ..., test: ...}")  # fmt: skip
        ready.ground = Ground(judged="the pipeline's own test table of the rows that are left", hidden=hidden,
                              rows=((sum(one.rows for one in used.values()), 0),), test=digest_of_frame(test))  # fmt: skip
        ready.folds, ready.used = [given], [used]
        return ready

    def _without(self, frame: pl.DataFrame, test: pl.DataFrame) -> Hidden | None:
        return without(frame, test, group=self.settings.group, target=self.settings.target)

    def _others(self, left_out: set[str], ready: Ready) -> tuple[dict[str, Given], dict[str, DataUsed]]:
        """Data sets that every trial gets as they are."""
        given, used = {}, {}
        for role, version in self.data.items():
            if role in left_out:
                continue
            if version.digest not in ready.files:
                ready.files[version.digest] = self.stack.enter_context(
                    file_of(self.house, version, self.folder)
                )
            given[role] = Given(version.digest, KINDS[version.kind])
            used[role] = DataUsed(
                name=version.name, number=version.number, digest=version.digest, rows=version.rows
            )
        return given, used

    def _part(
        self, role: str, frame: pl.DataFrame, source: str, *, given: dict[str, Given], used: dict[str, DataUsed], ready: Ready
    ) -> None:  # fmt: skip
        digest = digest_of_frame(frame)
        path = self.folder / f"{digest.partition(':')[2]}.parquet"
        if not path.exists():
            beside = path.with_suffix(".part")
            frame.write_parquet(beside)
            beside.rename(path)
        ready.files[digest] = path
        given[role] = Given(digest)
        of = self.data.get(source)
        name, number = (of.name, of.number) if of else ("recorded predictions", 0)
        used[role] = DataUsed(name=name, number=number, digest=digest, rows=frame.height)

    def _source(self) -> str:
        """Which data set the rows come from that trials are judged on."""
        if self.tune.past is not None:
            return ""
        return VALIDATION if VALIDATION in self.data and not self.tune.folds else TRAIN

    def _table(self, role: str) -> pl.DataFrame:
        version = self.data.get(role)
        if version is None or version.kind is not DataKind.TABLE:
            raise InvalidInput(f"a search needs the data set '{role}' as a table", got=version.kind if version else "none",
                               fix=f"data: {{{role}: FILE}} in lockgate.yaml")  # fmt: skip
        return frame_of(self.house, version)
