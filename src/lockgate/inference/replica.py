"""One place in a pool: a runner that is free, busy or being started, and the pause after failures."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum

from lockgate.inference.runner_process import RunnerProcess

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 30.0


class ReplicaState(StrEnum):
    """What a replica is doing."""

    FREE = "free"
    BUSY = "busy"
    STARTING = "starting"
    PAUSING = "pausing"  # it failed several times in a row


@dataclass
class Replica:
    """Written by its pool alone, under the pool's lock. `failures`: in a row, since the last good answer."""

    number: int
    state: ReplicaState = ReplicaState.STARTING
    runner: RunnerProcess | None = None
    starts: int = 0
    failures: int = 0
    not_before_s: float = 0.0

    def failed(self) -> None:
        """Count a failure: the next start is at once the first time, then after a pause that doubles."""
        self.failures += 1
        self.not_before_s = time.monotonic() + pause_s(self.failures)
        self.state = ReplicaState.PAUSING if self.failures > 1 else ReplicaState.STARTING

    def wait_s(self) -> float:
        """Until it may start again."""
        return max(0.0, self.not_before_s - time.monotonic())


@dataclass(frozen=True)
class ReplicaStatus:
    """What one replica says of itself."""

    state: ReplicaState
    pid: int | None = None
    starts: int = 0
    failures: int = 0
    memory_bytes: int = 0


def pause_s(failures: int) -> float:
    """Before the start after so many failures in a row.

    >>> [pause_s(failures) for failures in (1, 2, 3, 4, 20)]
    [0.0, 0.2, 0.4, 0.8, 30.0]
    """
    return 0.0 if failures <= 1 else min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (failures - 2))
