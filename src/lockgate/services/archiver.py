"""The archiver's process: ended segments go into the archive, what is over and what is personal goes away."""

from __future__ import annotations

import sys
import threading

from lockgate.predictions.archiver import run
from lockgate.predictions.erase import sweep_again
from lockgate.services.serving import serve
from lockgate.wiring.erasing import carry_on, ground_of
from lockgate.wiring.house import House
from lockgate.wiring.keeping import let_go
from lockgate.wiring.status import note_trouble
from lockgate.wiring.veiling import veil_baselines


def archiver(house: House, stop: threading.Event) -> None:
    """Move ended segments into the archive, carry out erasures, let go of what is over and of values that are personal."""
    run(
        house.home, house.blobs, house.db, stop,
        often=lambda: carry_on(house),
        seldom=(lambda: let_go(house), lambda: veil_baselines(house), lambda: sweep_again(ground_of(house))),
        tell=lambda trouble: note_trouble(house.home, trouble),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(serve(archiver))
