"""The service that trains again, by a told time, which says where it is and waits there for its death.

python -m tests.wiring.dying_retrainer HOME CLOCK [STATE before|after]
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from benchmarks.monitor.told_clock import ToldClock

from lockgate.config import Home
from lockgate.retraining.retraining import State
from lockgate.wiring.house import open_house
from lockgate.wiring.retrain_service import Retrainer
from lockgate.wiring.retrain_steps import STEPS

HERE = "here"


def main(home: str, clock: str, *place: str) -> None:
    """Run until killed; at a place it says `HERE`, once the step was about to begin or its work was done."""
    if place:
        state, when = State(place[0]), place[1]
        whole = STEPS[state]

        def stops(*given: object) -> None:
            if when == "after":
                whole(*given)  # type: ignore[arg-type]
            print(HERE, flush=True)
            threading.Event().wait()

        STEPS[state] = stops  # type: ignore[assignment]
    # as the service runs, but for its low priority: on a busy machine nothing would come of it
    Retrainer(open_house(Home(Path(home)), ToldClock(Path(clock)))).run(threading.Event())


if __name__ == "__main__":
    main(*sys.argv[1:])
