"""Drift in figures: time beside peers, memory as rows grow, false alarms, what is found, what is left in peace.

lockgate reads Parquet files, as the peers do, sketches both and judges them (`datasets/sketched.py`, `stats/drift.py`). Each
side runs in a process of its own and is compared by processor time, which other work on the machine disturbs least.
`python -m benchmarks.checks.drift ROWS` measures lockgate alone on a file of that many rows.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.gateway.environments import CACHE, CannotBuild, environment
from benchmarks.gateway.figures import Figure
from scipy import special, stats

from lockgate.datasets.sketched import count_file, count_table, sketch_file, sketch_table
from lockgate.stats.drift import moved, shift_of

COLUMNS, WORDS = 60, 6
ROWS = 500_000
SMALL_ROWS, RUNS, SHIFTED = 5_000, 200, 3
PEER_S = 1_200.0
HERE = Path(__file__).parent
CHUNK = 250_000
LONG = 5_000_000  # of the same 60 columns: 2.2 GB for both files
DEEP, DEEP_COLUMNS = 50_000_000, 4


@dataclass(frozen=True)
class Peer:
    """A peer's script and what it needs; `goal`: how many times faster lockgate promises to be."""

    name: str
    script: str
    requirements: tuple[str, ...]
    goal: float


_PLAIN = ("numpy==1.26.4", "pandas==2.2.3", "pyarrow==21.0.0", "setuptools<81")
PEERS = (
    Peer("scipy, a test a column", "drift_scipy.py", ("scipy==1.14.1", *_PLAIN), 3.0),
    Peer("alibi-detect", "drift_alibi.py", ("alibi-detect==0.12.0", *_PLAIN), 3.0),
    Peer("evidently", "drift_evidently.py", ("evidently==0.7.14", *_PLAIN), 30.0),
    Peer("nannyml", "drift_nannyml.py", ("nannyml==0.13.1", *_PLAIN), 3.0),
    Peer("deepchecks", "drift_deepchecks.py", ("deepchecks==0.19.1", "scikit-learn==1.5.2", *_PLAIN), 3.0),
)


def write(path: Path, rows: int, seed: int, columns: int = COLUMNS, words: int = WORDS) -> None:
    """Rows in chunks, so that writing takes no more memory than reading: numbers, then words."""
    draw = np.random.default_rng(seed)
    writer = None
    for start in range(0, rows, CHUNK):
        size = min(CHUNK, rows - start)
        data = {f"n{place}": draw.normal(size=size) for place in range(columns - words)}
        letters = np.array(list("abcdefgh"))
        table = pa.table(data | {f"w{place}": letters[draw.integers(0, 8, size)] for place in range(words)})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def compare_files(before: Path, after: Path) -> list[str]:
    """The columns that moved between two files."""
    reference = sketch_file(before)
    current = count_file(after, reference)
    return [
        each.column for each in moved({name: shift_of(reference[name], current[name]) for name in current})
    ]


def figures() -> list[Figure]:
    """Every figure of the part."""
    with tempfile.TemporaryDirectory() as place:
        found = _beside_peers(Path(place)) + _growth(Path(place))
    return [*found, *_alarms(), *_too_small()]


def own(before: Path, after: Path) -> dict[str, float]:
    """lockgate in a process of its own: processor and wall time of the comparison, memory beyond what it began with."""
    command = [sys.executable, "-m", "benchmarks.checks.drift", str(before), str(after)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=PEER_S, cwd=HERE.parents[1]
    )
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def _beside_peers(folder: Path) -> list[Figure]:
    before, after = folder / "before.parquet", folder / "after.parquet"
    write(before, ROWS, 1)
    write(after, ROWS, 2)
    mine = min((own(before, after) for _ in range(3)), key=lambda each: each["cpu_s"])
    print(
        f"  lockgate: {mine['cpu_s']:.2f} s of processor, {mine['wall_s']:.2f} s, at most {mine['peak_bytes'] / 2**20:.0f} MiB"
    )
    found = []
    for peer in PEERS:
        took, why = _peer(peer, before, after)
        if took is not None:
            print(f"  {peer.name}: {took['cpu_s']:.2f} s of processor, {took['wall_s']:.2f} s")
        ratio = None if took is None else took["cpu_s"] / mine["cpu_s"]
        found.append(
            Figure(f"drift, 60 columns, 500,000 rows, against {peer.name}", ratio, peer.goal, note=why)
        )
    return found


def _peer(peer: Peer, before: Path, after: Path) -> tuple[dict[str, float] | None, str]:
    """A peer's times, or why there are none."""
    try:
        python = environment(f"drift-{peer.script.split('.')[0]}", [*peer.requirements], CACHE)
    except CannotBuild as error:
        return None, str(error)[:200]
    try:
        done = subprocess.run([str(python), str(HERE / "peers" / peer.script), str(before), str(after)],
                              capture_output=True, text=True, timeout=PEER_S, check=False)  # fmt: skip
    except subprocess.TimeoutExpired:
        return None, f"longer than {PEER_S:.0f} s"
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or ["it ended without a word"])[-1][:200]
    return dict(json.loads(done.stdout.strip().splitlines()[-1])), ""


def _growth(folder: Path) -> list[Figure]:
    """Ten times the rows of 60 columns; 50 million rows of a few columns (60 of them would be 22 GB a file)."""
    found = []
    for rows, larger, columns, words in ((ROWS, LONG, COLUMNS, WORDS), (LONG, DEEP, DEEP_COLUMNS, 1)):
        taken = []
        for size in (rows, larger):
            paths = [folder / f"{name}.parquet" for name in ("before", "after")]
            for seed, path in enumerate(paths):
                write(path, size, seed, columns, words)
            taken.append(own(paths[0], paths[1]))
            print(f"  {size:,} rows, {columns} columns: {taken[-1]['cpu_s']:.1f} s of processor, "
                  f"at most {taken[-1]['peak_bytes'] / 2**20:.0f} MiB")  # fmt: skip
        times = taken[1]["cpu_s"] / taken[0]["cpu_s"] / (larger / rows)
        found += [
            Figure(f"time a row at {larger:,} rows, {columns} columns", times, 1.3, at_least=False),
            Figure(f"memory at {larger:,} rows, {columns} columns", taken[1]["peak_bytes"] / 1e9, 1.5, "GB", at_least=False),
        ]  # fmt: skip
    return found


def columns_found(seed: int, by: float, rows: int = SMALL_ROWS) -> tuple[int, int]:
    """Of two tables of 60 columns, three of them moved `by` standard deviations: how many were named, and how many others."""
    draw = np.random.default_rng(seed)
    before, after = (pl.DataFrame(draw.normal(size=(rows, COLUMNS))) for _ in range(2))
    places = [f"column_{place}" for place in range(SHIFTED)]
    after = after.with_columns(pl.col(places) + by)
    reference = sketch_table(before)
    current = count_table(after, reference)
    named = [
        each.column for each in moved({name: shift_of(reference[name], current[name]) for name in current})
    ]
    return sum(name in places for name in named), sum(name not in places for name in named)


def _alarms() -> list[Figure]:
    quiet = sum(sum(columns_found(seed, 0.0)) > 0 for seed in range(RUNS)) / RUNS
    found = [Figure("same distribution: runs with any alarm", quiet * 100, 5, "%", at_least=False)]
    for by, goal in ((0.1, 95.0), (0.25, 100.0)):
        named = [columns_found(RUNS + seed, by) for seed in range(RUNS)]
        recall = sum(right for right, _ in named) / (RUNS * SHIFTED)
        others = sum(wrong for _, wrong in named) / (RUNS * (COLUMNS - SHIFTED))
        print(f"  moved by {by}: others named wrongly {others:.2%}")
        found.append(Figure(f"recall of columns moved by {by} sigma", recall * 100, goal, "%"))
    return found


def _too_small() -> list[Figure]:
    """A hundredth of a deviation at half a million rows, five times."""
    alarms = sum(columns_found(seed, 0.01, ROWS)[0] for seed in range(5))
    return [Figure("alarms for 0.01 sigma at 500,000 rows", float(alarms), 0, "", at_least=False)]


def main() -> None:
    """Compare two files, or files of ROWS rows, and print what it took as JSON."""
    if len(sys.argv) == 2:
        with tempfile.TemporaryDirectory() as place:
            paths = [Path(place) / f"{name}.parquet" for name in ("before", "after")]
            for seed, path in enumerate(paths):
                write(path, int(sys.argv[1]), seed)
            print(json.dumps(own(paths[0], paths[1])))
        return
    (
        special.ndtri(0.5),
        stats.chi2.sf(1.0, 1),
    )  # lockgate imports scipy when first used; peers' imports are not timed either
    wall, began = time.monotonic(), os.times()
    named = compare_files(Path(sys.argv[1]), Path(sys.argv[2]))
    ended = os.times()
    print(json.dumps({
        "wall_s": time.monotonic() - wall, "cpu_s": ended.user + ended.system - began.user - began.system,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "moved": len(named),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
