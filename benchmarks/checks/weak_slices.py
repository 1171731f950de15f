"""Weak slices found by themselves: a planted rectangle of two columns, and none. `python -m benchmarks.checks.weak_slices`.

Tables of 10,000 rows, ten columns, gradient boosting trained on as many others. Planted: where `channel` is "phone" and
`amount` is above 0.5 (6 % of the rows), half of the test labels are turned round. Found means: both columns are named and no
other is. False means: a table without the fault has any weak slice. Peers answer as many tables as fit in their time.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import polars as pl
from benchmarks.checks.beside import ask
from benchmarks.checks.planted import SLICE, SLICE_ROWS, TURNED, coded, sliced
from benchmarks.checks.run import Run
from benchmarks.gateway.figures import Figure
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.judged import judge
from lockgate.checks.performance.check import NAME, PerformanceSettings
from lockgate.checks.performance.loss import loss_of
from lockgate.checks.performance.weak import find_weak
from lockgate.datasets.classes import class_names
from lockgate.registry.manifest import Task

RUNS = 100
PEERS, BEYOND_S = ("deepchecks", "giskard"), 900.0  # a peer's start and last table may take so much longer


def planted(seed: int, turned: float = TURNED, rows: int = SLICE_ROWS) -> Evidence:
    """A model trained on clean rows, and its answers to a test table with or without the fault."""
    train, test = sliced(seed, turned, rows)
    with threadpool_limits(1):
        model = HistGradientBoostingClassifier(max_iter=40, random_state=0).fit(coded(train), train["y"])
        score = model.predict_proba(coded(test))[:, 1]
    return Evidence(
        task=Task.CLASSIFICATION, inputs=tuple(name for name in test if name != "y"), target="y", seed=seed,
        classes=("0", "1"), positive="1", frames={Split.TRAIN: pl.DataFrame(train), Split.TEST: pl.DataFrame(test)},
        answers={Split.TEST: Answers(class_names((score > 0.5) * 1), np.asarray(score))},
    )  # fmt: skip


def found_in(evidence: Evidence) -> set[str]:
    """The columns of the first weak slice that the performance check names; empty where it names none.

    Its other findings are left out: their resampling takes nine tenths of the time.
    """
    settings, judged = PerformanceSettings(), judge(evidence, Split.TEST, evidence.answers[Split.TEST])
    found = find_weak(
        loss_of(evidence, Split.TEST, judged), evidence.inputs, evidence.random(NAME),
        gap=settings.slice_gap, min_rows=settings.slice_rows,
    )  # fmt: skip
    return {part.split()[0] for part in found.weak[0].name.split(" and ")} if found and found.weak else set()


def figures(run: Run, runs: int = RUNS) -> list[Figure]:
    """The share of tables whose planted slice is found, and of clean tables that are given one."""
    mine = {
        turned: run.measured(f"weak-slices.{turned}.lockgate", lambda turned=turned: _own(turned, runs))
        for turned in (TURNED, 0.0)
    }
    for turned, said in mine.items():
        argv = (str(turned), str(runs), str(run.peer_s))
        beside = {
            name: ask(run, f"weak-slices.{turned}", name, "slices", *argv, limit_s=run.peer_s + BEYOND_S)
            for name in PEERS
            if run.wants(name)
        }
        title = "planted" if turned else "not planted"
        print(
            f"  {title}: "
            + "; ".join(
                f"{name} {_words(each, turned)}" for name, each in {"lockgate": said, **beside}.items()
            )
        )
    found = sum(map(_exact, mine[TURNED]["runs"])) / runs
    false = sum(map(bool, mine[0.0]["runs"])) / runs
    return [
        Figure(f"weak slice of two columns, {runs} tables: found", found * 100, 95, "%"),
        Figure(f"no weak slice, {runs} tables: one named", false * 100, 5, "%", at_least=False),
    ]


def _own(turned: float, runs: int) -> dict[str, Any]:
    found = (found_in(planted(seed, turned)) for seed in range(runs))
    return {"runs": [[sorted(columns)] if columns else [] for columns in found]}


def _exact(slices: list[list[str]]) -> bool:
    """Whether the first slice is of the two columns and no other."""
    return bool(slices) and set(slices[0]) == set(SLICE)


def _words(said: dict[str, Any], turned: float) -> str:
    if "failed" in said:
        return str(said["failed"])
    runs, words = said["runs"], ""
    if turned:
        halves = sum(bool(each) and not _exact(each) for each in runs)
        words = f"both columns first in {sum(map(_exact, runs))} of {len(runs)}, something else in {halves}"
    else:
        words = f"one named in {sum(map(bool, runs))} of {len(runs)}"
    return words + (f" ({said['first_s']:.0f} s a table)" if "first_s" in said else "")


def main() -> None:
    """Print both figures of lockgate alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=RUNS)
    tables = parser.parse_args().tables
    found, false = (_own(turned, tables)["runs"] for turned in (TURNED, 0.0))
    print(
        f"planted: found in {sum(map(_exact, found))} of {tables}; not planted: one named in {sum(map(bool, false))}"
    )


if __name__ == "__main__":
    main()
