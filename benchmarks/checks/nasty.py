"""Columns that break: what lockgate says of each, and what peers do: name it, stay silent, cry wolf or crash.

Two tables of 2,000 rows: four columns that stay as they are, and one fault. A named column that did not change is a cry of
wolf; the column at fault left unnamed is silence. lockgate runs its quick suite, and what it says is held against the words
that the right finding has.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
from benchmarks.checks.beside import DRIFT, PEERS, ask
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


def own(fault: Fault, seed: int) -> str:
    """What lockgate's quick suite does with it: right, silent, wolf or crash."""
    before, after = tables(fault, seed)
    names = tuple(dict.fromkeys([*before.columns, *after.columns]))
    evidence = Evidence(
        task=Task.CLASSIFICATION, inputs=names, frames={Split.TRAIN: before, Split.TEST: after}, seed=seed
    )
    ran = Here().run(evidence, (*checks_of("quick"), "feature_shift"), None, lambda _step: None)
    found = [finding for each in ran for finding in each.findings]
    if any("stopped with" in each.headline for each in found if each.status is Status.COULD_NOT_RUN):
        return "crash"
    alarms = [each for each in found if each.status in (Status.WARN, Status.FAIL)]
    named = set().union(*map(columns_of, alarms)) if alarms else set()
    if named & set(CALM):
        return "wolf"
    if not fault.says:
        return "wolf" if named else "right"
    right = any("x" in columns_of(each) and re.search(fault.says, _text(each)) for each in alarms)
    return "right" if right else "silent"


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
        lambda: {fault.name: Counter(own(fault, seed) for seed in range(SEEDS)) for fault in FAULTS},
    )
    with TemporaryDirectory() as place:
        for number, fault in enumerate(FAULTS):
            for seed in range(SEEDS):
                for table, when in zip(tables(fault, seed), ("before", "after"), strict=True):
                    table.write_parquet(Path(place) / f"{number}.{seed:02d}.{when}.parquet")
        said = {
            name: ask(run, "nasty", name, "nasty", place, str(run.peer_s))
            for name in DRIFT
            if run.wants(name)
        }
    _print(mine, {name: outcomes(each) for name, each in said.items()})
    total = sum(mine[fault.name].get("right", 0) for fault in FAULTS) / (SEEDS * len(FAULTS))
    return [Figure("columns that break: the right finding, never a crash", total * 100, 100, "%")]


def outcomes(said: dict[str, Any]) -> dict[str, Counter[str]] | str:
    """What a peer does with each fault, or why there is nothing to say of it."""
    if "failed" in said:
        return str(said["failed"])
    found: dict[str, Counter[str]] = {fault.name: Counter() for fault in FAULTS}
    for name, each in said["faults"].items():
        fault = FAULTS[int(name.split(".")[0])]
        named = set(each.get("named", ()))
        outcome = "crash" if "crashed" in each else "wolf" if named & set(CALM) or (named and not fault.says) \
            else "right" if "x" in named or not fault.shift else "silent"  # fmt: skip
        found[fault.name][outcome] += 1
    return found


def _print(mine: dict[str, Any], peers: dict[str, dict[str, Counter[str]] | str]) -> None:
    """A row a fault, a column a tool; `right 18/20` is followed by what it mostly does else."""
    for name, said in peers.items():
        if isinstance(said, str):
            print(f"  {name}: {said}")
    shown = {"lockgate": mine} | {name: said for name, said in peers.items() if not isinstance(said, str)}
    print("  " + " | ".join([f"{'fault':32}", *(f"{name:14}" for name in shown)]))
    for fault in FAULTS:
        print(
            "  "
            + " | ".join([f"{fault.name:32}", *(f"{_cell(said[fault.name]):14}" for said in shown.values())])
        )


def _cell(counts: dict[str, int]) -> str:
    total = sum(counts.values())
    if not total:
        return "no time left"
    worst = max((name for name in counts if counts[name]), key=lambda name: counts[name])
    return worst if counts[worst] == total else f"{worst} {counts[worst]}/{total}"


assert set(DRIFT) <= set(PEERS)
