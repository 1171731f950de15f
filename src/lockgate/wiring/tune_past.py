"""The recorded past as a table to judge trials on: rows whose labels came, and none that a trial has seen or may not see."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from lockgate.checks.values import times_of
from lockgate.config import ModelConfig
from lockgate.config_tuning import PastAim
from lockgate.errors import Conflict, InvalidInput
from lockgate.tuning.budget import seconds_of
from lockgate.tuning.hiding import unlearned
from lockgate.wiring.history import history_of
from lockgate.wiring.house import House

TRAIN, VALIDATION, TEST = "train", "validation", "test"
DISTINCT = 0.9  # of a table's rows: then its inputs name them, whatever label came later
_AT = "\0at_us"


def recorded(
    house: House, model: str, settings: ModelConfig, past: PastAim, tables: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:  # fmt: skip
    """Labelled predictions, oldest first, with the columns of the training table. `tables`: those of the model, by what they are.

    Left out: what stands in the training or validation table (a trial gets both), with `time` all that came by then, and
    what stands in the test set. Raises InvalidInput without the name of the label, Conflict where nothing is left.
    """
    rows, logged = _history(house, model, settings, past)
    train, time = tables[TRAIN], str(settings.time)
    if time in train.columns and time not in rows.columns:
        rows = rows.with_columns(pl.col("at_us").cast(pl.Datetime("us")).alias(time))
    cells = [(pl.col(name) if name in rows.columns else pl.lit(None)).cast(kind, strict=False).alias(name)
             for name, kind in train.schema.items()]  # fmt: skip
    kept = rows.select(*cells, pl.col("at_us").alias(_AT)).drop_nulls(str(settings.target))
    known = [name for name in logged if name in train.columns]
    for role, table in tables.items():
        if role != TEST and time in table.columns:
            newest_s = np.nanmax(times_of(table[time]), initial=-np.inf)
            kept = kept.filter(pl.Series(kept[_AT].to_numpy() / 1e6 > newest_s))
        else:
            kept = unlearned(kept, table, _told_by(role, table, known, settings))
    if kept.is_empty():
        words = "every labelled row that {} answered in the last {} was learned from, or stands in the validation or test set"
        raise Conflict(words.format(model, past.since),
                       fix="train on earlier rows (lockgate data split NAME --time COLUMN), or wait for labels")  # fmt: skip
    return kept.drop(_AT)


def _history(
    house: House, model: str, settings: ModelConfig, past: PastAim
) -> tuple[pl.DataFrame, list[str]]:
    """Recorded rows under the names of the training table, and which columns were really logged."""
    target = settings.target
    if target is None:
        raise InvalidInput(
            "the recorded past needs the name of the label", fix="target: COLUMN in lockgate.yaml"
        )
    since_us = house.clock.now_us() - round(seconds_of(past.since) * 1e6)
    found = history_of(house, model, since_us=since_us)
    if found is None or found.is_empty():
        raise Conflict(f"no recorded prediction of {model} in the last {past.since} has a label",
                       fix=f"lockgate labels import {model} FILE --label COLUMN, or leave `past` out")  # fmt: skip
    named = found.drop(target) if target in found.columns and target != "label" else found
    rows = named.rename({"label": target}) if target != "label" else named
    return rows, [name for name in rows.columns if name not in (settings.time, "at_us")]


def _told_by(role: str, table: pl.DataFrame, logged: list[str], settings: ModelConfig) -> list[str]:
    """The columns by which a table's rows are known again: inputs alone where they tell rows apart, since a label may have been
    mended since; else with the label. Raises Conflict where no input is in common.
    """
    there = [name for name in logged if name in table.columns and not table[name].dtype.is_nested()]
    inputs = [name for name in there if name != settings.target]
    if not inputs:
        raise Conflict(f"the rows of '{role}' cannot be known again among the recorded ones", got=", ".join(table.columns[:10]),
                       fix=f"let '{role}' have the columns that callers send")  # fmt: skip
    if table.select(inputs).n_unique() >= DISTINCT * table.height:
        return inputs
    return there
