"""Alarms without cause, shifts that are found, differences too small to matter: lockgate beside its peers on the same tables.

Sixty normal columns of which three may lie higher (`planted.pair`). Peers answer as many of the runs as fit in their time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from benchmarks.checks import planted
from benchmarks.checks.beside import DRIFT, ask
from benchmarks.checks.run import Run
from benchmarks.gateway.figures import Figure

from lockgate.datasets.sketched import count_table, sketch_table
from lockgate.stats.drift import moved, shift_of

ROWS, RUNS = 5_000, 200
MANY, MANY_RUNS = 500_000, 5
Runs = list[tuple[int, int]]
Share = Callable[[Runs], float]
BEYOND_S = 900.0  # a peer's start and its last table may take so much longer than its time


def named(before: pl.DataFrame, after: pl.DataFrame) -> list[str]:
    """The columns that lockgate says moved."""
    reference = sketch_table(before)
    current = count_table(after, reference)
    return [
        each.column for each in moved({name: shift_of(reference[name], current[name]) for name in current})
    ]


def own(by: float, rows: int, runs: int) -> Runs:
    """(right, wrong) of each run."""
    found = []
    for seed in range(runs):
        tables = (
            pl.DataFrame(np.asarray(each), schema=planted.names()) for each in planted.pair(seed, by, rows)
        )
        found.append(planted.right_and_wrong(named(*tables)))
    return found


def figures(run: Run) -> list[Figure]:
    """Every figure of the part."""
    quiet = _told(run, "same distribution, runs with any alarm", (0.0, ROWS, RUNS), _any)
    small, middle = (
        _told(run, f"moved by {by} sigma, found", (by, ROWS, RUNS), _recall) for by in (0.1, 0.25)
    )
    nothing = _told(run, "0.01 sigma at 500,000 rows, runs with any alarm", (0.01, MANY, MANY_RUNS), _any)
    return [
        Figure("same distribution: runs with any alarm", quiet, 5, "%", at_least=False),
        Figure("recall of columns moved by 0.1 sigma", small, 95, "%"),
        Figure("recall of columns moved by 0.25 sigma", middle, 100, "%"),
        Figure("0.01 sigma at 500,000 rows: runs with any alarm", nothing, 0, "%", at_least=False),
    ]


def _told(run: Run, title: str, asked: tuple[float, int, int], share: Share) -> float:
    """Print a row of shares in per cent, and give lockgate's; `asked`: moved by, rows, runs."""
    by, rows, runs = asked
    part = f"alarms-{by}-{rows}"
    mine = run.measured(f"{part}.lockgate", lambda: {"runs": own(by, rows, runs)})["runs"]
    cells = [f"lockgate {share(mine):.1f}"]
    for name in DRIFT:
        if run.wants(name):
            argv = (str(by), str(rows), str(runs), str(run.peer_s))
            said = ask(run, part, name, "alarms", *argv, limit_s=run.peer_s + BEYOND_S)
            cells.append(_cell(name, said, runs, share))
    print(f"  {title}, per cent: " + "; ".join(cells))
    return float(share(mine))


def _cell(name: str, said: dict[str, Any], runs: int, share: Share) -> str:
    if "failed" in said:
        return f"{name}: {said['failed']}"
    fewer = "" if len(said["runs"]) == runs else f" ({len(said['runs'])} runs)"
    return f"{name} {share(said['runs']):.1f}{fewer}"


def _any(runs: Runs) -> float:
    return 100 * sum(right + wrong > 0 for right, wrong in runs) / len(runs)


def _recall(runs: Runs) -> float:
    return 100 * sum(right for right, _ in runs) / (len(runs) * planted.SHIFTED)
