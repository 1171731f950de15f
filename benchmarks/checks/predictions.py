"""False alarms and found changes of the check of prediction shift: `python -m benchmarks.checks.predictions`.

Logistic models estimated with error on tables of 2,000 rows beside twins estimated on other rows, one table in two with a base
rate that moves between training and test. Nothing changed: no alarm. A tenth of the rows decided otherwise, and answers that
move while labels stay: named. Ends with `figures: N of M reached`.
"""

from __future__ import annotations

import argparse

import numpy as np
import polars as pl

from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.finding import Status
from lockgate.checks.prediction_shift.check import run
from lockgate.datasets.classes import class_names
from lockgate.registry.manifest import Task

ROWS = 2_000
WEIGHTS = np.array([1.0, -1.0, 0.5, 0.0, 0.0])
NAMES = tuple(f"x{place}" for place in range(WEIGHTS.size))
_ERROR = 0.05  # of each weight: what is estimated from some thousand rows


def table(draw: np.random.Generator, base: float) -> pl.DataFrame:
    """Normal inputs and a label; `base`: where the first lies, and with it how frequent the class is."""
    numbers = draw.normal(size=(ROWS, WEIGHTS.size))
    numbers[:, 0] += base
    chance = 1 / (1 + np.exp(-numbers @ WEIGHTS))
    return pl.DataFrame(numbers, schema=list(NAMES)).with_columns(
        plan=pl.Series(draw.choice(list("abc"), ROWS)), y=pl.Series((draw.random(ROWS) < chance).astype(int))
    )


def answers(frame: pl.DataFrame, weights: np.ndarray, more: float = 0.0) -> Answers:
    """A model's answers; `more`: added to the log-odds."""
    score = 1 / (1 + np.exp(-(frame.select(NAMES).to_numpy() @ weights) - more))
    return Answers(class_names((score > 0.5).astype(int)), score)


def statuses(seed: int, *, live: float = 0.0, later: float = 0.0) -> dict[str, Status]:
    """What is found on one table. `live`: the live version's log-odds are lower by that; `later`: the answers on test rows are
    higher by that and the labels are not."""
    draw = np.random.default_rng(seed)
    frames = {Split.TRAIN: table(draw, 0.0), Split.TEST: table(draw, 0.6 * (seed % 2))}
    mine, other = (WEIGHTS + draw.normal(0, _ERROR, WEIGHTS.size) for _ in range(2))
    given = Evidence(
        task=Task.CLASSIFICATION, inputs=(*NAMES, "plan"), frames=frames, target="y", classes=("0", "1"), positive="1",
        answers={Split.TRAIN: answers(frames[Split.TRAIN], mine), Split.TEST: answers(frames[Split.TEST], mine, later)},
        live={Split.TEST: answers(frames[Split.TEST], other, later - live)}, live_name="bench/1",
    )  # fmt: skip
    return {finding.subject: finding.status for finding in run(given)}


def main() -> None:
    """Count alarms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=200)
    tables = parser.parse_args().tables
    quiet = sum(set(statuses(seed).values()) != {Status.PASS} for seed in range(tables)) / tables
    changed = (
        sum(statuses(seed, live=0.6)["against bench/1"] is Status.WARN for seed in range(tables)) / tables
    )
    moved = (
        sum(statuses(2 * seed, later=0.8)["against training rows"] is Status.WARN for seed in range(tables))
        / tables
    )
    print(
        f"prediction shift, {tables} tables, half with another base rate: any alarm in {quiet:.1%} (at most 5 %)"
    )
    print(f"a tenth of the decisions changed: found in {changed:.1%} (at least 95 %)")
    print(f"answers moved and labels did not: found in {moved:.1%} (at least 95 %)")
    print(f"figures: {(quiet <= 0.05) + (changed >= 0.95) + (moved >= 0.95)} of 3 reached")


if __name__ == "__main__":
    main()
