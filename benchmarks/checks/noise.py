"""False alarms and found faults of the noise check: `python -m benchmarks.checks.noise`.

Boosted trees on tables of numbers and categories should raise no alarm; the same trees with one input that turns decisions by
its last digits should fail. Prints shares of tables; ends with `figures: N of M reached`.
"""

from __future__ import annotations

import argparse

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier

from lockgate.checks.evidence import Answers, Asked, Evidence, Split
from lockgate.checks.finding import Status
from lockgate.checks.noise.check import run
from lockgate.datasets.classes import class_names
from lockgate.registry.manifest import Task

TRAIN, TEST = 600, 400
NUMBERS = tuple(f"x{n}" for n in range(5))


def table(seed: int) -> pl.DataFrame:
    """Five numbers, one category, a label that two of them carry."""
    draw = np.random.default_rng(seed)
    rows = TRAIN + TEST
    frame = pl.DataFrame(
        {name: draw.normal(size=rows) for name in NUMBERS} | {"c": draw.choice(list("abc"), rows)}
    )
    chance = 1 / (1 + np.exp(-2 * frame["x0"].to_numpy() - frame["x1"].to_numpy()))
    return frame.with_columns(y=pl.Series((draw.random(rows) < chance).astype(int)))


def evidence(seed: int, *, digits: bool) -> Evidence:
    """A fitted model over a table. `digits`: decisions also turn with the third digit of `x0`."""
    frame = table(seed)
    places = {value: place for place, value in enumerate("abc")}

    def matrix(rows: pl.DataFrame) -> np.ndarray:
        coded = rows["c"].replace_strict(places, default=None, return_dtype=pl.Float64)
        columns = [rows[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in NUMBERS]
        return np.column_stack([*columns, coded.fill_null(float("nan")).to_numpy()])

    model = HistGradientBoostingClassifier(max_iter=15, random_state=0).fit(
        matrix(frame[:TRAIN]), frame["y"][:TRAIN]
    )

    def ask(rows: pl.DataFrame, _of: Asked, _chunk: int) -> Answers:
        numbers = matrix(rows)
        score = model.predict_proba(numbers)[:, 1]
        if digits:
            whole = np.nan_to_num(numbers[:, 0], nan=0.0, posinf=0.0, neginf=0.0)
            score = np.where(np.floor(whole * 1_000) % 2 == 0, score, 1 - score)
        return Answers(class_names((score > 0.5).astype(int)), score)

    test = frame[TRAIN:]
    return Evidence(task=Task.CLASSIFICATION, inputs=(*NUMBERS, "c"), frames={Split.TEST: test}, target="y", classes=("0", "1"),
                    positive="1", answers={Split.TEST: ask(test, Asked.VERSION, 0)}, ask=ask)  # fmt: skip


def main() -> None:
    """Count alarms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=200)
    tables = parser.parse_args().tables
    clean = [[each.status for each in run(evidence(seed, digits=False))] for seed in range(tables)]
    alarmed = sum(any(status is not Status.PASS for status in each) for each in clean)
    failed = sum(Status.FAIL in each for each in clean)
    found = sum(
        Status.FAIL in [each.status for each in run(evidence(seed, digits=True))] for seed in range(tables)
    )
    print(f"honest models, {tables} tables: any alarm in {alarmed / tables:.1%} (at most 5 %), "
          f"a failure in {failed / tables:.1%}")  # fmt: skip
    print(f"decisions that turn with the third digit: failed in {found / tables:.1%} (at least 95 %)")
    print(f"figures: {(alarmed <= 0.05 * tables) + (found >= 0.95 * tables)} of 2 reached")


if __name__ == "__main__":
    main()
