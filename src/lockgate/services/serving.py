"""How a process behind a box lives: it opens its home folder, does its one duty until SIGTERM or SIGINT, and lets go.

Each service is a module of its own and imports only what its duty needs: `python -m lockgate.services.controller --home DIR`.
Each may be killed at any moment and started again.
"""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from collections.abc import Callable

from lockgate.config import Home, home_from
from lockgate.errors import LockgateError, exit_status
from lockgate.wiring.house import House, open_house

Duty = Callable[[House, threading.Event], None]
_log = logging.getLogger("lockgate.services")


def serve(duty: Duty, *, opened: Callable[[Home, threading.Event], House | None] | None = None) -> int:
    """Carry out `duty` for the home folder that the command names; the exit status. What it raises is logged as one sentence.

    `opened` opens the folder in another way; None from it says that the stop came before there was anything to open.
    """
    parser = argparse.ArgumentParser(description=duty.__doc__)
    parser.add_argument("--home", help="the home folder (default: LOCKGATE_HOME or ./.lockgate)")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        home = home_from(chosen.home)
        house = open_house(home) if opened is None else opened(home, stop)
        if house is None:
            return 0
        try:
            duty(house, stop)
        finally:
            house.close()
    except LockgateError as error:
        _log.error("%s", error.sentence())
        return exit_status(error)
    return 0
