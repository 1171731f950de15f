"""Columns that break: what lockgate says of each, and what peers do: name it, stay silent, cry wolf or crash.

Two tables of 2,000 rows: four columns that stay as they are, and one fault. A named column that did not change is a cry of
wolf; the column at fault left unnamed is silence. lockgate runs its quick suite, and what it says is held against the words
that the right finding has.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
from benchmarks.checks.beside import DRIFT, ask
from benchmarks.checks.run import Run
from benchmarks.gateway.figures import Figure

from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Finding, Status
from lockgate.checks.running.pool import Here
from lockgate.checks.suite import checks_of
from lockgate.registry.manifest import Task

ROWS, SEEDS = 2_000, 20
CALM = ("n0", "n1", "k", "w")  # these never change
Change = Callable[[pl.DataFrame, np.random.Generator], pl.DataFrame]


@dataclass(frozen=True)
class Fault:
    """`before` and `after` make the column "x" of both tables; `says` is in the right finding.

    `shift`: whether a tool that only compares two tables can see it; of what is no change it must name nothing.
    """

    name: str
    before: Change
    after: Change
    says: str
    shift: bool = True


def _put(values: Callable[[np.random.Generator], Any]) -> Change:
    return lambda frame, draw: frame.with_columns(pl.Series("x", values(draw), strict=False))


def _numbers(share: float = 0.0, value: float | None = None) -> Change:
    """Normal numbers, a share of which holds another value."""
    return _put(
        lambda draw: [value if draw.random() < share else number for number in draw.normal(size=ROWS)]
    )


def _words(known: list[str], share: float = 0.0, value: str = "new") -> Change:
    """Words in equal shares, and a share of rows with this one."""
    return _put(lambda draw: np.where(draw.random(ROWS) < share, value, draw.choice(known, ROWS)))


_EMPTY = _put(lambda _draw: pl.Series([None] * ROWS, dtype=pl.Float64))
_CONSTANT = _put(lambda _draw: np.full(ROWS, 3.0))
_MONEY = _put(lambda draw: [f"{number:.2f} EUR" for number in draw.normal(size=ROWS)])
_FEW, _MANY = list("abcd"), [f"v{number}" for number in range(200)]
FAULTS = (
    Fault("all values missing", _numbers(), _EMPTY, "has no value any more"),
    Fault("all values missing, always", _EMPTY, _EMPTY, "empty|no value|missing", shift=False),
    Fault("30 % newly missing", _numbers(), _numbers(0.3, None), r"missing in (2\d|3\d)"),
    Fault("another type", _numbers(), _MONEY, "held numbers and now holds text"),
    Fault("column gone", _numbers(), lambda frame, _draw: frame.drop("x", strict=False), "is gone"),
    Fault("infinity", _numbers(), _numbers(0.01, float("inf")), "infinit"),
    Fault("unseen category", _words(_FEW), _words(_FEW, 0.1), "never seen|unseen|new"),
    Fault("constant", _numbers(), _CONSTANT, "always 3"),
    Fault("constant, always", _CONSTANT, _CONSTANT, "always 3", shift=False),
    Fault("200 categories, no change", _words(_MANY), _words(_MANY), "", shift=False),
    Fault("200 categories, one of them more", _words(_MANY), _words(_MANY, 0.1, "v0"), "'v0'"),
)


def tables(fault: Fault, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The table before and after."""
    draw = np.random.default_rng([seed, FAULTS.index(fault)])
    return fault.before(_calm(draw), draw), fault.after(_calm(draw), draw)


def _calm(draw: np.random.Generator) -> pl.DataFrame:
    return pl.DataFrame({
        "n0": draw.normal(size=ROWS), "n1": draw.exponential(size=ROWS), "k": draw.poisson(3, ROWS).astype(float),
        "w": draw.choice(list("efgh"), ROWS),
    })  # fmt: skip


def own(fault: Fault, seed: int) -> list[str]:
    """What lockgate's quick suite does with it: right, silent or crash, and perhaps wolf."""
    before, after = tables(fault, seed)
    names = tuple(dict.fromkeys([*before.columns, *after.columns]))
    evidence = Evidence(
        task=Task.CLASSIFICATION, inputs=names, frames={Split.TRAIN: before, Split.TEST: after}, seed=seed
    )
    ran = Here().run(evidence, (*checks_of("quick"), "feature_shift"), None, lambda _step: None)
    found = [finding for each in ran for finding in each.findings]
    if any("stopped with" in each.headline for each in found if each.status is Status.COULD_NOT_RUN):
        return ["crash"]
    alarms = [each for each in found if each.status in (Status.WARN, Status.FAIL)]
    named = set().union(*map(columns_of, alarms))
    right = any("x" in columns_of(each) and re.search(fault.says, _text(each)) for each in alarms)
    return _outcome(fault, named, right)


def _outcome(fault: Fault, named: set[str], right: bool) -> list[str]:
    """`right`: whether the fault is named; where there is none, that is a cry of wolf, as other columns always are."""
    wolf = ["wolf"] if named & set(CALM) or (named and not fault.says) else []
    return ["right" if right or not fault.says else "silent", *wolf]


def columns_of(finding: Finding) -> set[str]:
    """The columns that a finding names: in quotes in its headline, or as rows of its table."""
    rows = [str(row[0]) for row in finding.table.rows] if finding.table else []
    return {
        name
        for name in (*CALM, "x")
        if f"'{name}'" in finding.headline or name in rows or finding.subject == name
    }


def _text(finding: Finding) -> str:
    cells = [str(cell) for row in finding.table.rows for cell in row] if finding.table else []
    return " ".join([finding.headline, *cells])


def figures(run: Run) -> list[Figure]:
    """lockgate's right findings, and beside them what each peer does."""
    mine = run.measured(
        "nasty.lockgate",
        lambda: {fault.name: _counted(own(fault, seed) for seed in range(SEEDS)) for fault in FAULTS},
    )
    with TemporaryDirectory() as place:
        for number, fault in enumerate(FAULTS):
            for seed in range(SEEDS):
                for table, when in zip(tables(fault, seed), ("before", "after"), strict=True):
                    table.write_parquet(Path(place) / f"{number}.{seed:02d}.{when}.parquet")
        argv = ("nasty", place, str(run.peer_s))
        said = {name: ask(run, "nasty", name, *argv) for name in DRIFT if run.wants(name)}
    _print({"lockgate": mine} | {name: outcomes(each) for name, each in said.items()})
    right, wolf = (100 * sum(mine[fault.name].get(what, 0) for fault in FAULTS) / (SEEDS * len(FAULTS))
                   for what in ("right", "wolf"))  # fmt: skip
    return [
        Figure("columns that break: the right finding, no crash", right, 100, "%"),
        Figure("the same: runs that name another column too", wolf, 5, "%", at_least=False),
    ]


def _counted(outcomes: Iterable[list[str]]) -> dict[str, int]:
    return dict(Counter(each for outcome in outcomes for each in outcome))


def outcomes(said: dict[str, Any]) -> dict[str, dict[str, int]] | str:
    """What a peer does with each fault, or why there is nothing to say of it."""
    if "failed" in said:
        return str(said["failed"])
    found: dict[str, list[list[str]]] = {fault.name: [] for fault in FAULTS}
    for name, each in said["faults"].items():
        fault, named = FAULTS[int(name.split(".")[0])], set(each.get("named", ()))
        found[fault.name].append(
            ["crash"] if "crashed" in each else _outcome(fault, named, "x" in named or not fault.shift)
        )
    return {name: _counted(each) for name, each in found.items()}


def _print(said: dict[str, dict[str, dict[str, int]] | str]) -> None:
    """A row a fault, a column a tool."""
    shown = {name: each for name, each in said.items() if not isinstance(each, str)}
    for name in said.keys() - shown.keys():
        print(f"  {name}: {said[name]}")
    print("  " + " | ".join([f"{'fault':32}", *(f"{name:22}" for name in shown)]))
    for fault in FAULTS:
        cells = (_cell(each[fault.name]) for each in shown.values())
        print("  " + " | ".join([f"{fault.name:32}", *(f"{cell:22}" for cell in cells)]))


def _cell(counts: dict[str, int]) -> str:
    """`silent 18/20, wolf 5`."""
    total = sum(count for name, count in counts.items() if name != "wolf")
    most = max((name for name in counts if name != "wolf"), key=lambda name: counts[name])
    words = most if counts[most] == total else f"{most} {counts[most]}/{total}"
    return words + (f", wolf {counts['wolf']}/{total}" if counts.get("wolf") else "")
