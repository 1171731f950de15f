"""How often does performance raise an alarm where nothing is wrong? `python -m benchmarks.checks.performance`

200 tables of 2,000 rows: two classes, three classes, numbers and rankings in turn, answered by a model that knows as much as
can be known, beside a live version that is as good. Slices, subjects and costs are declared; nothing depends on them. Ends with
`figures: N of M reached`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import polars as pl

from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.finding import Finding, Status
from lockgate.checks.performance.check import run
from lockgate.declared import Ranking
from lockgate.registry.manifest import Task

ROWS = 2_000
ALARMS = (Status.FAIL, Status.WARN)
INPUTS = ("a", "b", "kind")


def fine(seed: int) -> Evidence:
    """One table and two versions that are equally good."""
    draw, kind = np.random.default_rng(seed), seed % 4
    frame = pl.DataFrame({
        "a": draw.normal(size=ROWS), "b": draw.integers(0, 50, ROWS), "kind": draw.choice(["x", "y", "z"], ROWS),
        "region": draw.choice([f"r{place}" for place in range(8)], ROWS), "person": draw.integers(0, ROWS // 3, ROWS),
    })  # fmt: skip
    more: dict[str, object] = {"slices": ("region",), "inputs": INPUTS, "target": "y", "live_name": "m/1"}
    made = (_two, _three, _number, _ranking)[kind](draw)
    truth, mine, theirs, facts = made
    if seed % 8 < 4:
        more["group"] = "person"
    frame = frame.with_columns(y=truth, query=pl.Series(np.arange(ROWS) // 10))
    tables = {"frames": {Split.TEST: frame}, "answers": {Split.TEST: mine}, "live": {Split.TEST: theirs}}
    return Evidence(**{**more, **facts, **tables})  # type: ignore[arg-type]


Made = tuple[pl.Series, Answers, Answers, dict[str, object]]


def _two(draw: np.random.Generator) -> Made:
    odds = draw.normal(0, 1.5, ROWS)
    score = 1 / (1 + np.exp(-odds))
    truth = (draw.random(ROWS) < score).astype(int)
    near = 1 / (1 + np.exp(-(odds + draw.normal(0, 0.05, ROWS))))
    names = np.array(["0", "1"], dtype=object)
    mine, theirs = (Answers(names[(each > 0.5).astype(int)], each) for each in (score, near))
    costs = {"1": {"0": 1.0}, "0": {"1": 1.0}}
    return (
        pl.Series(truth),
        mine,
        theirs,
        {"task": Task.CLASSIFICATION, "classes": ("0", "1"), "positive": "1", "costs": costs},
    )


def _three(draw: np.random.Generator) -> Made:
    wide = draw.dirichlet([0.7, 0.7, 0.7], ROWS)
    place = (draw.random((ROWS, 1)) > wide.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    near = wide * np.exp(draw.normal(0, 0.02, wide.shape))
    near /= near.sum(axis=1, keepdims=True)
    names = np.array(["p", "q", "r"], dtype=object)
    mine, theirs = (Answers(names[each.argmax(axis=1)], each.max(axis=1), each) for each in (wide, near))
    return (
        pl.Series(names[place].tolist()),
        mine,
        theirs,
        {"task": Task.CLASSIFICATION, "classes": ("p", "q", "r")},
    )


def _number(draw: np.random.Generator) -> Made:
    known = draw.normal(10, 3, ROWS)
    truth = known + draw.normal(0, 1, ROWS)
    near = known + draw.normal(0, 0.03, ROWS)
    return pl.Series(truth), Answers(known, known), Answers(near, near), {"task": Task.REGRESSION}


def _ranking(draw: np.random.Generator) -> Made:
    relevance = draw.choice([0.0, 1.0, 2.0], ROWS, p=[0.7, 0.2, 0.1])
    score = relevance + draw.normal(0, 1, ROWS)
    near = score + draw.normal(0, 0.02, ROWS)
    facts: dict[str, object] = {"task": Task.REGRESSION, "ranking": Ranking(query="query", at=5)}
    return pl.Series(relevance), Answers(score, score), Answers(near, near), facts


def alarms_on_fine_tables(seeds: Iterable[int]) -> list[tuple[int, Finding]]:
    """The alarms of each seed's table."""
    return [(seed, finding) for seed in seeds for finding in run(fine(seed)) if finding.status in ALARMS]


def main() -> None:
    """Print the rates."""
    seeds = range(200)
    alarms = alarms_on_fine_tables(seeds)
    quiet = len({seed for seed, _ in alarms}) / len(seeds)
    print(f"nothing wrong, {len(seeds)} tables: an alarm on {quiet:.1%} (at most 5 %)")
    for (subject, status), count in Counter((each.subject, each.status) for _, each in alarms).items():
        print(f"  {subject}: {status} in {count}")
    print(f"figures: {int(quiet <= 0.05)} of 1 reached")


if __name__ == "__main__":
    main()
