"""How often does fit raise an alarm that is not true? `python -m benchmarks.checks.fit`

200 tables of 2,000 rows, half to learn from and half to judge: every second one regression. The version is a linear model of
linear data, or boosted trees (of histograms, and grown exactly) of curved data, each in a third of the tables, with usual
settings: some of them do learn by heart. Whether a simple model is better by more than the check allows is looked up on 50,000
fresh rows; an alarm about a model of which that does not hold is false. Beside them, 40 trees grown until every training row is
right, on data whose labels are half chance. Ends with `figures: N of M reached`.
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

ROWS, LEARNED, FRESH = 2_000, 1_000, 50_000
ALARMS = (Status.FAIL, Status.WARN)
INPUTS = tuple(f"x{place}" for place in range(4))


def honest(seed: int, fresh: int = 0) -> Evidence:
    """A model of usual settings, of data that suit it; judged on so many `fresh` rows, where that is more than none."""
    classifies, kind = seed % 2 == 0, seed % 3
    models: tuple[Any, ...] = (
        (LogisticRegression(), HistGradientBoostingClassifier(max_iter=60, random_state=0),
         GradientBoostingClassifier(random_state=0)) if classifies
        else (Ridge(), HistGradientBoostingRegressor(max_iter=60, random_state=0), GradientBoostingRegressor(random_state=0))
    )  # fmt: skip
    return _evidence(seed, models[kind], classifies, curved=kind > 0, fresh=fresh)


def by_heart(seed: int) -> Evidence:
    """A tree that knows each training row, of data that are half chance."""
    tree: Any = (
        DecisionTreeClassifier(random_state=0) if seed % 2 == 0 else DecisionTreeRegressor(random_state=0)
    )
    return _evidence(seed, tree, seed % 2 == 0, curved=False)


def _evidence(seed: int, model: Any, classifies: bool, *, curved: bool, fresh: int = 0) -> Evidence:
    inputs, truth = _drawn(np.random.default_rng(seed), ROWS, classifies, curved=curved)
    if fresh:
        more, came = _drawn(np.random.default_rng([seed, 1]), fresh, classifies, curved=curved)
        inputs, truth = np.concatenate([inputs[:LEARNED], more]), np.concatenate([truth[:LEARNED], came])
    model.fit(inputs[:LEARNED], truth[:LEARNED])
    frame = pl.DataFrame(dict(zip(INPUTS, inputs.T, strict=True)) | {"y": truth})
    frames = {Split.TRAIN: frame[:LEARNED], Split.TEST: frame[LEARNED:]}
    return Evidence(
        task=Task.CLASSIFICATION if classifies else Task.REGRESSION, inputs=INPUTS, target="y", frames=frames,
        classes=("0", "1") if classifies else None, positive="1" if classifies else None,
        answers={split: _answers(model, part, classifies) for split, part in frames.items()},
    )  # fmt: skip


def _drawn(
    draw: np.random.Generator, rows: int, classifies: bool, *, curved: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (rows, 4) and what came of them."""
    inputs = draw.normal(size=(rows, 4))
    line = inputs @ np.array([1.0, -0.7, 0.4, 0.0])
    if curved:
        line = np.sin(2 * inputs[:, 0]) * 2 + inputs[:, 1] * inputs[:, 2]
    if classifies:
        return inputs, (draw.random(rows) < 1 / (1 + np.exp(-line))).astype(int)
    return inputs, line + draw.normal(size=rows)


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


def truly_worse(seed: int) -> bool:
    """Whether a simple model is better than this seed's by more than the check allows, on fresh rows."""
    found = {each.subject: each for each in run(honest(seed, FRESH))}["against simple models"]
    assert found.measure is not None
    assert found.measure.value is not None
    assert found.threshold is not None
    return found.measure.value < (found.threshold.at_least or 0.0)


def main() -> None:
    """Print the rates."""
    seeds = range(200)
    alarms = alarms_on_honest_models(seeds)
    named = {seed for seed, _ in alarms}
    worse = {seed for seed in seeds if truly_worse(seed)}
    false = len(named - worse) / len(seeds)
    print(f"models of usual settings, {len(seeds)}: {len(worse)} are worse than a simple one on {FRESH:,} fresh rows, "
          f"{len(named & worse)} of them are named; a false alarm on {false:.1%} of all (at most 5 %)")  # fmt: skip
    for seed, finding in alarms:
        print(f"  seed {seed}{'' if seed in worse else ' (false)'}: {finding.subject}: {finding.headline}")
    found = sum(any(each.status in ALARMS for each in run(by_heart(seed))) for seed in range(40)) / 40
    print(f"trees that know every row, 40: an alarm on {found:.1%} (at least 95 %)")
    print(f"figures: {(false <= 0.05) + (found >= 0.95)} of 2 reached")


if __name__ == "__main__":
    main()
