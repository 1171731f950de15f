"""False alarms and found leaks of the leakage check: `python -m benchmarks.checks.leakage`.

Honest tables (numbers and categories that tell the target a little or much, clock times and days that are plans or lie before the
prediction, slow signals split at random, tables of coarse columns that repeat rows) should raise no alarm; each leak planted into
such a table should be named. Prints shares of tables; ends with `figures: N of M reached`.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Callable

import numpy as np
import polars as pl
from benchmarks.checks.quality import share_of_alarms

from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Status
from lockgate.checks.leakage.check import run
from lockgate.registry.manifest import Task

ROWS, FEW_ROWS = (400, 1_500, 6_000), (150, 200, 300)
STRENGTHS = (0.3, 1.0, 2.0)
NO_INPUT = ("y", "at", "patient")


def clock(minutes: np.ndarray) -> np.ndarray:
    """Minutes of the day as clocks are written in numbers: 317 is 5:17, written 517."""
    return minutes % 1_440 // 60 * 100 + minutes % 60


def table(seed: int, sizes: tuple[int, ...] = ROWS) -> pl.DataFrame:
    """An honest table in order of time. Every second seed has a clock as the prediction's time `at`, the others a day."""
    draw = np.random.default_rng(seed)
    rows = int(draw.choice(sizes))
    a, b, group = draw.normal(size=rows), draw.normal(size=rows), draw.integers(0, 4, rows)
    made = draw.integers(5 * 60, 22 * 60, rows)
    days = [dt.datetime(2024, 1, 1) + dt.timedelta(hours=9 * n) for n in range(rows)]
    patient = np.arange(rows) // 3
    frame = pl.DataFrame({
        "a": a, "b": b, "c": draw.lognormal(3, 1, rows), "d": draw.poisson(4, rows), "e": draw.normal(100, 15, rows),
        "f": np.cumsum(draw.normal(0, 0.05, rows)), "town": np.array(["Graz", "Linz", "Wien", "Bonn"])[group], "patient": patient,
        "sched_end": clock(made + draw.integers(30, 200, rows)), "opened": clock(made - draw.integers(1, 60, rows)),
        "at": clock(made) if seed % 2 else days,
    })  # fmt: skip
    if seed % 2 == 0:
        past = pl.duration(days=pl.Series(draw.integers(1, 400, rows)))
        frame = frame.with_columns(signed=pl.col("at") - past, plan_end=pl.col("at") + past).drop(
            "sched_end", "opened"
        )
    score = STRENGTHS[seed % len(STRENGTHS)] * (a + 0.7 * b + 0.5 * (group == 1)) + draw.logistic(size=rows)
    return frame.with_columns(y=pl.Series(score if seed % 5 == 0 else (score > np.median(score)).astype(int)))


def alarms(frame: pl.DataFrame, seed: int, tail: pl.DataFrame | None = None) -> list[str]:
    """Subjects of what warns or fails; the first two thirds train. `tail`: other test rows."""
    cut = frame.height * 2 // 3
    inputs = tuple(name for name in frame.columns if name not in NO_INPUT)
    task = Task.REGRESSION if seed % 5 == 0 else Task.CLASSIFICATION
    frames = {Split.TRAIN: frame[:cut], Split.TEST: frame[cut:] if tail is None else tail}
    found = run(Evidence(task=task, inputs=inputs, frames=frames, target="y", time="at", group="patient"))
    return [finding.subject for finding in found if finding.status in (Status.WARN, Status.FAIL)]


def late(frame: pl.DataFrame) -> pl.DataFrame:
    """A moment after the prediction: on the clock, or a day."""
    after = np.random.default_rng(1).integers(20, 300, frame.height)
    if frame["at"].dtype.is_numeric():
        at = frame["at"].to_numpy()
        return frame.with_columns(ended=pl.Series(clock(at // 100 * 60 + at % 100 + after)))
    return frame.with_columns(ended=pl.col("at") + pl.duration(hours=pl.Series(after)))


def classes(frame: pl.DataFrame) -> np.ndarray:
    """Two halves by the target."""
    return np.asarray(frame["y"].to_numpy() > frame["y"].median())


def either(frame: pl.DataFrame) -> pl.DataFrame:
    """Two columns of which neither tells anything, and both tell which half the target is in."""
    first = np.random.default_rng(2).random(frame.height) < 0.5
    return frame.with_columns(
        p=pl.Series(first), q=pl.Series(first ^ classes(frame)), y=pl.Series(classes(frame).astype(int))
    )


LEAKS: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], str]] = {
    "a column that is the answer": (lambda f: f.with_columns(z=pl.col("y") * 2.5 + 1), "z"),
    "missing tells": (lambda f: f.with_columns(z=pl.when(pl.Series(classes(f))).then("e")), "z"),
    "two columns together": (either, "p with q"),
    "a moment after the prediction": (late, "times after"),
    "row numbers of sorted rows": (lambda f: f.with_columns(z=pl.col("y").rank("ordinal")), "z"),
}  # fmt: skip
TAILS: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], str]] = {
    "a third of the test rows from training": (lambda f: f.sample(fraction=1 / 3, seed=0), "rows of training"),
    "the same, rounded": (
        lambda f: f.sample(fraction=1 / 3, seed=0).with_columns(pl.col("a", "b", "c", "f").round(2), pl.col("e").round(0)),
        "rows nearly"),
}  # fmt: skip


def main() -> None:
    """Count alarms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=300)
    tables = parser.parse_args().tables
    clean = share_of_alarms([alarms(table(seed), seed) for seed in range(tables)])
    small = share_of_alarms([alarms(table(seed, FEW_ROWS), seed) for seed in range(tables)])
    lowest, seeds = 1.0, [seed for seed in range(tables // 5) if seed % 5]
    for name, (plant, subject) in (LEAKS | TAILS).items():
        hits = []
        for seed in seeds:
            frame = table(seed)
            cut = frame.height * 2 // 3
            tail = (
                pl.concat([plant(frame[:cut]), frame[cut:]], how="vertical_relaxed")
                if name in TAILS
                else None
            )
            hits.append(
                any(
                    each.startswith(subject)
                    for each in alarms(frame if name in TAILS else plant(frame), seed, tail)
                )
            )
        lowest = min(lowest, sum(hits) / len(hits))
        print(f"{name}: named in {sum(hits) / len(hits):.1%} of {len(hits)} tables")
    print(f"figures: {(clean <= 0.05) + (small <= 0.05) + (lowest >= 0.95)} of 3 reached")


if __name__ == "__main__":
    main()
