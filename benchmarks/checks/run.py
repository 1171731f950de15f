"""One run of the benchmark: what was measured is kept at once, so a run that was broken off goes on where it stood.

Each measurement is a JSON file under `.cache/bench/results/checks`; a run that came to its end is marked, and the next one
begins anew.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.gateway.environments import CACHE

RESULTS = CACHE / "results/checks"
_ENDED = "ended"


@dataclass(frozen=True)
class Run:
    """What is wanted: beside which peers (all by default), and where results lie.

    `peer_s`: time of a peer for one question that it may answer with fewer tables; `columns` at fifty million rows.
    """

    peers: tuple[str, ...] | None = None
    peer_s: float = 200.0
    columns: int = 60
    folder: Path = RESULTS

    def wants(self, peer: str) -> bool:
        """Whether a peer is measured in this run."""
        return self.peers is None or peer in self.peers

    def measured(self, name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What `measure` gives, or gave earlier in this run; `name` is like `drift.evidently`."""
        path = self.folder / f"{name}.json"
        if path.exists():
            self.say(f"{name}: measured before in this run")
            return dict(json.loads(path.read_text()))
        self.say(f"{name} ...")
        began_s = time.monotonic()
        value = measure()
        self.folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(value))
        part.replace(path)
        self.say(f"{name}: {value.get('failed') or 'done'} ({time.monotonic() - began_s:.0f} s)")
        return value

    def say(self, text: str) -> None:
        """Progress, beside the table."""
        print(f"  {text}", file=sys.stderr, flush=True)

    def begin(self, forget: tuple[str, ...] | None) -> None:
        """Go on with a run, or begin anew where the last one ended; `forget`: parts that are measured again."""
        if forget == () or (self.folder / _ENDED).exists():
            shutil.rmtree(self.folder, ignore_errors=True)
        for part in forget or ():
            for path in self.folder.glob(f"{part}.*json"):
                path.unlink()

    def end(self) -> None:
        """Everything was measured: the next run is another one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / _ENDED).touch()


def machine() -> str:
    """The machine in words."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} x {names[0] if names else platform.machine()}, {memory:.0f} GiB, Python {platform.python_version()}"
