"""People, traffic, faults and controllers in any order: the release never leaves the table."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from tests.release.world import QUICK, World, home_at, invariants

from lockgate.clock import FakeClock
from lockgate.config import ModelConfig
from lockgate.db import migrate, open_database
from lockgate.errors import Conflict, Forbidden, InvalidInput, NotFound
from lockgate.membership import Tripped
from lockgate.release import acts, hands
from lockgate.release.phases import Phase
from lockgate.release.start import start
from lockgate.traffic import Role

REFUSALS = (Conflict, NotFound, Forbidden)


class Releases(RuleBasedStateMachine):
    """Random acts of three people, traffic good and bad, deaths of controllers and of gateways."""

    @initialize()
    def begin(self):
        """An empty home with one live version."""
        self.folder = tempfile.TemporaryDirectory()
        home = home_at(Path(self.folder.name))
        self.db = open_database(f"sqlite:///{home.database}")
        migrate(self.db)
        self.world = World(self.db, home, FakeClock(), settings=ModelConfig(release=QUICK))
        self.controller = self.world.controller()
        self.world.ship_first(self.controller)
        self.number = 1

    @rule(supersede=st.booleans())
    def start_next(self, supersede):
        """Submit and start another version."""
        self.number += 1
        self.world.version(self.number)
        try:
            start(self.world.desk, self.world.ann, f"churn/{self.number}", supersede=supersede)
        except REFUSALS:
            return

    @rule(
        act=st.sampled_from(
            [acts.hold, acts.resume, acts.promote, acts.cancel, acts.rollback, acts.approve, acts.reject]
        ),
        who=st.sampled_from(["ann", "bob", "cat", "dan"]),
    )
    def press(self, act, who):
        """Somebody presses a button."""
        more = {"wait": False} if act is acts.rollback else {}
        try:
            act(self.world.desk, getattr(self.world, who), "churn", "because", **more)
        except REFUSALS:
            return

    @rule(
        who=st.sampled_from(["ann", "bob", "dan"]),
        to=st.one_of(st.none(), st.sampled_from([0.0, 0.02, 0.1, 0.3])),
        seconds=st.one_of(st.none(), st.floats(1, 1e5)),
    )
    def set_by_hand(self, who, to, seconds):
        """Somebody gives time, or another weight."""
        person, desk = getattr(self.world, who), self.world.desk
        try:
            if seconds is None:
                hands.weigh(desk, person, "churn", "because", weight=to, wait=False)
            else:
                hands.give_time(desk, person, "churn", "because", seconds=seconds)
        except (*REFUSALS, InvalidInput):
            return

    @rule(rounds=st.integers(1, 25), bad=st.sampled_from(["none", "new", "all"]))
    def traffic(self, rounds, bad):
        """Callers call, the controller does its rounds."""
        failing = {
            "none": lambda n, arm: None,
            "new": lambda n, arm: "error" if arm.version == self.number and n % 4 == 0 else None,
            "all": lambda n, arm: "error" if n % 4 == 0 else None,
        }[bad]
        for _ in range(rounds):
            self.world.send(40, seconds=5, bad=failing)
            self.controller.tick()
            self.world.beat()

    @rule()
    def silence(self):
        """Nobody calls for an hour."""
        self.world.clock.sleep(3600)
        self.world.beat()
        self.controller.tick()

    @rule()
    def replace_controller(self):
        """The controller dies, another one starts."""
        self.world.clock.sleep(6)
        self.world.beat()
        self.controller = self.world.controller()
        self.controller.tick()

    @rule()
    def breaker_opens(self):
        """A gateway worker drops the canary."""
        running = self.world.running()
        if running is not None:
            self.world.tripped = (Tripped(release=running.id, reason="crashes", at_us=0),)

    @rule()
    def settle(self):
        """After two rounds of the controller everything holds, and a live version answers."""
        for _ in range(2):
            self.world.clock.sleep(3)
            self.world.beat()
            self.controller.tick()
        invariants(self.world)
        route = self.world.shelf.latest().routes["churn"]
        assert route.arm(Role.LIVE) is not None
        running = self.world.running()
        assert running is None or running.phase in Phase

    def teardown(self):
        """Take the home away."""
        if hasattr(self, "db"):
            self.settle()
            self.db.close()
            self.folder.cleanup()


TestReleases = Releases.TestCase
TestReleases.settings = settings(
    max_examples=12, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
