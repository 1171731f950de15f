"""How often does fit raise an alarm about an honest model? `python -m benchmarks.checks.fit`

200 tables of 2,000 rows, half to learn from and half to judge: every second one regression. The version is a linear model of
linear data, or boosted trees (of histograms, and grown exactly) of curved data, each in a third of the tables. Beside them,
40 trees grown until every training row is right, on data whose labels are half chance. Ends with `figures: N of M reached`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.finding import Finding, Status
from lockgate.checks.fit.check import run
from lockgate.registry.manifest import Task

ROWS, LEARNED = 2_000, 1_000
ALARMS = (Status.FAIL, Status.WARN)
INPUTS = tuple(f"x{place}" for place in range(4))


def honest(seed: int) -> Evidence:
    """A model of usual settings, of data that suit it."""
    classifies, kind = seed % 2 == 0, seed % 3
    models: tuple[Any, ...] = (
        (LogisticRegression(), HistGradientBoostingClassifier(max_iter=60, random_state=0),
         GradientBoostingClassifier(random_state=0)) if classifies
        else (Ridge(), HistGradientBoostingRegressor(max_iter=60, random_state=0), GradientBoostingRegressor(random_state=0))
    )  # fmt: skip
    return _evidence(seed, models[kind], classifies, curved=kind > 0)


def by_heart(seed: int) -> Evidence:
    """A tree that knows each training row, of data that are half chance."""
    tree: Any = (
        DecisionTreeClassifier(random_state=0) if seed % 2 == 0 else DecisionTreeRegressor(random_state=0)
    )
    return _evidence(seed, tree, seed % 2 == 0, curved=False)


def _evidence(seed: int, model: Any, classifies: bool, *, curved: bool) -> Evidence:
    draw = np.random.default_rng(seed)
    inputs = draw.normal(size=(ROWS, 4))
    line = inputs @ np.array([1.0, -0.7, 0.4, 0.0])
    if curved:
        line = np.sin(2 * inputs[:, 0]) * 2 + inputs[:, 1] * inputs[:, 2]
    truth: Any = (
        (draw.random(ROWS) < 1 / (1 + np.exp(-line))).astype(int)
        if classifies
        else line + draw.normal(size=ROWS)
    )
    model.fit(inputs[:LEARNED], truth[:LEARNED])
    frame = pl.DataFrame(dict(zip(INPUTS, inputs.T, strict=True)) | {"y": truth})
    frames = {Split.TRAIN: frame[:LEARNED], Split.TEST: frame[LEARNED:]}
    return Evidence(
        task=Task.CLASSIFICATION if classifies else Task.REGRESSION, inputs=INPUTS, target="y", frames=frames,
        classes=("0", "1") if classifies else None, positive="1" if classifies else None,
        answers={split: _answers(model, part, classifies) for split, part in frames.items()},
    )  # fmt: skip


def _answers(model: Any, frame: pl.DataFrame, classifies: bool) -> Answers:
    matrix = frame.select(INPUTS).to_numpy()
    if not classifies:
        made = model.predict(matrix)
        return Answers(made, made)
    wide = model.predict_proba(matrix)
    return Answers(np.array(["0", "1"], dtype=object)[wide.argmax(axis=1)], wide[:, 1], wide)


def alarms_on_honest_models(seeds: Iterable[int]) -> list[tuple[int, Finding]]:
    """The alarms about each seed's model."""
    return [(seed, finding) for seed in seeds for finding in run(honest(seed)) if finding.status in ALARMS]


def main() -> None:
    """Print the rates."""
    seeds = range(200)
    alarms = alarms_on_honest_models(seeds)
    quiet = len({seed for seed, _ in alarms}) / len(seeds)
    print(f"honest models, {len(seeds)}: an alarm on {quiet:.1%} (at most 5 %)")
    for seed, finding in alarms:
        print(f"  seed {seed}: {finding.subject}: {finding.headline}")
    found = sum(any(each.status in ALARMS for each in run(by_heart(seed))) for seed in range(40)) / 40
    print(f"trees that know every row, 40: an alarm on {found:.1%} (at least 95 %)")
    print(f"figures: {(quiet <= 0.05) + (found >= 0.95)} of 2 reached")


if __name__ == "__main__":
    main()
