"""How often does the back-test raise an alarm over a steady past? `python -m benchmarks.checks.back_test`

300 tables of 1,200 rows over a year, half of them classification, whose rules never change; the version is a linear model of
the first 40 %, the rest are its windows. Beside them, 60 tables whose target rises by 1.5 in the last third. Ends with
`figures: N of M reached`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import numpy as np
import polars as pl

from lockgate.checks.back_test.check import run
from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.finding import Finding, Status
from lockgate.datasets.classes import class_names
from lockgate.registry.manifest import Task

ROWS, LEARNED = 1_200, 480
ALARMS = (Status.FAIL, Status.WARN)


def steady(seed: int, rise: float = 0.0) -> Evidence:
    """A year without a change (or with a rise in its last third), and a model of its first part."""
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(ROWS, 3))
    days = np.sort(generator.integers(0, 364, ROWS))
    line = inputs @ np.array([1.0, 0.5, 0.0]) + rise * (days > 240)
    classifies = seed % 2 == 0
    truth = (
        (generator.random(ROWS) < 1 / (1 + np.exp(-line))).astype(int)
        if classifies
        else line + generator.normal(size=ROWS)
    )
    frame = pl.DataFrame({f"x{place}": inputs[:, place] for place in range(3)} | {
        "at": [dt.date(2024, 1, 1) + dt.timedelta(int(day)) for day in days], "y": truth})  # fmt: skip

    def ask(rows: pl.DataFrame, *_: object) -> Answers:
        made = rows.select("x0", "x1").to_numpy() @ np.array([1.0, 0.5])
        if not classifies:
            return Answers(made, made)
        score = 1 / (1 + np.exp(-made))
        return Answers(class_names((score > 0.5).astype(int)), score)

    return Evidence(
        task=Task.CLASSIFICATION if classifies else Task.REGRESSION, inputs=("x0", "x1", "x2"), target="y", time="at",
        frames={Split.TRAIN: frame[:LEARNED], Split.TEST: frame[LEARNED:]}, classes=("0", "1") if classifies else None,
        positive="1" if classifies else None, ask=ask,
    )  # fmt: skip


def alarms_on_steady_tables(seeds: Iterable[int], rise: float = 0.0) -> list[tuple[int, Finding]]:
    """The alarms of each seed's table."""
    return [
        (seed, finding) for seed in seeds for finding in run(steady(seed, rise)) if finding.status in ALARMS
    ]


def main() -> None:
    """Print the rates."""
    seeds = range(300)
    alarms = alarms_on_steady_tables(seeds)
    for status in ALARMS:
        tables = {seed for seed, finding in alarms if finding.status is status}
        print(f"steady: {status} in {len(tables)} of {len(seeds)} tables")
    quiet = len({seed for seed, _ in alarms}) / len(seeds)
    found = len({seed for seed, _ in alarms_on_steady_tables(range(60), rise=1.5)}) / 60
    print(
        f"steady: any alarm in {quiet:.1%} (at most 5 %); a rise of 1.5: an alarm in {found:.1%} (at least 95 %)"
    )
    print(f"figures: {(quiet <= 0.05) + (found >= 0.95)} of 2 reached")


if __name__ == "__main__":
    main()
