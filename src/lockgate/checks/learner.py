"""The version's own algorithm, trained again on other rows: in a confined process, from the sealed file's settings alone."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import polars as pl

from lockgate.checks.asking import CHUNK_DEADLINE_S, answers_in
from lockgate.checks.evidence import CHUNK_ROWS, LABEL, Answers
from lockgate.checks.values import numbers_of
from lockgate.datasets.classes import class_names
from lockgate.datasets.columns import columns_from
from lockgate.errors import InvalidInput, PredictionFailed
from lockgate.inference.validate import check_inputs
from lockgate.inference.workshop import Draft, Workbench, open_draft
from lockgate.predictions.record import Columns
from lockgate.registry.manifest import Framework, Manifest, Task

TIME_S = CHUNK_DEADLINE_S  # of one training
_ESTIMATORS = frozenset({Framework.SKLEARN, Framework.XGBOOST, Framework.LIGHTGBM})
_ENDINGS = (".pkl", ".pickle", ".joblib", ".skops")  # estimators with their settings, not boosters alone


def can_learn(manifest: Manifest) -> bool:
    """Whether the sealed file is an estimator that can be copied untrained."""
    named = manifest.framework in _ESTIMATORS and manifest.model_path.endswith(_ENDINGS)
    return named and (manifest.task is not Task.CLASSIFICATION or bool(manifest.answer.classes))


class Learner:
    """Answers tables for `Asked.RELEARNED`; the process starts when first asked and ends with `close`."""

    def __init__(
        self, manifest: Manifest, package: Path, python: Callable[[], Path], *, memory_mb: int = 4096
    ) -> None:
        self._manifest, self._package, self._python, self._memory_mb = manifest, package, python, memory_mb
        self._stack = ExitStack()
        self._bench: Workbench | None = None

    def __call__(self, frame: pl.DataFrame, leave_out: Collection[str]) -> Answers:
        """Train on the rows whose LABEL is there, answer the others.

        Raises InvalidInput for a table that does not fit or a class that the version does not know, PredictionFailed with what
        the training raised, TimedOut.
        """
        bench, signature = self._bench or self._open(), self._manifest.signature
        teaches = frame[LABEL].is_not_null()
        rows = frame.drop(LABEL)
        learn, judge = (columns_from(part, signature, leave_out=leave_out)
                        for part in (rows.filter(teaches), rows.filter(~teaches)))  # fmt: skip
        for part in (learn, judge):
            check_inputs(signature, part)
        bench.learn(learn, self._labels(frame[LABEL].filter(teaches)))
        starts = bench.starts
        parts = [bench.predict(chunk) for chunk in _chunks(judge)]
        if bench.starts != starts:  # it died and came back as it was sealed
            raise PredictionFailed("the model that was trained again ended before it had answered")
        return answers_in(
            {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, self._manifest
        )

    def close(self) -> None:
        """End the process. Twice does no harm."""
        self._stack.close()

    def _open(self) -> Workbench:
        manifest = self._manifest
        draft = Draft(folder=self._package, framework=manifest.framework, model_path=manifest.model_path,
                      entry=manifest.entry, inputs=manifest.signature.inputs)  # fmt: skip
        self._bench = self._stack.enter_context(
            open_draft(draft, python=self._python(), memory_mb=self._memory_mb, timeout_s=TIME_S)
        )
        return self._bench

    def _labels(self, labels: pl.Series) -> np.ndarray:
        """Places in the version's classes, or numbers."""
        if self._manifest.task is not Task.CLASSIFICATION:
            return numbers_of(labels)
        known = class_names(np.array(self._manifest.answer.classes, dtype=object))
        place = {str(name): number for number, name in enumerate(known)}
        names = class_names(labels)
        if unknown := sorted({str(name) for name in names} - set(place)):
            raise InvalidInput("a label is a class that the version does not know", got=", ".join(unknown[:5]),
                               allowed=", ".join(place))  # fmt: skip
        return np.array([place[str(name)] for name in names], dtype=float)


def _chunks(columns: Columns) -> list[Columns]:
    rows = len(next(iter(columns.values())))
    return [{name: array[start : start + CHUNK_ROWS] for name, array in columns.items()}
            for start in range(0, max(rows, 1), CHUNK_ROWS)]  # fmt: skip
