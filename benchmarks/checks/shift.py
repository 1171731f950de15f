"""False alarms and found changes of the checks of feature and importance shift: `python -m benchmarks.checks.shift`.

Tables of 2,000 rows, 12 columns of every kind; linear models that were estimated with error, and twins of them estimated
on other rows. Nothing changed: no alarm. A column moved by 0.25 sigma, or one that took another's place: named.
Ends with `figures: N of M reached`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from lockgate.checks.evidence import Answers, Asked, Evidence, Split
from lockgate.checks.feature_shift.check import run as features
from lockgate.checks.finding import Finding, Status
from lockgate.checks.importance_shift.check import run as importances
from lockgate.registry.manifest import Task

ROWS = 2_000
NUMBERS = tuple(f"n{place}" for place in range(8))


def table(draw: np.random.Generator) -> pl.DataFrame:
    """Normal and skewed numbers, counts, words, 300 categories."""
    return pl.DataFrame(
        {name: draw.normal(size=ROWS) if place % 2 else draw.exponential(size=ROWS) for place, name in enumerate(NUMBERS)}
        | {"k": draw.poisson(2, ROWS), "w": draw.choice(list("abcd"), ROWS), "t": draw.random(ROWS) < 0.1,
           "many": draw.integers(0, 300, ROWS).astype(str)}
    )  # fmt: skip


def evidence(seed: int, moved: float = 0.0, taken: bool = False) -> Evidence:
    """Two tables and two models; `moved`: n1 in the later one; `taken`: the version uses n5 where the live one uses n1."""
    draw = np.random.default_rng(seed)
    train, test = table(draw), table(draw)
    test = test.with_columns(pl.col("n1") + moved)
    true = np.array([1.0, 1.0, 0.5, 0.5, 0.2, 0.0, 0.0, 0.0])
    mine, live = (true + draw.normal(0, 0.02, true.size) for _ in range(2))
    if taken:
        mine[[1, 5]] = mine[[5, 1]]

    def answer(weights: np.ndarray, frame: pl.DataFrame) -> Answers:
        made = frame.select(NUMBERS).to_numpy() @ weights
        return Answers(made, made)

    return Evidence(
        task=Task.REGRESSION, inputs=tuple(train.columns), frames={Split.TRAIN: train, Split.TEST: test}, seed=seed,
        answers={Split.TEST: answer(mine, test)}, live={Split.TEST: answer(live, test)}, live_name="bench/1",
        ask=lambda frame, of, _: answer(live if of is Asked.LIVE else mine, frame),
    )  # fmt: skip


def main() -> None:
    """Count alarms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=200)
    tables = parser.parse_args().tables

    def share(check: Callable[[Evidence], list[Finding]], **change: Any) -> float:
        hits = (
            any(each.status is not Status.PASS for each in check(evidence(seed, **change)))
            for seed in range(tables)
        )
        return sum(hits) / tables

    quiet, found = share(features), share(features, moved=0.25)
    same, other = share(importances), share(importances, taken=True)
    print(
        f"feature shift, {tables} tables: any alarm in {quiet:.1%} (at most 5 %), 0.25 sigma found in {found:.1%} (100 %)"
    )
    print(
        f"importance shift: any alarm in {same:.1%} (at most 5 %), a column that took another's place found in {other:.1%}"
    )
    reached = (quiet <= 0.05) + (found == 1.0) + (same <= 0.05) + (other == 1.0)
    print(f"figures: {reached} of 4 reached")


if __name__ == "__main__":
    main()
