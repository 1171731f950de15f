"""A retraining that is carried says every few seconds that its process lives and how long it computed."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lockgate.errors import Unavailable
from lockgate.retraining.store import beat
from lockgate.wiring.house import House

BEAT_S = 5.0
_log = logging.getLogger("lockgate.retraining")


@contextmanager
def beating(house: House, number: int, owner: str) -> Iterator[None]:
    """Beat for the length of a block. Time is the processor's share of this machine's clock: what a month's hours are made of."""
    over, began = threading.Event(), time.monotonic()
    told = [began]

    def say() -> None:
        now = time.monotonic()
        try:
            with house.db.write() as tx:
                beat(tx, number, owner, house.clock.now_us(), now - told[0])
            told[0] = now
        except Unavailable as error:  # the next beat says it; meanwhile nobody can take it over either
            _log.warning("retraining %d cannot say that it is carried: %s", number, error)

    def run() -> None:
        while not over.wait(BEAT_S):
            say()

    thread = threading.Thread(target=run, name=f"retraining-{number}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        say()
