"""The shadow scorer's process, at lower priority and with a limit on its memory: recorded requests, scored by other versions.

Nothing that callers wait for may lack what it takes: it gives way in processor time, may hold so much memory and no more, and
where the machine runs out of memory all the same, it and its models' processes are what the kernel ends first.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
from pathlib import Path

from lockgate.release import shadow
from lockgate.services.serving import serve
from lockgate.wiring.house import House
from lockgate.wiring.shadow_watch import GiveWay, teller
from lockgate.wiring.shadowing import opener, wanted

NICE = 10
FIRST_TO_END = 1_000  # the kernel's scale ends here


def shadow_scorer(house: House, stop: threading.Event) -> None:
    """Score recorded requests with the versions that are not yet, or no longer, live."""
    os.nice(NICE)
    limit_memory(house.config.shadow.memory_mb)
    scorer = shadow.Scorer(house.home, house.blobs, house.db, opener(house), clock=house.clock)
    beside = GiveWay(house)
    shadow.run(scorer, wanted(house), stop, waits=beside.waits, report=teller(house, beside.brake))


def limit_memory(most_mb: int) -> None:
    """Let this process hold at most so much data (not address space: libraries reserve what they never use), and be ended first
    where the whole machine has none left. Processes of models inherit the latter; what they may hold is a limit of their own."""
    wanted, (_, hard) = most_mb * 2**20, resource.getrlimit(resource.RLIMIT_DATA)
    least = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (least, hard))
    Path("/proc/self/oom_score_adj").write_text(str(FIRST_TO_END))


if __name__ == "__main__":
    sys.exit(serve(shadow_scorer))
