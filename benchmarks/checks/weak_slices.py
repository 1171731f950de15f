"""Weak slices found by themselves: a planted rectangle of two columns, and none. `python -m benchmarks.checks.weak_slices`.

Tables of 10,000 rows, ten columns, gradient boosting trained on as many others. Planted: where `channel` is "phone" and
`amount` is above 0.5 (6 % of the rows), half of the test labels are turned round. Found means: both columns are named and no
other is. False means: a table without the fault has any weak slice.
"""

from __future__ import annotations

import argparse

import numpy as np
import polars as pl
from benchmarks.gateway.figures import Figure
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.finding import Status
from lockgate.checks.performance.check import run
from lockgate.checks.performance.weak import SUBJECT
from lockgate.checks.values import class_names
from lockgate.registry.manifest import Task

RUNS, ROWS, SHARE = 100, 10_000, 0.5
NUMBERS = ("amount", *(f"n{place}" for place in range(6)))
CHANNELS, COLOURS = ("web", "phone", "shop", "mail", "agent"), ("red", "green", "blue")


def table(draw: np.random.Generator, rows: int = ROWS) -> pl.DataFrame:
    """Seven numbers, three categories (as text), and `y`, which depends on three of them."""
    columns: dict[str, np.ndarray] = {name: draw.normal(size=rows) for name in NUMBERS}
    columns |= {"channel": draw.choice(CHANNELS, rows), "colour": draw.choice(COLOURS, rows)}
    columns["size"] = draw.integers(0, 5, rows).astype(float)
    lean = 2.0 * columns["n0"] + columns["n1"] * (columns["channel"] == "web") + columns["n2"]
    columns["y"] = (draw.random(rows) < 1 / (1 + np.exp(-lean))).astype(int)
    return pl.DataFrame(columns)


def spoilt(frame: pl.DataFrame, draw: np.random.Generator, share: float) -> pl.DataFrame:
    """The table with that share of the labels of the rectangle turned round."""
    hit = (pl.col("channel") == "phone") & (pl.col("amount") > 0.5)
    turned = pl.Series(draw.random(frame.height) < share)
    return frame.with_columns(y=pl.when(hit & turned).then(1 - pl.col("y")).otherwise(pl.col("y")))


def matrix(frame: pl.DataFrame) -> np.ndarray:
    """What the model takes: categories as numbers."""
    places = {name: float(place) for place, name in enumerate((*CHANNELS, *COLOURS))}
    coded = frame.drop("y").with_columns(
        pl.col("channel", "colour").replace_strict(places, return_dtype=pl.Float64)
    )
    return coded.to_numpy()


def planted(seed: int, planted_share: float = SHARE, rows: int = ROWS) -> Evidence:
    """A model trained on clean rows, and its answers to a test table with or without the fault."""
    draw = np.random.default_rng(seed)
    train, test = table(draw, rows), spoilt(table(draw, rows), draw, planted_share)
    with threadpool_limits(1):
        model = HistGradientBoostingClassifier(max_iter=40, random_state=0).fit(
            matrix(train), train["y"].to_numpy()
        )
        score = model.predict_proba(matrix(test))[:, 1]
    return Evidence(
        task=Task.CLASSIFICATION, inputs=tuple(name for name in test.columns if name != "y"), target="y", seed=seed,
        classes=("0", "1"), positive="1", frames={Split.TRAIN: train, Split.TEST: test},
        answers={Split.TEST: Answers(class_names((score > 0.5) * 1), score)},
    )  # fmt: skip


def found_in(evidence: Evidence) -> set[str]:
    """The columns of the first weak slice; empty where none is named."""
    finding = next(each for each in run(evidence) if each.subject == SUBJECT)
    if finding.status is Status.PASS or finding.table is None:
        return set()
    parts = str(finding.table.rows[0][0]).split(" and ")
    return {part.split()[0] for part in parts}


def figures(runs: int = RUNS) -> list[Figure]:
    """The share of tables whose planted slice is found, and of clean tables that are given one."""
    found = sum(found_in(planted(seed)) == {"channel", "amount"} for seed in range(runs))
    false = sum(bool(found_in(planted(seed, 0.0))) for seed in range(runs))
    return [
        Figure(f"weak slice of two columns, {runs} tables: found", found / runs, 0.95, unit=""),
        Figure(f"no weak slice, {runs} tables: one named", false / runs, 0.05, unit="", at_least=False),
    ]


def main() -> None:
    """Print both figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=RUNS)
    measured = figures(parser.parse_args().tables)
    for figure in measured:
        print(figure.line())
    print(f"figures: {sum(figure.reached for figure in measured)} of {len(measured)} reached")


if __name__ == "__main__":
    main()
