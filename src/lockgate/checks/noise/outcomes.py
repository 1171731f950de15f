"""Part of noise: what the model does with odd values. One table a kind of value; only where that fails, fewer rows at once.

A block is some rows with one column made odd. A table of all blocks is asked first; if it is refused or the model raises,
halves of it are asked, until each guilty column is known with its message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl

from lockgate.checks.asking import BREAKS
from lockgate.checks.evidence import Answers, Evidence
from lockgate.checks.noise.odd import Odd
from lockgate.errors import InvalidInput, LockgateError, PredictionFailed, TimedOut, Unavailable

_SHOWN = 160


class Outcome(StrEnum):
    """What became of rows with an odd value, the worst first."""

    BROKEN = "answered, and the answer is no answer"
    STOPPED = "answered, and the signature stopped the answer"
    HUNG = "did not answer in time, or died"
    RAISED = "raised"
    REFUSED = "refused before the model"
    ANSWERED = "answered"


@dataclass(frozen=True, eq=False)
class Seen:
    """What became of one column's odd values. `changed`: share of decisions that differ from the untouched rows';
    `low`, `high`: of the scores. `example`: the message."""

    column: str
    outcome: Outcome
    example: str = ""
    changed: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")


def outcomes(
    evidence: Evidence, kind: Odd, rows: pl.DataFrame, known: pl.DataFrame, before: Answers
) -> list[Seen]:
    """What becomes of one kind of odd value in each column of m rows. `before`: the answers to these rows untouched."""
    columns = [name for name in rows.columns if kind.applies(known[name])]
    blocks = [(name, rows.with_columns(_odd(kind, rows[name], known[name]))) for name in columns]
    return _asked(evidence, blocks, before)


def _odd(kind: Odd, series: pl.Series, known: pl.Series) -> pl.Series:
    """Odd values for some rows; those that depend on the range take it from the whole column."""
    return kind.made(pl.concat([series, known]))[: len(series)].alias(series.name)


def _asked(evidence: Evidence, blocks: Sequence[tuple[str, pl.DataFrame]], before: Answers) -> list[Seen]:
    if not blocks:
        return []
    table = pl.concat([block for _, block in blocks], how="vertical_relaxed")
    try:
        answers = evidence.predict(table)
    except (PredictionFailed, InvalidInput, TimedOut, Unavailable) as error:
        if len(blocks) == 1:
            return [_failed(blocks[0][0], error)]
        half = len(blocks) // 2
        return _asked(evidence, blocks[:half], before) + _asked(evidence, blocks[half:], before)
    size = before.decisions.size
    return [
        _answered(name, answers.take(np.arange(place * size, (place + 1) * size)), before, evidence)
        for place, (name, _) in enumerate(blocks)
    ]


def _failed(column: str, error: LockgateError) -> Seen:
    said = (error.what if error.got is None else f"{error.what}: {error.got}")[:_SHOWN]
    if isinstance(error, InvalidInput):
        return Seen(column, Outcome.REFUSED, said)
    if isinstance(error, PredictionFailed):
        return Seen(column, Outcome.STOPPED if error.what.startswith(BREAKS) else Outcome.RAISED, said)
    return Seen(column, Outcome.HUNG, said)


def _answered(column: str, after: Answers, before: Answers, evidence: Evidence) -> Seen:
    figures = after.scores if after.scores is not None else after.probabilities
    bounds = evidence.assumptions.range if after.scores is not None else None
    if figures is None:
        return Seen(column, Outcome.ANSWERED, changed=_changed(after, before, evidence))
    figures = np.asarray(figures, dtype=float)
    finite = figures[np.isfinite(figures)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (float("nan"),) * 2
    said = ""
    if finite.size < figures.size:
        said = f"{figures.size - finite.size} of {figures.size} answers are not finite"
    elif bounds is not None and (low < bounds[0] or high > bounds[1]):
        said = f"answers from {low:.4g} to {high:.4g}, and {bounds[0]:g} to {bounds[1]:g} is declared"
    outcome = Outcome.BROKEN if said else Outcome.ANSWERED
    return Seen(column, outcome, said, _changed(after, before, evidence), low, high)


def _changed(after: Answers, before: Answers, evidence: Evidence) -> float:
    """Share of decisions that changed; of numbers there is none."""
    if not evidence.classifies:
        return float("nan")
    return float(np.mean([new != old for new, old in zip(after.decisions, before.decisions, strict=True)]))
