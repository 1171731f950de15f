"""The same stage through a real gateway process: callers ask over HTTP, the gateway answers and writes the log (`stage.py`).

Compressed are the time, which a file tells (`benchmarks.monitor.told_clock`), and releases, which go live in one move.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import polars as pl
from benchmarks.monitor.asking import ASK_S, START_S, Ask, asked
from benchmarks.monitor.told_clock import ToldClock
from benchmarks.retraining.stage import Case, Stage

from lockgate.config import Home
from lockgate.predictions.archive import archive
from lockgate.release.phases import Release
from lockgate.traffic import Arm, Role, Route
from lockgate.wiring.house import House, open_house

ARCHIVE_EVERY = 10  # looks


class Through(Stage):
    """A stage whose rows a gateway answers; it begins with the first request."""

    def __init__(self, case: Case, house: House, stack: ExitStack) -> None:
        super().__init__(case, house, None)
        self._stack = stack
        self._ask: Ask | None = None

    def look(self) -> None:
        """As ever; what was recorded moves into the archive now and then."""
        super().look()
        if len(self.days) % ARCHIVE_EVERY == 0:
            archive(self.house.home.log, self.house.blobs, self.house.db)

    def _answer(self, part: pl.DataFrame, inputs: list[str]) -> str:
        self.house.clock.tell(int(part["at_us"][0]))  # type: ignore[attr-defined]
        if self._ask is None:
            self._ask = self._stack.enter_context(asked(self.house, self.case.model))
        return self._ask(part.select(inputs))

    def _finish(self, running: Release) -> None:
        super()._finish(running)
        arm = Arm(version=running.version, digest=running.digest, role=Role.LIVE)
        self.house.plan.publish_route(
            Route(model=running.model, arms=(arm,), deadline_ms=round(ASK_S * 1_000))
        )
        if self._ask is not None:
            until = time.monotonic() + START_S
            while not self._ask.answered_by(running.version):
                if time.monotonic() > until:
                    raise RuntimeError(f"the gateway did not begin to answer by version {running.version}")
                time.sleep(0.1)


def through(case: Case, folder: Path, at_us: int, *, then: Callable[[Stage], None]) -> None:
    """Open a home whose time is told from `at_us` on, let the stage play, close it all."""
    folder.mkdir(parents=True, exist_ok=True)
    house = open_house(Home(folder), ToldClock(folder / "told-clock", at_us))
    try:
        with ExitStack() as stack:
            stage = Through(case, house, stack)
            try:
                then(stage)
            finally:
                stage.close()
    finally:
        house.close()
