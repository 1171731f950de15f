"""T9 through the gateway's log: values are asked of a live model, read back from the log, counted and judged by the monitor.

The model answers what it is asked, which is all that a change point needs. Every value has been a request over HTTP and a record
of the log before it is counted and judged as in `change_points.py`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
from benchmarks.monitor.apart import alarms, data
from benchmarks.monitor.change_points import CHUNK, Score, alarms_of, score, table_lines
from benchmarks.monitor.through import Case, through
from sklearn.linear_model import LinearRegression

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.db import open_database
from lockgate.monitor.place import Place
from lockgate.monitor.reading import Log, ModelLog
from lockgate.monitor.rows import rows_of
from lockgate.predictions.keyring import Keyring

MINUTE_US = 60_000_000
START_US = 1_704_067_200_000_000  # 2024-01-01
MODEL = "series"


def series_lines(folder: Path) -> list[str]:
    """Every series asked, read back, and judged; river's detectors beside it."""
    known, others = json.loads((data() / "series.json").read_text()), alarms()
    whole = np.concatenate([np.asarray(one["values"], dtype=float) for one in known.values()])
    through(case_of(whole), folder, look_days=10_000.0)
    recorded, start = values_of(folder), 0
    if not np.array_equal(recorded, whole):
        raise RuntimeError(f"{whole.size:,} values were asked, and the log holds others")
    found: list[tuple[str, dict[str, Score]]] = []
    for name, one in known.items():
        values = recorded[start : start + len(one["values"])]
        start += values.size
        said = {"lockgate": alarms_of(values), **others[name]}
        found.append((name, {who: score(alarms, one["marks"]) for who, alarms in said.items()}))
    return [f"change points (T9): {whole.size:,} values through the gateway's log", *table_lines(found)]


def case_of(values: np.ndarray) -> Case:
    """A model that answers the value itself; a value a minute, twenty in a request."""
    low, high = float(values.min()), float(values.max())
    learned = pl.DataFrame({"value": np.linspace(low, high, 400)}).with_columns(same=pl.col("value"))
    model = LinearRegression().fit(learned.select("value").to_pandas(), learned["same"].to_numpy())
    rows = pl.DataFrame({"value": values, "same": values})
    at_us = START_US + np.arange(values.size, dtype=np.int64) * MINUTE_US
    return Case(MODEL, model, learned, rows, at_us, "same", "regression", dense=(0, CHUNK))


def values_of(folder: Path) -> np.ndarray:
    """What the log holds, in the order in which it was asked (n,)."""
    home = Home(folder)
    db = open_database(f"sqlite:///{home.database}")
    try:
        log, keys, place = ModelLog(Log(home, Blobs(str(home.blobs))), MODEL), Keyring(home, db), Place()
        found: list[tuple[np.ndarray, np.ndarray]] = []
        while True:
            piece = log.next(place)
            if piece.records.height:
                parts = rows_of(keys.open_rows(piece.records))
                found += [(part.at_us, part.inputs["value"]) for part in parts]
            place = piece.place
            if not piece.more:
                break
    finally:
        db.close()
    order = np.argsort(np.concatenate([at_us for at_us, _ in found]), kind="stable")
    values: np.ndarray = np.concatenate([values for _, values in found])[order]
    return values
