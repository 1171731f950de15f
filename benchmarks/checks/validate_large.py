"""What `lockgate validate` takes where the test table has five million rows: memory of the owner and of each check.

A real home and a real submission in a process of its own, then `lockgate.validate(suite="full")` in another, which says the
most memory that it and any of its processes had. `python -m benchmarks.checks.validate_large ROWS` does one of them.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.checks.run import Run
from benchmarks.gateway.environments import HOUSE
from benchmarks.gateway.figures import Figure
from sklearn.linear_model import LogisticRegression

import lockgate

ROWS, COLUMNS, PIECE = 5_000_000, 30, 250_000
TRAIN_ROWS = 100_000
LIMIT_S = 3_600.0


def write(path: Path, rows: int, seed: int) -> None:
    """Numbers, the first two of which decide `y`; in pieces."""
    draw, writer = np.random.default_rng(seed), None
    for start in range(0, rows, PIECE):
        values = np.round(draw.normal(size=(min(PIECE, rows - start), COLUMNS)), 3)
        lean = values[:, 0] - 0.5 * values[:, 1]
        data = {f"n{place}": values[:, place] for place in range(COLUMNS)}
        table = pa.table(data | {"y": (draw.random(len(lean)) < 1 / (1 + np.exp(-lean))).astype(int)})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def submit(folder: Path) -> None:
    """A model and its two tables, as files."""
    train = pq.read_table(folder / "train.parquet").to_pandas()
    model = LogisticRegression().fit(train.drop(columns="y"), train["y"])
    lockgate.submit(model, name="large", train=folder / "train.parquet", test=folder / "test.parquet", target="y",
                    home=folder / "home")  # fmt: skip


def validate(folder: Path, suite: str = "full") -> dict[str, Any]:
    """The whole suite, and what it took."""
    wall, began = time.monotonic(), os.times()
    found = lockgate.validate("large/1", suite, home=folder / "home")
    ended = os.times()
    return {
        "wall_s": time.monotonic() - wall, "cpu_s": sum(ended[:4]) - sum(began[:4]),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "used": [dict(each) for each in found["used"]],
        "said": [each["headline"] for each in found["findings"] if each["subject"].startswith("sample of")],
        "stopped": [each["headline"] for each in found["findings"] if "stopped" in each["headline"]],
    }  # fmt: skip


def figures(run: Run) -> list[Figure]:
    """The most memory of the processes that submit and validate, and of the greediest check."""
    took = run.measured("large.lockgate", lambda: measured(ROWS))
    check = max(took["used"], key=lambda each: each["peak_bytes"])
    print(f"  {ROWS:,} x {COLUMNS}: {took['cpu_s']:.0f} s of processor, {took['wall_s']:.0f} s; "
          f"{' '.join(took['said'])}")  # fmt: skip
    return [
        Figure(
            f"submit, {ROWS:,} x {COLUMNS} test rows: memory",
            took["submit_bytes"] / 1e9,
            1.5,
            "GB",
            at_least=False,
        ),
        Figure(
            f"validate, {ROWS:,} x {COLUMNS} test rows: memory",
            took["peak_bytes"] / 1e9,
            1.5,
            "GB",
            at_least=False,
        ),
        Figure(
            f"its greediest check ({check['check']}): own memory",
            check["peak_bytes"] / 1e9,
            1.5,
            "GB",
            at_least=False,
        ),
    ]


def measured(rows: int) -> dict[str, Any]:
    """Submitted and validated, each in a process of its own."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder / "train.parquet", TRAIN_ROWS, 1)
        write(folder / "test.parquet", rows, 2)
        said = {what: _in_process(what, folder) for what in ("submit", "validate")}
    return said["validate"] | {"submit_bytes": said["submit"]["peak_bytes"]}


def _in_process(what: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.checks.validate_large", what, str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=LIMIT_S, cwd=HOUSE)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def main() -> None:
    """`ROWS`: both, printed; `submit FOLDER`, `validate FOLDER`: one, in this process."""
    if sys.argv[1].isdigit():
        print(json.dumps(measured(int(sys.argv[1])), indent=1))
    elif sys.argv[1] == "submit":
        submit(Path(sys.argv[2]))
        print(json.dumps({"peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
    else:
        print(json.dumps(validate(Path(sys.argv[2]))))


if __name__ == "__main__":
    main()
