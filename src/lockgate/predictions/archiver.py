"""The archiver: a loop that moves ended segments into the archive. `python -m lockgate.predictions.archiver --home H`."""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from typing import TYPE_CHECKING

from lockgate.blobs import Blobs
from lockgate.config import Home, home_from, load_server_config
from lockgate.db import Database, open_database
from lockgate.errors import LockgateError
from lockgate.late import late
from lockgate.predictions.archive import archive
from lockgate.predictions.compact import compact
from lockgate.predictions.table import Archive

if TYPE_CHECKING:
    from deltalake import exceptions
else:
    exceptions = late("deltalake.exceptions")

EVERY_S = 5.0
COMPACT_EVERY_S = 3600.0
_log = logging.getLogger(__name__)


def run(
    home: Home, blobs: Blobs, database: Database, stop: threading.Event, every_s: float = EVERY_S
) -> None:
    """Archive until told to stop. What fails is logged and tried again: it costs time, never a record."""
    passes = 0
    while not stop.is_set():
        try:
            done = archive(home.log, blobs, database)
            if done.committed or done.removed:
                _log.info("archived %d segments, removed %d", len(done.committed), len(done.removed))
            if passes % round(COMPACT_EVERY_S / every_s) == 0:
                compact(Archive(home.log, blobs))
        except (LockgateError, exceptions.DeltaError, OSError) as error:
            _log.error("archiving failed, the next try comes in %g s: %s", every_s, error)
        passes += 1
        stop.wait(every_s)


def main(arguments: list[str] | None = None) -> None:
    """Run the loop of one home folder until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m lockgate.predictions.archiver", description=__doc__)
    parser.add_argument("--home", help="the home folder (default: LOCKGATE_HOME or ./.lockgate)")
    parser.add_argument(
        "--every", type=float, default=EVERY_S, metavar="SECONDS", help="pause between two passes"
    )
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    home = home_from(chosen.home).prepare()
    config = load_server_config(home)
    database = open_database(config.database or f"sqlite:///{home.database}")
    try:
        run(home, Blobs(config.blobs or str(home.blobs)), database, stop, chosen.every)
    finally:
        database.close()


if __name__ == "__main__":
    main()
