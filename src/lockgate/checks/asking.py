"""Asking models for checks: tables in chunks, answers as checks read them, each table once.

Loading and closing models is the caller's; nothing here knows where they run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import numpy as np
import polars as pl

from lockgate.checks.evidence import CHUNK_ROWS, Answers, Asked
from lockgate.datasets.classes import class_names
from lockgate.datasets.columns import columns_from
from lockgate.datasets.content import digest_of_frame
from lockgate.errors import Conflict, PredictionFailed
from lockgate.inference.executor import Executor
from lockgate.inference.score import decisions, scores
from lockgate.inference.validate import check_inputs, check_outputs
from lockgate.predictions.record import Columns
from lockgate.registry.manifest import Manifest, Task

CHUNK_DEADLINE_S = 120.0
BREAKS = "an answer breaks the signature"  # begins the message of an answer that nobody may be given
_SAYS = {
    Asked.VERSION: "the version cannot be asked here",
    Asked.ORIGINAL: "the version is not compiled, or its original cannot be opened here",
    Asked.LIVE: "no version is live, or it cannot be asked here",
    Asked.OTHER_PYTHON: "no other Python is named (checks: {parity: {python: ...}})",
    Asked.RELEARNED: "this version's algorithm cannot be trained here",
    Asked.OUTSIDE: "no outside service is named",
}
MOST_FURTHER = 200  # columns of what else a model answers


class OwnMetrics(Protocol):
    """Computes the project's own metrics, confined."""

    def __call__(
        self, name: str, columns: dict[str, np.ndarray], times: int = 0, clusters: np.ndarray | None = None
    ) -> np.ndarray:
        """The metric of n rows, then of redrawn ones. Raises PredictionFailed with what the function raised."""
        ...


Other = Callable[[pl.DataFrame, Collection[str]], Answers]


class Broker:
    """The models that checks may ask, opened when first asked; one question at a time.

    `others`: what answers tables and is no sealed version (a service of somebody else's); they get the table and the
    columns that are no inputs.
    """

    def __init__(
        self,
        models: Mapping[Asked, Callable[[], Executor]],
        leave_out: Collection[str] = (),
        metrics: OwnMetrics | None = None,
        others: Mapping[Asked, Other] | None = None,
    ) -> None:
        self._models, self._leave_out, self._metrics = models, leave_out, metrics
        self._others = others or {}
        self._turn = threading.Lock()
        self._seen: dict[tuple[str, Asked, int], Answers] = {}

    def ask(self, frame: pl.DataFrame, of: Asked, chunk_rows: int) -> Answers:
        """Answers to a table; the same table is answered once. For evidence in this very process."""
        name = (digest_of_frame(frame), of, chunk_rows)
        if name not in self._seen:
            self._seen[name] = self.answers(frame, of, chunk_rows)
        return self._seen[name]

    def answers(self, frame: pl.DataFrame, of: Asked, chunk_rows: int = CHUNK_ROWS) -> Answers:
        """Answers to a table. Raises Conflict when this model is not there, else as `answer_rows`."""
        if of not in self._models and of not in self._others:
            raise Conflict(_SAYS.get(of, "this model cannot be asked here"))
        with self._turn:
            if of in self._others:
                return self._others[of](frame, self._leave_out)
            return answer_rows(self._models[of](), frame, self._leave_out, chunk_rows=chunk_rows)

    def metric(
        self, name: str, columns: dict[str, np.ndarray], times: int = 0, clusters: np.ndarray | None = None
    ) -> np.ndarray:
        """A metric of the project's own; see `OwnMetrics`. Raises Conflict where none can be computed."""
        if self._metrics is None:
            raise Conflict("metrics of your own cannot be computed here")
        with self._turn:
            return self._metrics(name, columns, times, clusters)


def answer_rows(
    executor: Executor,
    frame: pl.DataFrame,
    leave_out: Collection[str],
    progress: Callable[[int, int], None] | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> Answers:
    """A version's answers to every row of a table, asked in chunks, so that a large table never lies twice in memory.

    Raises InvalidInput when the table does not fit the signature, PredictionFailed when the model raises or gives what its
    signature does not allow, TimedOut and Unavailable as the executor does.
    """
    manifest = executor.manifest
    parts: list[Columns] = []
    for start in range(0, max(frame.height, 1), chunk_rows):
        chunk = columns_from(frame[start : start + chunk_rows], manifest.signature, leave_out=leave_out)
        rows = min(chunk_rows, frame.height - start)
        check_inputs(manifest.signature, chunk)
        outputs = executor.predict(chunk, deadline_s=CHUNK_DEADLINE_S)
        reason = check_outputs(manifest.signature, outputs, rows, manifest.answer)
        if reason is not None:
            raise PredictionFailed(f"{BREAKS}: {reason}", got=f"rows {start + 1} to {start + rows}")
        parts.append(outputs)
        if progress is not None:
            progress(start + rows, frame.height)
    return answers_in({name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, manifest)


def further_of(outputs: Columns, manifest: Manifest) -> dict[str, np.ndarray]:
    """What a model answers beside prediction and probability, as columns of n values: wide ones are told apart by place."""
    known = {manifest.answer.prediction, manifest.answer.probability}
    found: dict[str, np.ndarray] = {}
    for name, values in outputs.items():
        if name in known or values.ndim > 2:
            continue
        wide = values.T if values.ndim == 2 else [values]
        for place, column in enumerate(wide):
            found[f"{name} {place + 1}" if values.ndim == 2 else name] = np.asarray(column)
    return dict(list(found.items())[:MOST_FURTHER])


def answers_in(outputs: Columns, manifest: Manifest) -> Answers:
    """What a model put out, as checks read it."""
    decided, further = decisions(outputs, manifest), further_of(outputs, manifest)
    if manifest.task is not Task.CLASSIFICATION:
        made = np.asarray(decided, dtype=float)
        return Answers(made, made, further=further)
    given = outputs.get(manifest.answer.probability or "")
    # text classes without probabilities have no score
    score = scores(outputs, manifest) if given is not None else None
    wide = given is not None and given.ndim == 2 and given.shape[1] > 1
    return Answers(class_names(decided), score, np.asarray(given, dtype=float) if wide else None, further)
