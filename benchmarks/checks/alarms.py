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
from benchmarks.checks.drift import moved_columns
from benchmarks.checks.run import Run
from benchmarks.gateway.figures import Figure

from lockgate.datasets.sketched import count_table, sketch_table

Runs = list[tuple[int, int]]
Share = Callable[[Runs], float]
BEYOND_S = 900.0  # a peer's start and its last table may take so much longer than its time


def named(before: pl.DataFrame, after: pl.DataFrame) -> list[str]:
    """The columns that lockgate says moved."""
    reference = sketch_table(before)
    return moved_columns(reference, count_table(after, reference))


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
    mine = {
        question: run.measured(
            f"alarms.lockgate.{question}", lambda question=question: {"runs": own(*_read(question))}
        )
        for question, _, _ in QUESTIONS
    }
    argv = (str(run.peer_s), *(question for question, _, _ in QUESTIONS))
    limit_s = run.peer_s * len(QUESTIONS) + BEYOND_S
    said = {
        name: ask(run, "alarms", name, "alarms", *argv, limit_s=limit_s) for name in DRIFT if run.wants(name)
    }
    for question, title, share in QUESTIONS:
        cells = [_cell(name, each, question, share) for name, each in said.items()]
        print(f"  {title}, per cent: " + "; ".join([f"lockgate {share(mine[question]['runs']):.1f}", *cells]))
    quiet, small, middle, nothing = (share(mine[question]["runs"]) for question, _, share in QUESTIONS)
    return [
        Figure("same distribution: runs with any alarm", quiet, 5, "%", at_least=False),
        Figure("recall of columns moved by 0.1 sigma", small, 95, "%"),
        Figure("recall of columns moved by 0.25 sigma", middle, 100, "%"),
        Figure("0.01 sigma at 500,000 rows: runs with any alarm", nothing, 0, "%", at_least=False),
    ]


def _read(question: str) -> tuple[float, int, int]:
    by, rows, runs = question.split(":")
    return float(by), int(rows), int(runs)


def _cell(name: str, said: dict[str, Any], question: str, share: Share) -> str:
    if "failed" in said:
        return f"{name}: {said['failed']}"
    runs = said.get(question, [])
    if not runs:
        return f"{name} not asked"
    fewer = "" if len(runs) == _read(question)[2] else f" ({len(runs)} runs)"
    return f"{name} {share(runs):.1f}{fewer}"


def _any(runs: Runs) -> float:
    return 100 * sum(right + wrong > 0 for right, wrong in runs) / len(runs)


def _recall(runs: Runs) -> float:
    return 100 * sum(right for right, _ in runs) / (len(runs) * planted.SHIFTED)


QUESTIONS = (  # moved by : rows : runs
    ("0.0:5000:200", "same distribution, runs with any alarm", _any),
    ("0.1:5000:200", "moved by 0.1 sigma, found", _recall),
    ("0.25:5000:200", "moved by 0.25 sigma, found", _recall),
    ("0.01:500000:5", "0.01 sigma at 500,000 rows, runs with any alarm", _any),
)
