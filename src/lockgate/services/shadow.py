"""The shadow scorer's process, at lower priority: recorded requests, scored by versions that are not yet, or no longer, live."""

from __future__ import annotations

import os
import sys
import threading

from lockgate.release import shadow
from lockgate.services.serving import serve
from lockgate.wiring.house import House
from lockgate.wiring.shadow_watch import GiveWay, teller
from lockgate.wiring.shadowing import opener, wanted

NICE = 10


def shadow_scorer(house: House, stop: threading.Event) -> None:
    """Score recorded requests with the versions that are not yet, or no longer, live."""
    os.nice(NICE)
    scorer = shadow.Scorer(house.home, house.blobs, house.db, opener(house), clock=house.clock)
    beside = GiveWay(house)
    shadow.run(scorer, wanted(house), stop, waits=beside.waits, report=teller(house, beside.brake))


if __name__ == "__main__":
    sys.exit(serve(shadow_scorer))
