"""The log in figures: reading millions of records in constant memory, and what encrypting personal inputs costs.

    make bench-log                                   1 and 4 million records
    python -m benchmarks.log.bench --records 1 --json log.json

Each size is made and read in a process of its own, so that its memory is its own. CPU time is user and system of the
process; memory is the proportional set size (PSS), looked at after every stretch.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.predictions.archive import commit_ended
from lockgate.predictions.export import Format, export
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.personal import Personal, Protector, kept_here
from lockgate.predictions.query import frames
from lockgate.predictions.record import Record, blocks_of
from lockgate.predictions.stored import Asked

SIZES = (1, 4)  # million records
BATCH = 16
START_US = 1_772_366_400_000_000
SEGMENTS_BYTES = 256_000_000  # of hot segments before they are archived
MADE_FOR_PRICE = 40_000
MINUTE_GOAL = 1_000_000  # records read in a minute of one core
GROWTH_GOAL = 1.15  # memory of the largest size against the smallest
PRICE_GOAL_US = 10.0  # of CPU a record


def pss_mb() -> float:
    """This process's proportional memory."""
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the kernel tells no PSS")


def records(count: int, text: bool = False) -> list[list[Record]]:
    """Batches of records of 30 numbers each, 60 us apart; with `text` a name and an address too."""
    rng = np.random.default_rng(0)
    made = []
    for _ in range(100):
        columns = {f"f{place}": rng.random(1) for place in range(30)}
        if text:
            columns |= {
                "name": np.array(["Ada Lovelace"], dtype=object),
                "street": np.array(["12 Long Lane"], dtype=object),
            }
        made.append(blocks_of(columns))
    outputs = blocks_of({"p": np.array([0.5], dtype=np.float32)})
    return [
        [
            Record(
                id=f"{n:032x}",
                at_us=START_US + n * 60,
                latency_us=100,
                model="m",
                version=1,
                digest="sha256:" + "a" * 64,
                key=f"c{n % 50_000}",
                caller="app",
                rows=1,
                inputs=made[n % 100],
                outputs=outputs,
            )
            for n in range(start, min(start + BATCH, count))
        ]
        for start in range(0, count, BATCH)
    ]


def make(home: Home, count: int) -> None:
    """An archive of so many records."""
    blobs = Blobs(str(home.blobs))
    log = SegmentWriter(home.log, "bench")
    for block in range(0, count, 100_000):
        for batch in records(min(100_000, count - block)):
            shifted = [msgspec.structs.replace(record, at_us=record.at_us + block * 60) for record in batch]
            log.append(shifted)
        if sum(path.stat().st_size for path in home.log.glob("bench/*.seg")) > SEGMENTS_BYTES:
            log.roll()
            commit_ended(home.log, blobs)
            for path in home.log.glob("bench/*.seg"):
                path.unlink()
    log.close()
    commit_ended(home.log, blobs)
    for path in home.log.glob("bench/*.seg"):
        path.unlink()


def read(home: Home) -> dict[str, float]:
    """Read everything as rows, then export it; what it took."""
    blobs, most, height = Blobs(str(home.blobs)), 0.0, 0
    cpu, wall = time.process_time(), time.monotonic()
    for rows, _, _ in frames(home, blobs, Asked("m")):
        height += rows.height
        most = max(most, pss_mb())
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    target = home.root / "export.parquet"
    exporting = time.process_time()
    exported = export(home, blobs, Asked("m"), target, Format.PARQUET, tell=lambda *_: None)
    return {
        "rows": height, "cpu_s": cpu, "wall_s": wall, "pss_mb": most, "exported": exported,
        "export_cpu_s": time.process_time() - exporting, "export_pss_mb": pss_mb(),
    }  # fmt: skip


def price() -> dict[str, float]:
    """CPU a record, in microseconds: written plain, and with two personal inputs encrypted (new people and known ones)."""
    batches = records(MADE_FOR_PRICE, text=True)
    found: dict[str, list[float]] = {"plain": [], "new": [], "known": []}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(3):
            protector = Protector(kept_here(b"s" * 32), lambda _: Personal(("name", "street"), None))
            for kind, used in (("plain", None), ("new", protector), ("known", protector)):
                with SegmentWriter(Path(folder), f"{kind}-{turn}", protector=used) as log:
                    start = time.process_time()
                    for batch in batches:
                        log.append(batch)
                    found[kind].append((time.process_time() - start) / MADE_FOR_PRICE * 1e6)
    return {kind: float(np.median(times)) for kind, times in found.items()}


def main(argv: list[str] | None = None) -> int:
    """Print the table; the last line counts the figures that were reached, and the exit status is 0 when all were."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=float, nargs="*", default=list(SIZES), help="millions of records")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--make", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args(argv)
    if chosen.read:
        print(json.dumps(read(Home(chosen.read))))
        return 0
    if chosen.make:
        make(Home(Path(chosen.make[0])).prepare(), int(chosen.make[1]))
        return 0
    sizes = {millions: _measured(round(millions * 1e6)) for millions in sorted(chosen.records)}
    costs = price()
    reached = _table(sizes, costs)
    if chosen.json:
        chosen.json.write_text(json.dumps({"sizes": sizes, "price_us": costs}, indent=1))
    print(f"figures: {sum(reached)} of {len(reached)} reached")
    return 0 if all(reached) else 1


def _measured(count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="lockgate-bench-") as folder:
        own = [sys.executable, "-m", "benchmarks.log.bench"]
        subprocess.run([*own, "--make", folder, str(count)], check=True)
        done = subprocess.run([*own, "--read", folder], check=True, capture_output=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _table(sizes: dict[float, dict[str, float]], costs: dict[str, float]) -> list[bool]:
    reached = []

    def row(what: str, goal: str, got: str, good: bool) -> None:
        reached.append(good)
        print(f"{what:<52} {goal:>14} {got:>16}  {'reached' if good else 'NOT REACHED'}")

    print(f"{'':<52} {'reach':>14} {'measured':>16}")
    for millions, found in sizes.items():
        pace = found["rows"] / found["cpu_s"] * 60
        row(
            f"{millions:g} million records read, a minute of CPU",
            ">= 1.0 million",
            f"{pace / 1e6:.2f} million",
            pace >= MINUTE_GOAL,
        )
        row(f"  every record, once, and exported ({found['export_cpu_s']:.0f} s of CPU)", f"{millions * 1e6:.0f}",
            f"{found['exported']:.0f}", found["rows"] == found["exported"] == round(millions * 1e6))  # fmt: skip
        print(
            f"  memory while reading {found['pss_mb']:.0f} MB, after the export {found['export_pss_mb']:.0f} MB (PSS)"
        )
    if len(sizes) > 1:
        small, large = (sizes[key]["pss_mb"] for key in (min(sizes), max(sizes)))
        row(
            f"memory of {max(sizes):g} million against {min(sizes):g}",
            f"<= {GROWTH_GOAL}",
            f"{large / small:.2f}",
            large / small <= GROWTH_GOAL,
        )
    known, new = costs["known"] - costs["plain"], costs["new"] - costs["plain"]
    row(
        "two personal inputs encrypted, CPU a record",
        f"<= {PRICE_GOAL_US:g} us",
        f"{known:.1f} us",
        known <= PRICE_GOAL_US,
    )
    print(f"  plain {costs['plain']:.1f} us; of people seen for the first time {new:.1f} us more")
    return reached


if __name__ == "__main__":
    sys.exit(main())
