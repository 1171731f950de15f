"""Real predictions of others (nannyml's data sets) played again through the prediction log, labels a month late."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lockgate.blobs import Blobs
from lockgate.clock import DAY_US
from lockgate.config import Home
from lockgate.db import Database
from lockgate.monitor.performance import PerformanceWatcher
from lockgate.monitor.performance_making import About, Subject
from lockgate.predictions.label_import import Naming, import_many
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.record import Record, blocks_of
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.signature import DataType, Field, Signature

MONTH_US = 30 * DAY_US
ROWS_A_RECORD = 500
MOST_LOOKS = 200


@dataclass(frozen=True)
class Stream:
    """Predictions in order of time with their later truth (`label`): answers are named as the manifest names them."""

    model: str
    manifest: Manifest
    inputs: tuple[str, ...]
    reference: pl.DataFrame
    rows: pl.DataFrame  # with `id`, `at_us`


def read(name: str) -> pl.DataFrame:
    """A file of nannyml's, which is never imported; the test is skipped where it is not installed."""
    found = find_spec("nannyml")
    if found is None or not found.submodule_search_locations:
        pytest.skip("nannyml's data are not installed")
    return pl.read_csv(Path(found.submodule_search_locations[0]) / "datasets" / "data" / name)


def loans() -> Stream:
    """T1: car loans. From row 25,000 on other people ask, and the model is right less often."""
    inputs = ("car_value", "salary_range", "debt_to_income_ratio", "loan_length", "repaid_loan_on_prev_car",
              "size_of_downpayment", "driver_tenure")  # fmt: skip
    later = read("synthetic_car_loan_analysis.csv").join(
        read("synthetic_car_loan_analysis_target.csv"), on="id"
    )
    names = {"repaid": "label", "y_pred": "y", "y_pred_proba": "p"}
    outputs = (Field(name="y", datatype=DataType.INT64), Field(name="p", datatype=DataType.FP64))
    answer = Answer(prediction="y", probability="p", classes=(0, 1), positive=1)
    made = manifest(Task.CLASSIFICATION, outputs, answer)
    return Stream(
        "loans",
        made,
        inputs,
        _timed(read("synthetic_car_loan_reference.csv").rename(names)),
        _timed(later.rename(names)),
    )


def cars() -> Stream:
    """T2: prices of used cars. From row 30,000 on other cars come, and the model is right more often."""
    inputs = ("car_age", "km_driven", "price_new", "accident_count", "door_count", "fuel", "transmission")
    later = read("regression_synthetic_analysis.csv").join(
        read("regression_synthetic_analysis_targets.csv"), on="id"
    )
    names = {"y_true": "label", "y_pred": "y"}
    outputs = (Field(name="y", datatype=DataType.FP64),)
    made = manifest(Task.REGRESSION, outputs, Answer(prediction="y"))
    return Stream(
        "cars",
        made,
        inputs,
        _timed(read("regression_synthetic_reference.csv").rename(names)),
        _timed(later.rename(names)),
    )


def manifest(task: Task, outputs: tuple[Field, ...], answer: Answer) -> Manifest:
    """A manifest of a model that nobody opens."""
    return Manifest(
        framework=Framework.ONNX, task=task, signature=Signature(inputs=(), outputs=outputs), answer=answer,
        model_path="model/model.onnx", compiled=Compiled(), python="3.11",
    )  # fmt: skip


@dataclass
class Stage:
    """A home, a database and a watcher on them. `now_us` moves as the stream plays."""

    home: Home
    blobs: Blobs
    db: Database
    stream: Stream
    about: About
    settings: Mapping[str, object] = field(default_factory=dict)
    now_us: int = 0
    told: list[tuple[int, pl.DataFrame]] = field(default_factory=list)  # labels on their way: when, which

    def watcher(self) -> PerformanceWatcher:
        """A watcher as a process that starts has it."""
        subject = Subject(key_field="id", **self.settings)  # type: ignore[arg-type]
        return PerformanceWatcher(
            self.home,
            self.blobs,
            self.db,
            self.stream.model,
            settings=lambda: subject,
            about=lambda _version: self.about,
        )

    def play(self, rows: int, chunk: int, *, after: Callable[[int], None] = lambda _place: None) -> None:
        """Write the first rows chunk by chunk; labels come a month after the end of their chunk; the watcher looks."""
        watcher = self.watcher()
        with SegmentWriter(self.home.log, "gateway-0") as log:
            for start in range(0, rows, chunk):
                some = self.stream.rows[start : start + chunk]
                log.append(list(self.records(some, start)))
                self.now_us = int(some["at_us"][-1]) + 1
                self.told.append((self.now_us + MONTH_US, some.select("id", "label")))
                self.hand_in()
                self.settle(watcher)
                after(start // chunk)
        self.now_us += MONTH_US + 1
        self.hand_in()
        self.settle(watcher)

    def records(self, rows: pl.DataFrame, start: int) -> list[Record]:
        """Requests of several rows each."""
        made = []
        for place in range(0, rows.height, ROWS_A_RECORD):
            some = rows[place : place + ROWS_A_RECORD]
            inputs = {"id": some["id"].cast(pl.String).to_numpy().astype(object)}
            inputs |= {name: _array(some[name]) for name in self.stream.inputs}
            outputs = {
                each.name: some[each.name].to_numpy() for each in self.stream.manifest.signature.outputs
            }
            made.append(
                Record(id=f"r{start + place}", at_us=int(some["at_us"][-1]), model=self.stream.model, version=1,
                       rows=some.height, inputs=blocks_of(inputs), outputs=blocks_of(outputs))
            )  # fmt: skip
        return made

    def hand_in(self) -> None:
        """Hand in the labels whose time has come."""
        for at_us, table in [each for each in self.told if each[0] <= self.now_us]:
            import_many(self.db, self.stream.model, table, Naming("label", key="id"), by="ada", now_us=at_us)
        self.told = [each for each in self.told if each[0] > self.now_us]

    def settle(self, watcher: PerformanceWatcher) -> None:
        """Let the watcher look until there is nothing left to do."""
        for _ in range(MOST_LOOKS):
            if not watcher.look(self.now_us).more:
                return
        raise AssertionError("the watcher never came to an end")


def _array(series: pl.Series) -> np.ndarray:
    return (
        series.to_numpy().astype(np.float64)
        if series.dtype.is_numeric()
        else series.cast(pl.String).to_numpy().astype(object)
    )


def _timed(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(at_us=pl.col("timestamp").str.to_datetime(time_unit="us").dt.epoch("us"))
