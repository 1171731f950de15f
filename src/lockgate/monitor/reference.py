"""What production is held against: the sketches of a version's validation, or, without one, of its own first rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
import numpy as np
import polars as pl
import sqlalchemy as sa

from lockgate.checks.baseline import ANSWER, Baseline
from lockgate.checks.identifiers import looks_like_identifier
from lockgate.checks.seasons import Seasons
from lockgate.datasets.sketched import can_sketch, numbers_in, sketch_column
from lockgate.monitor.watcher import place_of, put_place
from lockgate.stats.pairs import Pairs, count_pairs, scores_in
from lockgate.stats.sketch import NumberSketch, Sketch

OWN_ROWS = 1_000  # of a version that nobody validated: so many say what is usual
_PREFIX = "reference:"


class _Said(msgspec.Struct, frozen=True):
    """Of a kept reference its name alone; the rest is passed over."""

    said: str


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """`name`: of what it was made; `said`: what it is called in sentences. `matter`: importance of an input, 0..1; empty
    where it is not known. `left_out`: inputs that are not watched, and why. `validated`: it is of a validation; `veiled`:
    personal inputs, of which no value is kept (`veil.py`). `seasons`: how columns followed the calendar in the version's past;
    `seasonal`: of which somebody says that they do."""

    name: str
    said: str
    rows: int
    columns: dict[str, Sketch]
    answers: dict[str, Sketch]
    labels: Sketch | None = None
    matter: dict[str, float] = {}
    pairs: Pairs | None = None
    left_out: dict[str, str] = {}
    validated: bool = False
    veiled: tuple[str, ...] = ()
    seasons: Seasons | None = None
    seasonal: tuple[str, ...] = ()

    @property
    def numbers(self) -> tuple[str, ...]:
        """The columns of `pairs`."""
        return self.pairs.names if self.pairs is not None else ()

    def sketch_of(self, name: str) -> NumberSketch | None:
        """The sketch of a column of `pairs`."""
        if name == ANSWER:
            answer = self.answers.get("score", self.answers.get("decision"))
            return answer if isinstance(answer, NumberSketch) else None
        found = self.columns.get(name)
        return found if isinstance(found, NumberSketch) else None


def of_validation(
    name: str, baseline: Baseline, inputs: Collection[str], ignored: Collection[str] = ()
) -> Reference:
    """The reference of a validated version. `ignored`: columns that move by nature, as somebody said."""
    left_out = baseline.left_out | dict.fromkeys(ignored, "left out by the settings")
    return Reference(
        name=name, said="its validation", rows=baseline.rows, answers=baseline.answers, labels=baseline.labels,
        columns={key: sketch for key, sketch in baseline.columns.items() if key in inputs and key not in left_out},
        matter=baseline.matter, pairs=baseline.pairs, left_out=left_out, validated=True, seasons=baseline.seasons,
        veiled=tuple(key for key in baseline.veiled if key in inputs and key not in left_out),
    )  # fmt: skip


def of_rows(
    name: str, frame: pl.DataFrame, answers: Mapping[str, np.ndarray], ignored: Collection[str] = ()
) -> Reference:
    """A reference made of rows (n): columns by name, and `answers`: decision and score, (n,) each."""
    left_out = dict.fromkeys(ignored, "left out by the settings")
    columns: dict[str, Sketch] = {}
    for column in frame.columns:
        if column in left_out or not can_sketch(frame, column):
            continue
        if frame[column].dtype.is_temporal() or looks_like_identifier(frame[column]):
            left_out[column] = "a time or an identifier"
        else:
            columns[column] = sketch_column(frame[column])
    said = {key: pl.Series(values.tolist(), strict=False) for key, values in answers.items()}
    made = {key: sketch_column(series) for key, series in said.items() if series.dtype != pl.Null}
    numbers = {
        key: scores_in(numbers_in(frame[key]), sketch)
        for key, sketch in columns.items() if isinstance(sketch, NumberSketch)
    }  # fmt: skip
    answer = next((key for key in ("score", "decision") if isinstance(made.get(key), NumberSketch)), None)
    if answer is not None:
        sketch = made[answer]
        if isinstance(sketch, NumberSketch):
            numbers[ANSWER] = scores_in(np.asarray(answers[answer], dtype=float), sketch)
    return Reference(
        name=name, said=f"its first {frame.height:,} rows", rows=frame.height, columns=columns, answers=made,
        pairs=count_pairs(numbers), left_out=left_out,
    )  # fmt: skip


def kept_reference(tx: sa.Connection, model: str, version: int) -> Reference | None:
    """What a version is held against since it was first seen."""
    body = place_of(tx, f"{_PREFIX}{model}/{version}")
    return None if body is None else msgspec.json.decode(body, type=Reference)


def said_of(tx: sa.Connection, model: str, version: int) -> str:
    """What a version is held against, as it is called in sentences: its validation, until it is held against anything."""
    body = place_of(tx, f"{_PREFIX}{model}/{version}")
    return "its validation" if body is None else msgspec.json.decode(body, type=_Said).said


def keep_reference(tx: sa.Connection, model: str, version: int, reference: Reference, now_us: int) -> None:
    """Hold the version against this from now on."""
    put_place(tx, f"{_PREFIX}{model}/{version}", msgspec.json.encode(reference, enc_hook=_plain), now_us)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a reference cannot hold a {type(value).__name__}")
