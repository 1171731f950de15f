"""A million labels by key into SQLite: processor time to record them, to find them all known, memory, the longest transaction.

python -m benchmarks.watching.labels
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import polars as pl

from lockgate.clock import SECOND_US
from lockgate.config import Home
from lockgate.predictions.label_import import Naming, import_many
from lockgate.resources.reading import read_process
from lockgate.wiring.house import open_house

LABELS, NOW_US = 1_000_000, 1_772_366_400 * SECOND_US


def main() -> None:
    """The same table twice."""
    table = pl.DataFrame(
        {"id": [f"k{number}" for number in range(LABELS)], "label": [number % 2 for number in range(LABELS)]}
    )
    with tempfile.TemporaryDirectory() as folder:
        house = open_house(Home(Path(folder) / "home"))
        before = _resident()
        for words in ("recorded", "found to be known"):
            began_s, last_s, longest_s = time.process_time(), time.monotonic(), 0.0

            def tell(_done: int, _of: int) -> None:
                nonlocal last_s, longest_s
                now_s = time.monotonic()
                longest_s, last_s = max(longest_s, now_s - last_s), now_s

            import_many(
                house.db, "churn", table, Naming("label", key="id"), by="ann", now_us=NOW_US, tell=tell
            )
            spent_s = time.process_time() - began_s
            print(
                f"{LABELS:,} labels {words}: {spent_s:.1f} s of processor time, longest step {longest_s:.2f} s on the clock"
            )
        print(f"the process grew by {(_resident() - before) / 1e6:.0f} MB beside the table")
        house.close()


def _resident() -> int:
    here = read_process(os.getpid())
    assert here is not None
    return here.resident_bytes


if __name__ == "__main__":
    main()
