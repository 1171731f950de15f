"""A controller in a process of its own, to be killed: `python controller_process.py HOME`."""

import sys
import threading
from pathlib import Path

from lockgate.clock import SystemClock
from lockgate.config import Home
from lockgate.db import open_database
from lockgate.predictions.log import LogReader
from lockgate.release.controller import Controller
from lockgate.traffic import PlanShelf


def main(root: str) -> None:
    """Run until killed."""
    home = Home(Path(root))
    controller = Controller(
        open_database(f"sqlite:///{home.database}"),
        PlanShelf(home.plan),
        home.members,
        LogReader(home.log),
        SystemClock(),
    )
    print("up", flush=True)
    controller.run(threading.Event(), round_s=0.05)


if __name__ == "__main__":
    main(sys.argv[1])
