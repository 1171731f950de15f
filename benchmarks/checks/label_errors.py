"""False alarms and found faults of the label check: `python -m benchmarks.checks.label_errors`.

Honest tables whose labels are drawn by chance, from hopeless to nearly certain, balanced and rare, should raise no alarm; the
separable ones of them with a tenth of labels flipped should. Digits with 5 % flipped: precision at the number flipped.
Prints shares of tables; ends with `figures: N of M reached`.
"""

from __future__ import annotations

import argparse

import numpy as np
import polars as pl
from sklearn.datasets import load_digits

from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Status
from lockgate.checks.label_errors.check import run
from lockgate.checks.label_errors.learners import tell_classes
from lockgate.checks.label_errors.noise import ranked
from lockgate.checks.matrix import reader_of
from lockgate.registry.manifest import Task

STRENGTHS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
SHIFTS = (0.0, -1.5, -3.0)


def flipped(labels: np.ndarray, share: float, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Labels with a share of them moved to another class, and the rows that were."""
    rows = draw.choice(labels.size, round(share * labels.size), replace=False)
    classes, changed = np.unique(labels), labels.copy()
    for row in rows:
        changed[row] = draw.choice(classes[classes != labels[row]])
    return changed, rows


def clean_table(seed: int, strength: float | None = None) -> pl.DataFrame:
    """Four numbers, a category and labels drawn by a chance of logistic form; its strength and rarity go by the seed."""
    draw = np.random.default_rng(seed)
    rows = int(draw.choice([300, 800, 1_500]))
    x, group = draw.normal(size=(rows, 4)), draw.integers(0, 4, rows)
    slope = STRENGTHS[seed % len(STRENGTHS)] if strength is None else strength
    shift = SHIFTS[seed // len(STRENGTHS) % len(SHIFTS)] if strength is None else 0.0
    chance = 1 / (1 + np.exp(-slope * (x[:, 0] - 0.7 * x[:, 1] + 0.5 * (group == 1)) - shift))
    columns = {f"x{n}": x[:, n] for n in range(4)} | {"g": np.array(list("abcd"))[group]}
    return pl.DataFrame(columns | {"y": (draw.random(rows) < chance).astype(int)})


def alarm(frame: pl.DataFrame) -> bool:
    """Whether the check warns or fails."""
    inputs = tuple(name for name in frame.columns if name != "y")
    facts = Evidence(task=Task.CLASSIFICATION, inputs=inputs, frames={Split.TRAIN: frame}, target="y")
    return run(facts)[0].status in (Status.WARN, Status.FAIL)


def digits_precision(seed: int) -> float:
    """Share of flipped rows among the first as many that were flipped."""
    pixels, labels = load_digits(return_X_y=True)
    changed, rows = flipped(labels, 0.05, np.random.default_rng(seed))
    frame = pl.DataFrame({f"p{n}": pixels[:, n] for n in range(64)})
    told = tell_classes(reader_of(frame, frame.columns).read(frame), changed, 10, seed)
    order, _ = ranked(told.probabilities, changed)
    return float(np.isin(order[: rows.size], rows).mean())


def main() -> None:
    """Count alarms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=200)
    tables = parser.parse_args().tables
    clean = sum(alarm(clean_table(seed)) for seed in range(tables)) / tables
    faults = 0
    for seed in range(tables // 4):
        frame = clean_table(seed, 8.0)
        labels, _ = flipped(frame["y"].to_numpy(), 0.1, np.random.default_rng(seed))
        faults += alarm(frame.with_columns(y=pl.Series(labels)))
    found = faults / max(tables // 4, 1)
    precision = min(digits_precision(seed) for seed in range(5))
    print(f"honest labels, {tables} tables: an alarm in {clean:.1%} (at most 5 %)")
    print(
        f"a tenth flipped in separable tables of 300 to 1,500 rows, {tables // 4} tables: an alarm in {found:.1%}"
    )
    print(
        f"digits, 5 % flipped, five draws: lowest precision at the number flipped {precision:.3f} (at least 0.85)"
    )
    print(f"figures: {(clean <= 0.05) + (precision >= 0.85)} of 2 reached")


if __name__ == "__main__":
    main()
