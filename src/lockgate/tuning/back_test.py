"""Trials judged as the back-test judges versions: what a pipeline answers to recorded rows, by the figures of the checks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.judged import judge
from lockgate.checks.metrics import metrics_for
from lockgate.datasets.classes import class_names
from lockgate.declared import Ranking
from lockgate.errors import LockgateError, PredictionFailed
from lockgate.registry.manifest import Task

ANSWERS = "answers.json"
PREDICTION, PROBABILITY = "prediction", "probability"


class JudgedBy(msgspec.Struct, frozen=True, kw_only=True):
    """What the figures need to know of the model, as `Facts` of a version say it. `classes`: in the order of probabilities."""

    task: str
    target: str
    classes: tuple[str, ...] | None = None
    positive: str | None = None
    group: str | None = None
    ranking: Ranking | None = None
    quantile: float | None = None
    costs: dict[str, dict[str, float | str]] = {}


class _Answered(msgspec.Struct, frozen=True):
    """What the pipeline's process wrote. `classes`: of its model, in the order of probabilities."""

    table: str
    columns: dict[str, list[Any]]
    classes: list[Any] | None = None


def figures(by: JudgedBy, handed: Path, table: Path) -> dict[str, float]:
    """Every figure that the back-test could judge these answers by. `handed`: the folder with them; `table`: the asked rows.

    Raises PredictionFailed where the answers are none to these rows.
    """
    frame = pl.read_parquet(table)
    try:
        said = msgspec.json.decode((handed / ANSWERS).read_bytes(), type=_Answered)
    except (OSError, msgspec.DecodeError) as error:
        raise PredictionFailed("the pipeline did not answer the recorded rows", got=error,
                               fix="write predict(model, rows) in its file, or past: {by: pipeline}") from error  # fmt: skip
    evidence = _evidence(by, frame, said)
    try:
        judged = judge(evidence, Split.TEST, _answers(evidence, said, frame.height))
    except LockgateError:
        raise
    except (ValueError, TypeError, IndexError) as error:
        raise PredictionFailed(
            "the pipeline's answers to the recorded rows cannot be read", got=error, fix="one answer a row"
        ) from error
    found = {name: float(metric.figure(judged)) for name, metric in metrics_for(evidence, judged).items()}
    return {name: value for name, value in found.items() if np.isfinite(value)}


def _evidence(by: JudgedBy, frame: pl.DataFrame, said: _Answered) -> Evidence:
    classes = by.classes
    if classes is None and said.classes:
        classes = tuple(class_names(np.array(said.classes)).tolist())
    return Evidence(task=Task(by.task), inputs=(), frames={Split.TEST: frame}, target=by.target, classes=classes,
                    positive=by.positive, group=by.group, ranking=by.ranking, costs=by.costs, quantile=by.quantile)  # fmt: skip


def _answers(evidence: Evidence, said: _Answered, rows: int) -> Answers:
    given = {name: np.array(values) for name, values in said.columns.items()}
    short = [name for name, values in given.items() if values.ndim == 0 or len(values) != rows]
    if PREDICTION not in given or short:
        raise PredictionFailed("the pipeline's answers are not one a row",
                               got=f"{len(next(iter(given.values()), []))} of {rows:,} rows, as {', '.join(given)}",
                               fix="return 'prediction' (and 'probability') for every row, in their order")  # fmt: skip
    if not evidence.classifies:
        return Answers(given[PREDICTION].astype(float).reshape(rows))
    decisions = class_names(given[PREDICTION].reshape(rows))
    probability = given.get(PROBABILITY)
    if probability is None:
        return Answers(decisions)
    wide = probability.astype(float).reshape(rows, -1)
    if wide.shape[1] == 1 and len(said.classes or ()) != 1:
        return Answers(decisions, wide[:, 0])
    own = class_names(np.array(said.classes)).tolist() if said.classes else list(evidence.classes or ())
    if len(own) != wide.shape[1]:
        raise PredictionFailed("nobody knows which column of 'probability' is which class",
                               got=f"{wide.shape[1]} columns", fix="let the model have classes_, as scikit-learn's")  # fmt: skip
    names = list(evidence.classes or own)
    learned = [wide[:, own.index(name)] if name in own else np.zeros(rows) for name in names]
    wide = np.column_stack(
        learned
    )  # a class that was in none of a trial's rows has no column: it is never answered
    score = (
        wide[:, names.index(evidence.positive) if evidence.positive in names else 1]
        if len(names) == 2
        else None
    )
    return Answers(decisions, score, wide)
