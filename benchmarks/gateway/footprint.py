"""What a worker takes: memory, time to its first answer, the size of the environment that serves."""

from __future__ import annotations

import statistics

from benchmarks.gateway.environments import size_bytes
from benchmarks.gateway.figures import Figure
from benchmarks.gateway.load import turn
from benchmarks.gateway.stage import Stage, json_rows
from benchmarks.gateway.work import LOGISTIC

STARTS = 5
LOADED_S = 2


def footprint(stage: Stage, _names: list[str]) -> list[Figure]:
    """Started several times over one home; the memory is looked at after some load, and without it."""
    home, starts, memory = stage.home(LOGISTIC), [], []
    for _ in range(STARTS):
        with stage.gateway("lockgate, started", home) as subject:
            starts.append(subject.start_s)
            idle = subject.memory_mb()
            turn(subject, json_rows(1), 16, stage.folder, seconds=LOADED_S)
            memory.append(subject.memory_mb())
    pss, rss = (statistics.median(one[kind] for one in memory) for kind in ("Pss", "Rss"))
    note = f"(resident {rss:.0f} MB; before any load {idle['Pss']:.0f} and {idle['Rss']:.0f} MB)"
    size_mb = size_bytes(stage.serving) / 1e6
    return [
        Figure("memory of a worker under load (proportional)", pss, 110, "MB", at_least=False, note=note),
        Figure("start to first answer", statistics.median(starts), 0.8, "s", at_least=False),
        Figure("serving environment", size_mb, 220, "MB", at_least=False),
    ]
