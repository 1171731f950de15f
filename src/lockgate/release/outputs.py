"""What a version answers, as numbers that two arms can be compared by: the mean score and the share of each class.

In the canary each caller's first answer of a stage counts, for the arm that it was assigned to, whoever answered.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
import numpy as np

from lockgate.datasets.classes import class_name
from lockgate.inference.score import decisions, scores
from lockgate.predictions.record import Record, columns_of
from lockgate.registry.manifest import Manifest, Task
from lockgate.stats.means import Arms


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How values lay before the canary: quantiles to clip at, standard deviation, and the change that was approved."""

    low: float
    high: float
    sigma: float
    expected: float = 0.0  # new - old, as seen on the same requests in shadow

    def clip(self, value: float) -> float:
        """A value as it counts."""
        return min(max(value, self.low), self.high)


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """How answers were before the canary, fixed when it starts. `shares`: class -> spread of "is it this class"."""

    answers: int = 0
    score: Spread | None = None  # None: answers have no score, or all the same
    shares: dict[str, Spread] = {}

    @property
    def parts(self) -> int:
        """How many means are compared."""
        return (self.score is not None) + len(self.shares)


class Answered(msgspec.Struct, frozen=True, gc=False):
    """One request's answers: the mean score of its rows (None: no score) and the classes of its rows."""

    score: float | None
    classes: tuple[str, ...]


class OutputArms(msgspec.Struct, kw_only=True):
    """One stage's answers in both arms."""

    score: Arms = Arms()
    shares: dict[str, Arms] = {}

    def add(self, answer: Answered, outputs: Outputs, *, in_canary: bool) -> None:
        """Count one caller's answer."""
        if outputs.score is not None and answer.score is not None:
            self.score = self.score.add(outputs.score.clip(answer.score), in_canary=in_canary)
        for name in outputs.shares if answer.classes else ():
            share = answer.classes.count(name) / len(answer.classes)
            self.shares[name] = self.shares.get(name, Arms()).add(share, in_canary=in_canary)


def answered(record: Record, manifest: Manifest) -> Answered | None:
    """What a record says of its version's answers; None for one without an answer that can be read so."""
    if record.status >= 400 or not record.outputs:
        return None
    columns = columns_of(record.outputs)
    if manifest.answer.prediction not in columns:
        return None
    regression = manifest.task is Task.REGRESSION
    numeric = columns[manifest.answer.prediction].dtype.kind in "biuf"
    readable = has_score(manifest) and (manifest.answer.probability in columns or numeric)
    values = scores(columns, manifest) if readable else np.array([])
    finite = values[np.isfinite(values)]
    classes = () if regression else tuple(_name(value) for value in decisions(columns, manifest).tolist())
    return Answered(float(finite.mean()) if len(finite) else None, classes)


def has_score(manifest: Manifest) -> bool:
    """Whether answers have a number besides their class: a probability, or in regression the answer itself."""
    return manifest.answer.probability is not None or manifest.task is Task.REGRESSION


@lru_cache(maxsize=1_000)
def _name(value: object) -> str:
    """One class as text; the same few come again and again."""
    return class_name(value)
