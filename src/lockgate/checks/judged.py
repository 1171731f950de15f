"""Labelled rows beside what was answered, as arrays that figures are computed of.

Classification is judged on truth values (two classes) or class numbers (more); regression on floats.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import polars as pl

from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.values import numbers_of, subject_names
from lockgate.errors import InvalidInput
from lockgate.stats.pinball import best_constant, distance


@dataclass(frozen=True, eq=False)
class Judged:
    """Labelled rows as arrays of n: `truth` and `decision` coded alike, `score` (n,), `probability` (n, classes).

    `rows` are the places of these rows in their table. `clusters` (n,): the number of each row's subject, None where every
    row is its own. `queries` (n,): the number of the query that a row was ranked for. `costs` (n, classes): what each
    decision would cost for this row; of two classes the second is the positive one.
    `quantile`: which one of the labels the answered numbers are; None: their mean or median.
    """

    rows: np.ndarray
    truth: np.ndarray
    decision: np.ndarray
    score: np.ndarray | None
    probability: np.ndarray | None
    clusters: np.ndarray | None = None
    queries: np.ndarray | None = None
    costs: np.ndarray | None = None
    quantile: float | None = None

    def take(self, index: np.ndarray) -> Judged:
        """Some of the rows."""
        held = {each.name: getattr(self, each.name) for each in fields(self)}
        return replace(
            self, **{name: part[index] for name, part in held.items() if isinstance(part, np.ndarray)}
        )

    @property
    def distance(self) -> np.ndarray:
        """Of numbers: each row's absolute error, or its pinball loss where a quantile is answered, shape (n,)."""
        return distance(self.truth, self.decision, self.quantile)

    @property
    def spread(self) -> float:
        """Of numbers: the mean distance of the labels to the one answer that suits them best."""
        return float(
            distance(self.truth, np.array(best_constant(self.truth, self.quantile)), self.quantile).mean()
        )


def judge(evidence: Evidence, split: Split, answers: Answers) -> Judged:
    """The labelled rows of a table with a version's answers; where a sample was answered, `rows` are places in the sample.

    Raises InvalidInput when no row has a label."""
    truth = evidence.answered_truth(split)
    if truth is None:
        raise InvalidInput(f"the {split} table has no target column", got=evidence.target)
    labelled = [name is not None for name in truth] if evidence.classifies else np.isfinite(truth)
    rows = np.flatnonzero(labelled)
    if rows.size == 0:
        raise InvalidInput(f"no row of the {split} table has a value in '{evidence.target}'",
                           fix="give a table whose labels are known")  # fmt: skip
    sample = evidence.answered.get(split)
    table = evidence.frames[split][rows if sample is None else sample[rows]]
    clusters, queries = subjects_in(evidence, table), None
    if evidence.ranking is not None:
        queries = _numbers(table, evidence.ranking.query, alone=False)
        clusters = queries if clusters is None else clusters
    if not evidence.classifies:
        decision = np.asarray(answers.decisions, dtype=float)[rows]
        return Judged(
            rows, truth[rows], decision, decision, None, clusters, queries, quantile=evidence.quantile
        )
    names = classes_of(evidence, truth[rows])
    kept, costs = answers.take(rows), costs_of(evidence, table, names, truth[rows])
    if len(names) == 2:
        positive = names[1]
        return Judged(
            rows,
            truth[rows] == positive,
            kept.decisions == positive,
            kept.scores,
            None,
            clusters,
            queries,
            costs,
        )
    place = {name: number for number, name in enumerate(names)}
    codes = [
        np.array([place.get(str(name), -1) for name in values]) for values in (truth[rows], kept.decisions)
    ]
    return Judged(rows, codes[0], codes[1], None, kept.probabilities, clusters, queries, costs)


def subjects_in(evidence: Evidence, table: pl.DataFrame) -> np.ndarray | None:
    """The number of each row's subject (`group`), shape (n,); None where every row is its own."""
    return _numbers(table, evidence.group, alone=True)


def subjects_answered(evidence: Evidence, split: Split) -> np.ndarray | None:
    """The number of each answered row's subject in a table, as in `subjects_in`."""
    table, sample = evidence.frames[split], evidence.answered.get(split)
    return subjects_in(evidence, table if sample is None else table[sample])


def classes_of(evidence: Evidence, truth: np.ndarray) -> list[str]:
    """The class names; of two the second is the positive one. Labels that the model does not know come last."""
    known = list(evidence.classes or [])
    names = known + sorted({str(name) for name in truth} - set(known))
    if len(names) == 2 and evidence.positive == names[0]:
        names.reverse()
    return names


def costs_of(
    evidence: Evidence, table: pl.DataFrame, names: list[str], truth: np.ndarray
) -> np.ndarray | None:
    """What each decision costs for each row (n, classes), from `costs: {truth: {decision: number or column}}`; None where
    nothing is declared. A missing value of a column costs nothing. Raises InvalidInput for a class or column there is not.
    """
    if not evidence.costs:
        return None
    named = {*evidence.costs, *(name for row in evidence.costs.values() for name in row)}
    if unknown := sorted(named - set(names)):
        raise InvalidInput("costs: there is no such class", got=", ".join(unknown), allowed=", ".join(names))
    found = np.zeros((table.height, len(names)))
    for came, row in evidence.costs.items():
        inside = truth == came
        for decided, cost in row.items():
            found[inside, names.index(decided)] = _cost(table, cost)[inside]
    return found


def _cost(table: pl.DataFrame, cost: float | str) -> np.ndarray:
    """A number for every row, or a column's values; `-amount` is a gain."""
    if not isinstance(cost, str):
        return np.full(table.height, float(cost))
    column, sign = cost.removeprefix("-"), -1.0 if cost.startswith("-") else 1.0
    if column not in table.columns:
        raise InvalidInput(
            "costs: the table has no such column", got=column, allowed=", ".join(table.columns)
        )
    return np.asarray(sign * np.nan_to_num(numbers_of(table[column]), nan=0.0, posinf=0.0, neginf=0.0))


def _numbers(table: pl.DataFrame, column: str | None, *, alone: bool) -> np.ndarray | None:
    """A column's distinct values numbered 0, 1, ...; None where it is not there, or (`alone`) no value comes twice. A missing
    value is a subject of its own; lists, bytes and durations are values like others."""
    if column is None or column not in table.columns:
        return None
    texts = subject_names(table[column])
    missing = np.array([text is None for text in texts])
    texts[missing] = [f"\0{place}" for place in np.flatnonzero(missing)]
    _, numbers = np.unique(texts.astype(str), return_inverse=True)
    return None if alone and int(numbers.max(initial=-1)) + 1 == numbers.size else numbers
