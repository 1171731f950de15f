"""Drift in figures: time beside peers, and how time and memory grow with the rows.

lockgate reads Parquet files, as the peers do, sketches both and judges them (`datasets/sketched.py`, `stats/drift.py`). Each
side runs in a process of its own and is compared by processor time, which other work on the machine disturbs least.
`python -m benchmarks.checks.drift ROWS [COLUMNS]` measures lockgate alone on files of that many rows.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.checks.beside import DRIFT, STRAIGHT, ask
from benchmarks.checks.run import Run
from benchmarks.gateway.environments import HOUSE
from benchmarks.gateway.figures import Figure
from scipy import special, stats

from lockgate.datasets.sketched import count_file, sketch_file
from lockgate.stats.drift import moved, shift_of
from lockgate.stats.sketch import Sketch

COLUMNS, ROWS = 60, 500_000
WORDS_SHARE = 0.1  # of the columns
TRIES, OWN_S = 3, 3_600.0
CHUNK = 250_000
LONG, DEEP = 5_000_000, 50_000_000
DEEP_BYTES = 2.0  # of a value in a file of numbers with two decimals


def write(path: Path, rows: int, seed: int, columns: int = COLUMNS) -> None:
    """Rows in pieces, so that writing takes no more memory than reading: numbers of two decimals, then words."""
    draw, writer = np.random.default_rng(seed), None
    words = max(1, round(columns * WORDS_SHARE))
    letters = np.array(list("abcdefgh"))
    for start in range(0, rows, CHUNK):
        size = min(CHUNK, rows - start)
        data = {f"n{place}": np.round(draw.normal(100, 25, size), 2) for place in range(columns - words)}
        table = pa.table(data | {f"w{place}": letters[draw.integers(0, 8, size)] for place in range(words)})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def compare_files(before: Path, after: Path) -> list[str]:
    """The columns that moved between two files."""
    reference = sketch_file(before)
    return moved_columns(reference, count_file(after, reference))


def moved_columns(reference: dict[str, Sketch], current: dict[str, Sketch]) -> list[str]:
    """The columns that moved between two tables of sketches."""
    shifts = {name: shift_of(reference[name], current[name]) for name in current}
    return [each.column for each in moved(shifts)]


def own(before: Path, after: Path) -> dict[str, Any]:
    """lockgate in a process of its own: processor and wall time of the comparison, and the most memory it had."""
    command = [sys.executable, "-m", "benchmarks.checks.drift", str(before), str(after)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=OWN_S, cwd=HOUSE)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def figures(run: Run) -> list[Figure]:
    """How many times faster than evidently and than the fastest peer; what is done by hand stands beside."""
    with tempfile.TemporaryDirectory() as place:
        before, after = Path(place) / "before.parquet", Path(place) / "after.parquet"
        write(before, ROWS, 1)
        write(after, ROWS, 2)
        mine = run.measured(
            "drift.lockgate",
            lambda: min((own(before, after) for _ in range(TRIES)), key=lambda each: each["cpu_s"]),
        )
        files = (str(before), str(after))
        said = {
            name: ask(run, "drift", name, "time", *files) for name in (*DRIFT, *STRAIGHT) if run.wants(name)
        }
    for name, each in {"lockgate": mine, **said}.items():
        print(f"  {name:16} {_words(each)}")
    known = {name: each["cpu_s"] / mine["cpu_s"] for name, each in said.items() if "failed" not in each}
    products = {name: known[name] for name in DRIFT if name in known}
    fastest = min(products, key=lambda name: products[name], default="none measured")
    return [
        Figure("drift, 60 columns, 500,000 rows: times evidently's speed", known.get("evidently"), 30,
               note=str(said.get("evidently", {}).get("failed", ""))),
        Figure("times the fastest peer's", products.get(fastest), 3, note=f"({fastest})"),
    ]  # fmt: skip


def _words(took: dict[str, Any]) -> str:
    if "failed" in took:
        return str(took["failed"])
    return f"{took['cpu_s']:8.2f} s of processor, {took['wall_s']:8.2f} s, at most {took['peak_bytes'] / 2**20:,.0f} MiB"


def growth(run: Run) -> list[Figure]:
    """Ten and a hundred times the rows, all sixty columns where the disk has room for both files, else fewer."""
    room = shutil.disk_usage(tempfile.gettempdir()).free / 3  # others need some as well
    columns = max(4, min(run.columns, int(room / (2 * DEEP * DEEP_BYTES))))
    taken = {rows: _grown(run, rows, columns) for rows in (ROWS, LONG, DEEP)}
    found = []
    for rows in (LONG, DEEP):
        wide = taken[rows]["columns"]
        times = taken[rows]["cpu_s"] / taken[ROWS]["cpu_s"] / (rows / ROWS)
        memory = taken[rows]["peak_bytes"] / 1e9
        found += [
            Figure(
                f"drift at {rows:,} rows, {wide} columns: time a row against {ROWS:,}",
                times,
                1.3,
                at_least=False,
            ),
            Figure(f"drift at {rows:,} rows: memory", memory, 1.5, "GB", at_least=False),
        ]
    return found


def _grown(run: Run, rows: int, columns: int) -> dict[str, Any]:
    def measure() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as place:
            paths = [Path(place) / f"{name}.parquet" for name in ("before", "after")]
            for seed, path in enumerate(paths):
                write(path, rows, seed, columns)
            size = sum(path.stat().st_size for path in paths)
            return own(paths[0], paths[1]) | {"columns": columns, "file_bytes": size}

    took = run.measured(f"growth.{rows}", measure)
    print(
        f"  {rows:>10,} rows, {took['columns']} columns, {took['file_bytes'] / 1e9:.1f} GB of files: {_words(took)}"
    )
    return took


def main() -> None:
    """Compare two files, or files of ROWS rows, and print what it took as JSON."""
    if sys.argv[1].isdigit():
        columns = int(sys.argv[2]) if len(sys.argv) > 2 else COLUMNS
        with tempfile.TemporaryDirectory() as place:
            paths = [Path(place) / f"{name}.parquet" for name in ("before", "after")]
            for seed, path in enumerate(paths):
                write(path, int(sys.argv[1]), seed, columns)
            print(json.dumps(own(paths[0], paths[1])))
        return
    (
        special.ndtri(0.5),
        stats.chi2.sf(1.0, 1),
    )  # scipy comes when first used; peers' imports are not timed either
    wall, began = time.monotonic(), os.times()
    named = compare_files(Path(sys.argv[1]), Path(sys.argv[2]))
    ended = os.times()
    print(json.dumps({
        "wall_s": time.monotonic() - wall, "cpu_s": ended.user + ended.system - began.user - began.system,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "moved": len(named),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
