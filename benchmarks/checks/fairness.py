"""False alarms and found differences of the fairness check: `python -m benchmarks.checks.fairness`.

Tables of 1,500 people, two protected columns, calibrated probabilities. Equal treatment should raise no alarm; a bar that is
0.2 higher for one of two groups should fail. Prints shares of tables; ends with `figures: N of M reached`.
"""

from __future__ import annotations

import argparse

import numpy as np
import polars as pl

from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.fairness.check import run
from lockgate.checks.finding import Status
from lockgate.datasets.classes import class_names
from lockgate.registry.manifest import Task

ROWS = 1_500


def people(seed: int, bar: float = 0.0) -> Evidence:
    """One table; `bar`: how much higher women's scores must be."""
    draw = np.random.default_rng(seed)
    sex, age = draw.choice(["f", "m"], ROWS), draw.integers(18, 70, ROWS)
    score = 1 / (1 + np.exp(-draw.normal(0, 1.5, ROWS)))
    frame = pl.DataFrame({"sex": sex, "age": age, "y": (draw.random(ROWS) < score).astype(int)})
    chosen = class_names((score > 0.5 + bar * (sex == "f")).astype(int))
    return Evidence(task=Task.CLASSIFICATION, inputs=(), frames={Split.TEST: frame}, target="y", classes=("0", "1"),
                    positive="1", answers={Split.TEST: Answers(chosen, score)}, protected=("sex", "age"))  # fmt: skip


def main() -> None:
    """Count alarms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=300)
    tables = parser.parse_args().tables
    alarmed = failed = findings = found = 0
    for seed in range(tables):
        results = run(people(seed))
        findings += len(results)
        alarmed += any(each.status is not Status.PASS for each in results)
        failed += any(each.status is Status.FAIL for each in results)
        found += any(
            each.subject == "sex: decisions" and each.status is Status.FAIL for each in run(people(seed, 0.2))
        )
    print(f"equal treatment, {tables} tables, {findings} findings: any alarm in {alarmed / tables:.1%} (at most 5 %), "
          f"a failure in {failed / tables:.1%}")  # fmt: skip
    print(f"a higher bar for one group: found in {found / tables:.1%} (at least 95 %)")
    print(f"figures: {(alarmed <= 0.05 * tables) + (found >= 0.95 * tables)} of 2 reached")


if __name__ == "__main__":
    main()
