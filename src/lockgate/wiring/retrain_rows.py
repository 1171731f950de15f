"""Rows of the log as rows of a model's tables: predictions whose labels came, below the rows that people gave.

They come to those that people gave (never to a version that came out of the log itself), all of them each time: a label that came
late is in it the next time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from lockgate.config import ModelConfig
from lockgate.datasets.versions import DataKind, DataVersion, Origin, get_data, parse_data
from lockgate.errors import Conflict
from lockgate.pipelines.run import DataUsed
from lockgate.registry.store import Version
from lockgate.retraining.times import moments_like, times_in
from lockgate.wiring.datasets import frame_of
from lockgate.wiring.history import history_of
from lockgate.wiring.house import House

TRAIN, TEST = "train", "test"


@dataclass(frozen=True, eq=False)
class Grown:
    """A table with rows of the log below the `given` ones. Of rows: `at_us` when they were, `known_us` when their label was known
    (both (n,), in the frame's order; None where no column tells when a row was)."""

    frame: pl.DataFrame
    given: int
    at_us: np.ndarray | None
    known_us: np.ndarray | None

    @property
    def new(self) -> int:
        """Rows of the log."""
        return self.frame.height - self.given


def growing(bases: Mapping[str, DataVersion]) -> tuple[str, ...]:
    """The tables that get rows of the log. Raises Conflict where that is not clear."""
    tables = [role for role, base in bases.items() if base.kind is DataKind.TABLE]
    if {TRAIN, TEST} <= set(tables):
        return (TRAIN, TEST)
    if len(tables) == 1:
        return tuple(tables)
    raise Conflict(
        "which of the pipeline's tables gets rows of the log is not known", got=", ".join(tables) or "no table",
        allowed="one table, or 'train' and 'test'", fix="retrain: {rows: newest}, and add versions of the data sets",
    )  # fmt: skip


def base_of(house: House, used: DataUsed) -> DataVersion:
    """The version that people gave, of which one with rows of the log was made."""
    with house.db.read() as tx:
        found = get_data(tx, used.name, used.number)
        while found.source.origin is Origin.LOG and found.source.parent is not None:
            found = get_data(tx, *parse_data(found.source.parent))
    return found


def grown_tables(
    house: House, live: Version, settings: ModelConfig, bases: Mapping[str, DataVersion]
) -> dict[str, Grown]:
    """Each growing table, with every labelled prediction that is younger than its rows below them, in its own columns.

    Raises Conflict where there is none, or where the log does not hold what a table needs.
    """
    found = {}
    for role in growing(bases):
        frame = frame_of(house, bases[role])
        history = history_of(house, live.model, since_us=_after(frame, settings.time, bases[role]))
        if history is None:
            raise Conflict(
                f"no prediction of '{live.model}' has a label",
                fix=f"lockgate labels import {live.model} FILE",
            )
        whole = pl.concat([frame, _as_rows(history, frame, settings, live)])
        found[role] = Grown(whole, frame.height, *_moments(whole, settings.time, history))
    return found


def _after(frame: pl.DataFrame, time: str | None, base: DataVersion) -> int:
    """From when on predictions are new to a table: after its newest row, else after it was added."""
    times = times_in(frame[time]) if time is not None and time in frame.columns else None
    newest = times.max() if times is not None else None
    if isinstance(newest, dt.datetime):
        return int(newest.replace(tzinfo=dt.UTC).timestamp() * 1_000_000) + 1
    return base.created_us


def _moments(
    whole: pl.DataFrame, time: str | None, history: pl.DataFrame
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """When rows were, and when their labels were known: of given rows, as late as those of the log are as a rule."""
    times = times_in(whole[time]) if time in whole.columns else None
    if times is None or times.null_count():
        return None, None
    at_us = times.to_physical().cast(pl.Int64).to_numpy()
    given = at_us.size - history.height
    labelled = history["label_at_us"].fill_null(history["at_us"]).to_numpy()
    late_us = int(max(np.median(labelled - history["at_us"].to_numpy()), 0)) if history.height else 0
    known_us = np.concatenate([at_us[:given] + late_us, np.maximum(labelled, at_us[given:])])
    return at_us, known_us


def _as_rows(history: pl.DataFrame, like: pl.DataFrame, settings: ModelConfig, live: Version) -> pl.DataFrame:
    """Predictions in the columns of a table: inputs by name, the label as its target, its time and its key."""
    columns, missing = [], []
    for name, dtype in like.schema.items():
        if name == settings.target:
            columns.append(history["label"].alias(name).cast(dtype, strict=False))
        elif name == settings.time and live.manifest.signature.input(name) is None:
            columns.append(moments_like(history["at_us"], like[name]))
        elif name in history.columns and live.manifest.signature.input(name) is not None:
            columns.append(history[name].cast(dtype, strict=False))
        elif name == settings.key:
            columns.append(history["key"].alias(name).cast(dtype, strict=False))
        else:
            missing.append(name)
    if missing:
        raise Conflict(
            f"the log of '{live.model}' does not hold all columns of its training data", got=", ".join(missing),
            allowed="inputs, the target, `time` and `key`", fix="retrain: {rows: newest}, and add versions of the data sets",
        )  # fmt: skip
    return pl.DataFrame(columns)
