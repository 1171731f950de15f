"""Releases of models of a quantile, judged by labels in pairs: equally good ones, and one that answers half as high.

python -m benchmarks.release.quantiles
"""

from __future__ import annotations

import numpy as np
import polars as pl
from benchmarks.release.guarded import plan_of
from benchmarks.release.scenarios import STAGES

from lockgate.release.counts import Counts, Frozen
from lockgate.release.guards import GuardName
from lockgate.release.judge import judge
from lockgate.release.label_evidence import from_pairs, take
from lockgate.release.verdict import Label

SEED, RELEASES, ROWS, QUANTILE, MEAN = 20261128, 200, 2_000, 0.9, 10.0
LOOKS = tuple(range(250, ROWS + 1, 250))


def main() -> None:
    """How many of the equally good are called worse at any look, and after how many labels the other is."""
    rng, plan = np.random.default_rng(SEED), plan_of(STAGES, late=True)
    right, half = MEAN * np.log(1 / (1 - QUANTILE)), MEAN * np.log(1 / (1 - QUANTILE)) / 2

    def first_look(old: float, new: float) -> float:
        truth = rng.exponential(MEAN, ROWS)
        answers = [level * rng.normal(1, 0.05, ROWS) for level in (old, new)]
        for rows in LOOKS:
            counts = Counts(release=1)
            take(
                counts,
                from_pairs(_pairs(answers[0][:rows], answers[1][:rows], truth[:rows]), quantile=QUANTILE),
            )
            found = next(v for v in judge(plan, counts, Frozen()) if v.guard == GuardName.LABELS)
            if found.label is Label.WORSE:
                return float(rows)
        return float("inf")

    alike = [first_look(right, right) for _ in range(RELEASES)]
    worse = [first_look(right, half) for _ in range(RELEASES)]
    print(
        f"{RELEASES} releases of equally good models, {ROWS:,} labels, a look every 250: {np.isfinite(alike).sum()} called worse"
    )
    ends = (min(worse), float(np.median(worse)), max(worse))
    print(
        "half of the height: found by the look at {:,.0f} labels at first, {:,.0f} in the median, {:,.0f} at last".format(
            *ends
        )
    )


def _pairs(old: np.ndarray, new: np.ndarray, label: np.ndarray) -> pl.DataFrame:
    count = len(label)
    return pl.DataFrame({
        "at_us": range(count), "id": [f"r{i:06}" for i in range(count)], "row": [0] * count, "old": old, "new": new,
        "key": [f"k{i}" for i in range(count)], "label": label, "label_at_us": range(100, 100 + count), "stage": [1] * count,
    })  # fmt: skip


if __name__ == "__main__":
    main()
