"""The archiver's loop: ended segments into the archive, the archive kept in shape, and whatever else is to follow a pass."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.db import Database
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
SELDOM_S = 3600.0
_log = logging.getLogger(__name__)


def run(
    home: Home,
    blobs: Blobs,
    database: Database,
    stop: threading.Event,
    *,
    every_s: float = EVERY_S,
    often: Callable[[], object] = lambda: None,
    seldom: Sequence[Callable[[], object]] = (),
    tell: Callable[[str | None], object] = lambda _: None,
) -> None:
    """Archive until told to stop; `often` follows each pass, each of `seldom` (and compaction) the first and one each hour.

    What fails is logged and tried again: it costs time, never a record. `tell` hears after each pass what failed in it.
    """

    def pass_one() -> None:
        done = archive(home.log, blobs, database)
        if done.committed or done.removed:
            _log.info("archived %d segments, removed %d", len(done.committed), len(done.removed))

    def tidy() -> None:
        compact(Archive(home.log, blobs))

    passes = 0
    while not stop.is_set():
        hourly = passes % max(round(SELDOM_S / every_s), 1) == 0
        trouble = None
        for step in (pass_one, often, *((*seldom, tidy) if hourly else ())):
            try:
                step()
            except (LockgateError, exceptions.DeltaError, OSError) as error:
                trouble = str(error)
                _log.error("archiving failed, the next try comes in %g s: %s", every_s, error)
        tell(trouble)
        passes += 1
        stop.wait(every_s)
