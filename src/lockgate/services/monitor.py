"""The monitors' process, at the lowest priority of all: nobody waits for it."""

from __future__ import annotations

import os
import sys
import threading

from lockgate.monitor.watcher import Watch
from lockgate.services.serving import serve
from lockgate.wiring.house import House
from lockgate.wiring.monitoring import watchers_of

NICE = 15


def monitor(house: House, stop: threading.Event) -> None:
    """Read the log for every model and say what is not as it was validated."""
    os.nice(NICE)
    Watch(house.db, house.clock, watchers_of(house)).run(stop)


if __name__ == "__main__":
    sys.exit(serve(monitor))
