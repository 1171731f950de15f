"""How much each input matters to the answers: one column after the other is shuffled, and the model is asked again.

The answers' mean squared change, as a share of all columns' changes: how much of what varies in the answers hangs on that
column. It needs no labels and asks once for all columns. The rows are cut into a few parts that share nothing, each shuffled
within itself: their spread is the interval, of rows and shuffles together.

Sources: Breiman (2001), Random forests, section 10, for shuffling; Jansen (1999), Computer Physics Communications 117, for
the squared change as the total effect of an input; Sobol (2001).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from lockgate.checks.evidence import Answers, Asked, Evidence
from lockgate.stats.intervals import Interval, mean_interval

_PARTS = 5
_ROWS = 3_000
_ASKED = 300_000  # rows in all: with many columns, fewer rows for each
_FEWEST = 200


@dataclass(frozen=True)
class Importance:
    """An input's share of what moves the answers, 0..1, with its interval; `parts` are the shares of each part of the rows."""

    column: str
    share: Interval
    parts: tuple[float, ...]


def importances(evidence: Evidence, of: Asked = Asked.VERSION) -> dict[str, Importance]:
    """Of every input on the judged rows, the most important first; empty where there are fewer than four rows.

    Raises what `evidence.predict` raises.
    """
    there = judged_inputs(evidence, of)
    if there is None:
        return {}
    frame, made, names = there
    draw = evidence.random("importance")
    rows = min(frame.height, max(_FEWEST, min(_ROWS, _ASKED // max(len(names), 1))))
    chosen = draw.choice(frame.height, rows, replace=False) if rows < frame.height else draw.permutation(rows)
    parts = [part for part in np.array_split(np.arange(rows), _PARTS) if part.size >= 2]
    if len(parts) < 2 or not names:
        return {}
    table = frame.select(names)[chosen]
    asked = pl.concat([_shuffled(table, name, parts, draw) for name in names])
    answers = evidence.predict(asked, of)
    before = made.take(chosen)
    moved = [
        _moved(before, answers.take(np.arange(place * rows, (place + 1) * rows)))
        for place in range(len(names))
    ]
    by_part = np.array([[float(change[part].mean()) for part in parts] for change in moved])
    totals = by_part.sum(axis=0)
    shares = np.divide(by_part, totals, out=np.zeros_like(by_part), where=totals > 0)
    found = [
        Importance(name, bounded(mean_interval(row)), tuple(row.tolist()))
        for name, row in zip(names, shares, strict=True)
    ]
    return {each.column: each for each in sorted(found, key=lambda each: -each.share.value)}


def judged_inputs(evidence: Evidence, of: Asked) -> tuple[pl.DataFrame, Answers, list[str]] | None:
    """The judged rows, a model's answers to them, and the inputs they hold; None where it has not answered."""
    split = evidence.judged_split()
    made = evidence.live if of is Asked.LIVE else evidence.answers
    if split is None or split not in made:
        return None
    frame = evidence.frames[split]
    return frame, made[split], [name for name in evidence.inputs if name in frame.columns]


def _shuffled(
    table: pl.DataFrame, name: str, parts: list[np.ndarray], draw: np.random.Generator
) -> pl.DataFrame:
    order = np.concatenate([draw.permutation(part) for part in parts])
    rest = np.arange(order.size, table.height)  # rows of parts that were too small stay as they are
    return table.with_columns(table[name].gather(np.concatenate([order, rest])))


def _moved(before: Answers, after: Answers) -> np.ndarray:
    """Squared change of each row's answer: probabilities, else the score, else whether the decision changed."""
    if before.probabilities is not None and after.probabilities is not None:
        change: np.ndarray = ((after.probabilities - before.probabilities) ** 2).sum(axis=1)
        return change
    if before.scores is not None and after.scores is not None:
        return _squares(before.scores, after.scores)
    if before.decisions.dtype.kind in "fiu":
        return _squares(before.decisions, after.decisions)
    flipped: np.ndarray = (before.decisions != after.decisions).astype(float)
    return flipped


def _squares(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    change: np.ndarray = (np.asarray(after, dtype=float) - np.asarray(before, dtype=float)) ** 2
    return np.where(np.isfinite(change), change, 0.0)


def bounded(share: Interval) -> Interval:
    """A share's interval kept within 0..1."""
    return Interval(share.value, max(share.low, 0.0), min(share.high, 1.0))


def matter_of(evidence: Evidence) -> dict[str, float] | None:
    """Shares by column for checks that rank by them; None where there is no model to ask or no answer to hold against."""
    split = evidence.judged_split()
    if evidence.ask is None or split is None or evidence.failures.get(str(split)):
        return None
    found = importances(evidence)
    return {name: each.share.value for name, each in found.items()} or None
