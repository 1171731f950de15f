"""What counting costs: a first pass over millions of recorded rows, then a day more, in time and memory.

    python -m benchmarks.monitor.bench [--rows 10000000] [--columns 50] [--words 0]

The log is written by the log's own writer, one row a request, and archived by the archiver. The pass runs in a process of
its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from lockgate.blobs import Blobs
from lockgate.clock import DAY_US, FakeClock
from lockgate.config import Home
from lockgate.db import migrate, open_database
from lockgate.monitor.counting import Known
from lockgate.monitor.profiles import spans_of
from lockgate.monitor.reading import Log
from lockgate.monitor.reference import of_rows
from lockgate.monitor.watching import DriftWatcher
from lockgate.predictions.archive import archive
from lockgate.predictions.compact import compact
from lockgate.predictions.keyring import Keyring
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.record import Block, Record
from lockgate.predictions.table import Archive
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.signature import DataType, Field, Signature

DAYS = 30
START_US = 1_772_323_200_000_000  # 2026-03-01
MODEL = "wide"
PIECE = 20_000
WORDS = np.array(["basic", "plus", "pro", "team", "max"], dtype=object)


def names(columns: int, words: int) -> tuple[list[str], list[str]]:
    """Columns of numbers, then of words."""
    return [f"feature_{place:02d}" for place in range(columns - words)], [
        f"group_{place}" for place in range(words)
    ]


def records(
    draw: np.random.Generator, at_us: np.ndarray, numbers: list[str], words: list[str]
) -> list[Record]:
    """Requests of one row each, as the gateway records them."""
    table = draw.normal(size=(at_us.size, len(numbers)))
    chosen = draw.choice(WORDS, (at_us.size, max(len(words), 1)))
    score = 1 / (1 + np.exp(-table[:, :3].sum(axis=1)))
    made = []
    for place in range(at_us.size):
        blocks = [Block(numbers, DataType.FP64, [1], table[place].tobytes())]
        if words:
            blocks.append(Block(words, DataType.BYTES, [1], b"", chosen[place].tolist()))
        answer = [Block(["p"], DataType.FP64, [1], score[place : place + 1].tobytes())]
        made.append(
            Record(id=f"{at_us[place]:032x}", at_us=int(at_us[place]), model=MODEL, version=1, rows=1, inputs=blocks,
                   outputs=answer, latency_us=900, digest="sha256:1", epoch=7)
        )  # fmt: skip
    return made


def write(home: Home, day: int, rows: int, numbers: list[str], words: list[str]) -> None:
    """One day of requests in ended segments."""
    draw = np.random.default_rng(day)
    at_us = START_US + day * DAY_US + np.arange(rows, dtype=np.int64) * (DAY_US // max(rows, 1))
    with SegmentWriter(home.log, "gateway-0", clock=FakeClock(START_US + day * DAY_US)) as log:
        for start in range(0, rows, PIECE):
            log.append(records(draw, at_us[start : start + PIECE], numbers, words))
            log.roll_if_due()


def manifest() -> Manifest:
    """A classifier of two classes."""
    return Manifest(
        framework=Framework.ONNX, task=Task.REGRESSION, answer=Answer(prediction="p"), model_path="model/model.onnx",
        signature=Signature(inputs=(), outputs=(Field(name="p", datatype=DataType.FP64),)), compiled=Compiled(), python="3.11",
    )  # fmt: skip


def count(home: Home, columns: int, words: int, until_day: int) -> dict[str, float]:
    """Everything that is new, counted and judged; in this process."""
    numbers, groups = names(columns, words)
    draw = np.random.default_rng(999)
    frame = pl.DataFrame({name: draw.normal(size=5_000) for name in numbers})
    frame = frame.with_columns(pl.Series(name, draw.choice(WORDS, 5_000).tolist()) for name in groups)
    score = 1 / (1 + np.exp(-frame.select(numbers[:3]).to_numpy().sum(axis=1)))
    reference = msgspec.structs.replace(of_rows("bench", frame, {"decision": score}), validated=True)
    known = Known(manifest(), reference)
    db = open_database(f"sqlite:///{home.database}")
    log = Log(home, Blobs(str(home.blobs)))
    watcher = DriftWatcher(db, log, Keyring(home, db), MODEL, lambda _v: known, grace_us=0)
    began, cpu = time.perf_counter(), time.process_time()
    while True:
        log.renew()
        if not watcher.look(START_US + until_day * DAY_US).more:
            break
    spent = {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}
    with db.read() as tx:
        rows = sum(span.rows for span in spans_of(tx, MODEL, 1))
    db.close()
    return spent | {"rows": rows, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def _apart(root: Path, asked: argparse.Namespace, until_day: int) -> dict[str, float]:
    words = [
        sys.executable,
        "-m",
        "benchmarks.monitor.bench",
        "--count",
        str(root),
        "--until-day",
        str(until_day),
    ]
    words += ["--columns", str(asked.columns), "--words", str(asked.words)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Write, count, add a day, count again."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--words", type=int, default=0, help="so many of the columns hold words")
    parser.add_argument("--days", type=int, default=DAYS, help="of the month that is written")
    parser.add_argument("--count", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--until-day", type=int, default=DAYS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.count is not None:
        print(json.dumps(count(Home(asked.count), asked.columns, asked.words, asked.until_day)))
        return
    root = Path(tempfile.mkdtemp(prefix="lockgate-monitor-"))
    try:
        home = Home(root).prepare()
        db, blobs = open_database(f"sqlite:///{home.database}"), Blobs(str(home.blobs))
        migrate(db)
        numbers, groups = names(asked.columns, asked.words)
        for day in range(asked.days + 1):
            write(home, day, asked.rows // DAYS, numbers, groups)
            if day < asked.days:
                archive(home.log, blobs, db)
            if day == asked.days - 1:
                compact(Archive(home.log, blobs))
                print(json.dumps({"first pass": _apart(root, asked, asked.days)}), flush=True)
        print(json.dumps({"a day more": _apart(root, asked, asked.days + 1)}), flush=True)
        db.close()
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
