"""A newer version goes the whole way while a stretch of production is played: shadow, canary step by step, watch, done.

Real parts: the desk that starts it, the shadow scorer, the feed of labels, the controller with every guard, the published plan,
the gateway's canaries. They are the very parts that `lockgate up` runs, turn by turn instead of in processes of their own,
because the time is told: a turn waits until the gateway has said that it lives by the new time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from benchmarks.monitor.through import Case, submit, validated

from lockgate.config_release import ReleaseConfig
from lockgate.membership import members
from lockgate.predictions.log import LogReader
from lockgate.release.controller import Controller
from lockgate.release.label_feed import LabelFeed
from lockgate.release.phases import Phase, Release
from lockgate.release.shadow import Scorer
from lockgate.release.start import start
from lockgate.release.store import find_running, releases_of
from lockgate.wiring.house import House
from lockgate.wiring.releasing import admit_by_policy, desk_of
from lockgate.wiring.shadowing import history_us, opener, wanted

EVERY = 20  # requests between two turns
BEAT_S = 60.0  # a gateway that says nothing for so long is not there


@dataclass
class Move:
    """Where a release was from a row on, and why."""

    row: int
    phase: Phase
    stage: int
    reason: str


@dataclass(eq=False)
class Staged:
    """Carries the release of a model's second version, begun at a row."""

    house: House
    model: str
    at_row: int
    plan: ReleaseConfig
    moves: list[Move] = field(default_factory=list)
    _requests: int = 0
    _begun: bool = False

    def __post_init__(self) -> None:
        """With the parts that a box runs beside its gateway."""
        house = self.house
        self._feed = LabelFeed(house.home, house.blobs, house.db, history_us)
        self._scorer = Scorer(house.home, house.blobs, house.db, opener(house), clock=house.clock)
        self._jobs = wanted(house)
        self._controller = Controller(
            house.db, house.plan, house.home.members, LogReader(house.home.log), house.clock,
            labels=self._feed.of, admit=admit_by_policy(house.clock),
        )  # fmt: skip
        self._turn(0)

    def asked(self, row: int) -> None:
        """A turn now and then; the release begins when its row has come."""
        if not self._begun and row >= self.at_row:
            self._turn(row)
            start(
                desk_of(self.house),
                self.house.owner,
                f"{self.model}/2",
                "trained on more rows",
                settings=self.plan,
            )
            self._begun = True
        self._requests += 1
        if self._requests % EVERY == 0:
            self._turn(row)

    def looked(self, row: int) -> None:
        """Labels may have come: the guards hear of them."""
        self._feed.look()
        self._turn(row)

    def close(self) -> None:
        """Let the parts go."""
        self._controller.close()
        self._scorer.close()

    @property
    def release(self) -> Release:
        """The newest release."""
        with self.house.db.read() as tx:
            return releases_of(tx, self.model, limit=1)[0]

    def _turn(self, row: int) -> None:
        self._wait_for_gateway()
        with self.house.db.read() as tx:
            running = find_running(tx, self.model)
        while running is not None and self._scorer.step(self._jobs()):
            continue
        self._controller.tick()
        if self._begun:
            self._note(row, self.release)

    def _note(self, row: int, now: Release) -> None:
        last = self.moves[-1] if self.moves else None
        if last is None or (last.phase, last.stage) != (now.phase, now.stage):
            self.moves.append(Move(row, now.phase, now.stage, now.reason))

    def _wait_for_gateway(self) -> None:
        until = time.monotonic() + BEAT_S
        while not members(self.house.home.members, self.house.clock.now_us()):
            if time.monotonic() > until:
                raise RuntimeError("the gateway said nothing")
            time.sleep(0.02)


def staged(
    case: Case, newer: object, at_row: int, plan: ReleaseConfig, told: list[Staged]
) -> Callable[[House], AbstractContextManager[Staged]]:
    """What `through` takes as `beside`: submits and validates the newer model, then carries its release. `told`: gets it."""

    @contextmanager
    def beside(house: House) -> Iterator[Staged]:
        submit(case, newer, house.home.root)
        validated(house, case.name, 2)
        made = Staged(house, case.name, at_row, plan)
        told.append(made)
        try:
            yield made
        finally:
            made.close()

    return beside
