"""An hour of load on a whole box: memory of every process, errors, and whether the log holds what was answered.

    python -m tests.faults.soak --minutes 60 --share 0.7

One worker has a core for itself; callers, archiver, console and the others share the second. First the capacity of the
worker is measured (every connection asks again at once), then requests fall due at that share of it, by the clock. The log
is rolled and archived meanwhile. At the end the box is stopped and every id is looked up: an answered request must be on
record once. Prints a line a minute, and the figures as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import joblib
import numpy as np
import polars as pl
import uvloop
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.faults.load import Load, Tally, infer_body
from tests.faults.memory import Samples
from tests.system.box import Box, ok, wait_for

from lockgate.blobs import Blobs
from lockgate.predictions.log import LogReader
from lockgate.predictions.record import Kind
from lockgate.predictions.table import Archive, Look

COLUMNS = [f"f{number}" for number in range(30)]
PATH = "/v2/models/soak/infer"
WORKER_CORE, OTHER_CORE = 0, 1
CAPACITY_S, SAMPLE_S, WARM_SHARE = 15.0, 5.0, 0.15
SLOPE_S = 600.0  # below ten minutes a slope an hour says nothing
CONFIG = "gateway: {segment_mb: 32}\n"


@dataclass
class Watch:
    """What is seen of the processes while the load runs."""

    box: Box
    started_s: float = field(default_factory=time.monotonic)
    memory: dict[str, Samples] = field(default_factory=dict)
    pids: dict[str, set[int]] = field(default_factory=dict)
    most_hot: int = 0  # segments that lay there at once

    def look(self) -> None:
        """One sample of everything."""
        now = time.monotonic() - self.started_s
        for path in self.box.home.run.glob("*.pid"):
            name, pid = path.stem, self.box.pid(path.stem)
            if pid is not None:
                self.pids.setdefault(name, set()).add(pid)
                self.memory.setdefault(name, Samples()).take(now, pid)
        self.most_hot = max(self.most_hot, len(LogReader(self.box.home.log).segments()))

    def figures(self) -> dict[str, dict[str, float | int | None]]:
        """Per process: starts, memory at the end, its most, growth an hour with interval."""
        return {name: self._figures(name) for name in sorted(self.memory)}

    def _figures(self, name: str) -> dict[str, float | int | None]:
        samples = self.memory[name]
        length = samples.at_s[-1] - samples.at_s[0]
        slope: float | None = None
        half: float | None = None
        if length >= SLOPE_S:
            slope, half = samples.slope(WARM_SHARE * length, min(60.0, length / 30))
        return {
            "starts": len(self.pids[name]),
            "end_mb": round(samples.mb[-1], 1),
            "most_mb": round(max(samples.mb), 1),
            "slope_mb_per_hour": None if slope is None else round(slope, 2),
            "slope_half_width": None if half is None else round(half, 2),
        }


def main() -> int:
    """Run it; 0 when nothing was lost, doubled, refused or broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--share", type=float, default=0.7, help="of the worker's capacity, 0..1")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--json", type=Path, help="where to write the figures as well")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lockgate-soak-") as name:
        found = run(Path(name), args.minutes * 60, args.share, args.connections)
    text = json.dumps(found, indent=1)
    print(text, flush=True)
    if args.json:
        args.json.write_text(text + "\n")
    return 0 if found["errors"] == found["missing"] == found["doubled"] == 0 else 1


def run(folder: Path, seconds: float, share: float, connections: int = 32) -> dict[str, object]:
    """The whole soak in a folder of its own; its figures."""
    box = Box(folder, config=CONFIG)
    try:
        rows = serve(box, folder)
        pin(box)
        port = int(box.gateway.rpartition(":")[2])
        body = infer_body(rows, COLUMNS)
        capacity = measure(box, Load(port, PATH, box.key, body, name="capacity", connections=connections))
        print(
            f"capacity {capacity['per_s_measured']:.0f}/s at {capacity['worker_core']:.0%} of its core",
            flush=True,
        )
        watch = Watch(box)
        load = Load(port, PATH, box.key, body, name="soak", connections=connections)
        started = time.monotonic()
        with sampling(watch, load):
            tally = uvloop.run(load.run(seconds, capacity["capacity_per_s"] * share))
        lasted_s = time.monotonic() - started
    finally:
        status = box.stop()
    found = look_up(box, tally, load.number)
    return {
        "minutes": round(lasted_s / 60, 2), "share": share, "connections": connections,
        **{name: round(value, 3) for name, value in capacity.items()},
        "asked": load.number, "answered": tally.good, "per_s": round(tally.good / lasted_s, 1),
        "errors": load.number - tally.good, "statuses": dict(tally.statuses), "broken": tally.broken,
        "gaps": tally.gaps, "given_up": tally.given_up, "words": tally.words,
        **{f"p{q}_ms": round(tally.quantile_ms(q / 100), 2) for q in (50, 99, 99.9)},
        **found, "most_hot_segments": watch.most_hot, "exit_status": status, "processes": watch.figures(),
    }  # fmt: skip


def serve(box: Box, folder: Path) -> list[list[float]]:
    """Train, submit and release the model; rows to ask about."""
    source = np.random.default_rng(0)
    rows = source.normal(size=(2_000, len(COLUMNS))).astype(np.float32)
    wanted = (rows @ source.normal(size=len(COLUMNS)) + source.normal(size=len(rows)) > 0).astype(int)
    table = pl.DataFrame(rows, schema=COLUMNS).with_columns(pl.Series("wanted", wanted))
    table[:1_500].write_parquet(folder / "train.parquet")
    table[1_500:].write_parquet(folder / "test.parquet")
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    joblib.dump(
        pipeline.fit(table[:1_500].select(COLUMNS).to_pandas(), wanted[:1_500]), folder / "model.joblib"
    )
    ok(box.near("submit", "model.joblib", "--name", "soak", "--target", "wanted",
                "--train", "train.parquet", "--test", "test.parquet"))  # fmt: skip
    ok(box.near("validate", "soak/1"))
    ok(box.near("release", "soak/1", "--set", "watch_s=1", "--set", "stage_min_s=0"))
    box.wait_for_phase("soak", "done", limit_s=120)
    return [[round(float(value), 4) for value in row] for row in rows[:64]]


def pin(box: Box) -> None:
    """The worker gets one core; everybody else, this process too, the other."""
    wait_for(lambda: box.pid("gateway-0"))
    for path in box.home.run.glob("*.pid"):
        core = WORKER_CORE if path.stem == "gateway-0" else OTHER_CORE
        subprocess.run(
            ["taskset", "-acp", str(core), str(box.pid(path.stem))], check=True, capture_output=True
        )
    os.sched_setaffinity(0, {OTHER_CORE})


def measure(box: Box, load: Load) -> dict[str, float]:
    """What the worker can do: answers a second, the share of its core that this took, and so what a whole core gives."""
    pid = box.pid("gateway-0")
    assert pid is not None
    uvloop.run(load.run(3))
    before, before_s, start = load.tally.good, cpu_s(pid), time.monotonic()
    uvloop.run(load.run(CAPACITY_S))
    lasted = time.monotonic() - start
    per_s, core = (load.tally.good - before) / lasted, (cpu_s(pid) - before_s) / lasted
    assert load.tally.good == load.number, load.tally.words
    return {
        "per_s_measured": per_s,
        "worker_core": core,
        "capacity_per_s": per_s / min(core, 1.0),
    }


def cpu_s(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class sampling:
    """`with sampling(watch, load):` looks every few seconds from a thread, and says a line a minute."""

    def __init__(self, watch: Watch, load: Load) -> None:
        self._watch, self._load, self._stop = watch, load, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        """Begin."""
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        said = 0
        while True:
            self._watch.look()
            minute = int((time.monotonic() - self._watch.started_s) / 60)
            if minute > said:
                said, tally = minute, self._load.tally
                worker = self._watch.memory["gateway-0"].mb[-1]
                print(f"{minute} min: {tally.good} answered, {self._load.number - tally.good} not, worker {worker:.1f} MB",
                      flush=True)  # fmt: skip
            if self._stop.wait(SAMPLE_S):
                return


def look_up(box: Box, tally: Tally, asked: int) -> dict[str, int]:
    """Every id in archive and hot log: answered ones that are missing, and ids that are there twice."""
    blobs = Blobs(str(box.home.blobs))
    look = Archive(box.home.log, blobs).look()
    table = look.table
    seen = np.zeros(asked, dtype=np.uint8)
    logged = 0
    for ids in [*archived_ids(table), *hot_ids(box, look)]:
        numbers = [int(each[5:]) for each in ids if each is not None and each.startswith("soak-")]
        np.add.at(seen, numbers, 1)
        logged += len(numbers)
    archived = 0 if table is None else table.version() + 1
    answered = np.frombuffer(bytes(tally.answered), dtype=np.uint8)
    return {
        "logged": logged, "missing": int(((answered == 1) & (seen == 0)).sum()), "doubled": int((seen > 1).sum()),
        "archive_commits": archived,
    }  # fmt: skip


def archived_ids(table: object) -> Iterator[list[str | None]]:
    """The callers' ids of the archive, file by file."""
    for uri in table.file_uris() if table is not None else []:  # type: ignore[attr-defined]
        frame = pl.read_parquet(
            uri.removeprefix("file://"), columns=["kind", "status", "inference_id"], hive_partitioning=False
        )
        answers = frame.filter((pl.col("kind") == Kind.ANSWER.value) & (pl.col("status") == 200))
        yield answers["inference_id"].to_list()


def hot_ids(box: Box, look: Look) -> Iterator[list[str | None]]:
    """The callers' ids of segments that are not in the archive."""
    reader = LogReader(box.home.log)
    for segment in reader.segments():
        if not look.holds(segment):
            records = [record for record, _ in reader.placed([segment])]
            yield [r.inference_id for r in records if r.kind is Kind.ANSWER and r.status == 200]


if __name__ == "__main__":
    sys.exit(main())
