"""False alarms and found faults of the stress check: `python -m benchmarks.checks.stress`.

A table of 800 rows and a model that knows the true chances should raise no alarm, with true assumptions and a mild scenario
declared; rows turned round in a corner of two columns, a broken order and a hard scenario should each be found. Prints shares of
tables; ends with `figures: N of M reached`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import polars as pl

from lockgate.checks.evidence import Answers, Asked, Evidence, Split
from lockgate.checks.finding import Status
from lockgate.checks.stress.check import run
from lockgate.datasets.classes import class_names
from lockgate.declared import Assumptions, Change, Scenario, Way
from lockgate.registry.manifest import Task

ROWS = 800
Score = Callable[[pl.DataFrame], np.ndarray]


def table(seed: int) -> pl.DataFrame:
    """Income carries the label, age and region do not."""
    draw = np.random.default_rng(seed)
    income = draw.normal(3_000, 800, ROWS).clip(500)
    chance = 1 / (1 + np.exp(-(income - 3_000) / 200))
    return pl.DataFrame({"income": income, "age": draw.integers(18, 80, ROWS), "region": draw.choice(["north", "south"], ROWS),
                         "paid": (draw.random(ROWS) < chance).astype(int)})  # fmt: skip


def honest(rows: pl.DataFrame) -> np.ndarray:
    """The chance itself."""
    chance: np.ndarray = 1 / (1 + np.exp(-(rows["income"].to_numpy() - 3_000) / 200))
    return chance


def turned(rows: pl.DataFrame) -> np.ndarray:
    """The opposite for the old in the south."""
    corner = ((rows["age"] > 60) & (rows["region"] == "south")).to_numpy()
    return np.where(corner, 1 - honest(rows), honest(rows))


def statuses(seed: int, score: Score, scenario: Scenario) -> dict[str, Status]:
    """What is found of one model on one table, by subject."""
    frame = table(seed)

    def ask(rows: pl.DataFrame, _of: Asked, _chunk: int) -> Answers:
        made = score(rows)
        return Answers(class_names((made > 0.5).astype(int)), made)

    given = Evidence(
        task=Task.CLASSIFICATION, inputs=("income", "age", "region"), frames={Split.TEST: frame}, classes=("0", "1"),
        positive="1", target="paid", answers={Split.TEST: ask(frame, Asked.VERSION, 0)}, ask=ask, scenarios={"world": scenario},
        assumptions=Assumptions(monotonic={"income": Way.UP}, invariant=("region",), range=(0.0, 1.0)),
    )  # fmt: skip
    return {finding.subject: finding.status for finding in run(given)}


def main() -> None:
    """Count alarms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=200)
    tables = parser.parse_args().tables
    mild, hard = (
        Scenario(columns={"income": Change(times=1.01)}),
        Scenario(columns={"income": Change(times=0.7)}),
    )
    clean = [statuses(seed, honest, mild) for seed in range(tables)]
    faults = [statuses(seed, turned, hard) for seed in range(tables)]
    alarmed = sum(set(found.values()) != {Status.PASS} for found in clean)
    failed = sum(Status.FAIL in found.values() for found in clean)
    print(
        f"honest models, {tables} tables: any alarm in {alarmed / tables:.1%} (at most 5 %), a failure in {failed / tables:.1%}"
    )
    reached = int(alarmed <= 0.05 * tables)
    for subject, what in (("worst case", "a corner turned round"), ("monotone: income", "a broken order"),
                          ("invariant: region", "a region that matters"), ("scenario: world", "30 % less income")):  # fmt: skip
        found = sum(each[subject] in (Status.FAIL, Status.WARN) for each in faults)
        reached += found >= 0.95 * tables
        print(f"{what}: found in {found / tables:.1%} (at least 95 %)")
    print(f"figures: {reached} of 5 reached")


if __name__ == "__main__":
    main()
