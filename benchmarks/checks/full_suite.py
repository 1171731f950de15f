"""The full suite on 100,000 rows of 30 columns, gradient boosting, two classes: lockgate from verb to record, beside peers.

lockgate: a real home, a real submission (compiled with proven parity), `lockgate.validate(suite="full")` with its processes,
its record and its baseline. Peers: their own full suite on the same tables and a model of the same kind, in environments of
their own. Compared by processor time, children among it; the clock stands beside.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from benchmarks.checks.beside import ask
from benchmarks.checks.run import Run
from benchmarks.gateway.figures import Figure
from sklearn.ensemble import HistGradientBoostingClassifier

import lockgate

ROWS, SEED = 100_000, 20261122
GOALS = {"deepchecks": 5.0, "giskard": 2.0}


def table() -> pl.DataFrame:
    """Twenty numbers, most of them noise, two counts, eight categories; the outcome depends on a few of them."""
    draw = np.random.default_rng(SEED)
    columns: dict[str, np.ndarray] = {f"n{place}": draw.normal(size=ROWS) for place in range(20)}
    columns |= {f"k{place}": draw.poisson(3, ROWS).astype(float) for place in range(2)}
    codes = {f"c{place}": draw.integers(0, 6, ROWS).astype(float) for place in range(8)}
    columns |= codes
    lean = columns["n0"] + 0.7 * columns["n1"] * (codes["c0"] > 2) + 0.3 * columns["k0"] - 1.2
    columns["y"] = (draw.random(ROWS) < 1 / (1 + np.exp(-lean))).astype(int)
    return pl.DataFrame(columns)


def figures(run: Run) -> list[Figure]:
    """How many times faster lockgate is than each peer."""
    with tempfile.TemporaryDirectory() as place:
        folder, frame = Path(place), table()
        train, test = frame[: ROWS // 2], frame[ROWS // 2 :]
        train.write_parquet(folder / "train.parquet")
        test.write_parquet(folder / "test.parquet")
        mine = run.measured("full-suite.lockgate", lambda: _own(train, test, folder / "home"))
        said = {name: ask(run, "full-suite", name, "suite", str(folder)) for name in GOALS if run.wants(name)}
    for used in mine["used"]:
        print(f"    {used['check']:<18} {used['wall_s']:6.1f} s, processor {used['cpu_s']:6.1f} s, "
              f"{used['peak_bytes'] / 2**20:5.0f} MiB, {used['rows']:>9,} rows asked")  # fmt: skip
    for name, each in {"lockgate": mine, **said}.items():
        print(
            f"  {name:12} "
            + str(each.get("failed") or f"{each['cpu_s']:.1f} s of processor, {each['wall_s']:.1f} s")
        )
    return [_figure(name, said.get(name, {"failed": "not asked"}), mine) for name in GOALS]


def _figure(name: str, said: dict[str, Any], mine: dict[str, Any]) -> Figure:
    title = f"full suite, 100,000 x 30: times {name}'s speed"
    if "failed" in said:
        return Figure(title, None, GOALS[name], note=str(said["failed"]))
    clock = said["wall_s"] / mine["wall_s"]
    return Figure(title, said["cpu_s"] / mine["cpu_s"], GOALS[name], note=f"({clock:.1f} x by the clock)")


def _own(train: pl.DataFrame, test: pl.DataFrame, home: Path) -> dict[str, Any]:
    inputs = [name for name in train.columns if name != "y"]
    model = HistGradientBoostingClassifier(max_iter=100, random_state=0).fit(
        train.select(inputs).to_pandas(), train["y"].to_numpy()
    )
    made = lockgate.submit(model, name="bench", train=train, test=test, target="y", home=home)
    wall, began = time.monotonic(), os.times()
    found = lockgate.validate(made.name, "full", home=home)
    ended = os.times()
    return {
        "wall_s": time.monotonic() - wall, "cpu_s": sum(ended[:4]) - sum(began[:4]),
        "used": [dict(each) for each in sorted(found["used"], key=lambda each: -each["wall_s"])],
        "findings": len(found["findings"]),
    }  # fmt: skip
