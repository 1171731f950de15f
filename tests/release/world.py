"""A small world to release in: people, a model with validated versions, and callers whose requests obey the plan.

The database, the published plan, the prediction log and the members' files are the real ones; only time is fake, and the
gateway is this file: it assigns each request as a gateway does and appends the record that a gateway would.
"""

from __future__ import annotations

import copy
import itertools
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from lockgate.checks.finding import Finding, Status
from lockgate.checks.store import record_findings
from lockgate.clock import FakeClock
from lockgate.config import Home, ModelConfig, Tier
from lockgate.config_release import ReleaseConfig
from lockgate.db import Database, open_database
from lockgate.governance import audit
from lockgate.governance.people import Person, add_person, bootstrap, grant
from lockgate.governance.permissions import RoleName
from lockgate.membership import Loaded, LoadState, Member, Tripped, report
from lockgate.predictions.log import LogReader, SegmentWriter
from lockgate.predictions.record import Attempt, Kind, Record
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task, digest_of
from lockgate.registry.signature import DataType, Field, Signature
from lockgate.registry.store import Version, create_model, record_version
from lockgate.release import store
from lockgate.release.controller import Controller
from lockgate.release.desk import Desk
from lockgate.release.phases import BY_HAND, ENDS, MOVES, Phase, Release
from lockgate.release.start import start
from lockgate.traffic import Arm, PlanShelf, Role, assign

QUICK = ReleaseConfig(
    shadow_requests=100,
    shadow_min_s=10,
    canary=("10%", "50%"),
    stage_min_s=30,
    stage_requests=100,
    watch_s=60,
)
CHECKS = ("leakage", "performance", "quality", "prediction_shift")
Bad = Callable[[int, Arm], str | None]  # key number, arm -> why it fails: "error", "invalid", or None


def never(_number: int, _arm: Arm) -> str | None:
    """A version that never fails."""
    return None


class World:
    """One model, `churn`, its versions and its callers."""

    def __init__(
        self,
        db: Database,
        home: Home,
        clock: FakeClock,
        *,
        tier: Tier = Tier.LOW,
        settings: ModelConfig | None = None,
    ) -> None:
        self.db, self.home, self.clock = db, home, clock
        self.shelf = PlanShelf(home.plan)
        self.writer = SegmentWriter(home.log, "gateway-0", clock=clock)
        self.desk = Desk(db, self.shelf, home.members, clock)
        self.rng = random.Random(20261122)
        self.sent = 0
        self.failed_load: dict[str, str] = {}
        self.tripped: tuple[Tripped, ...] = ()
        self.log_gap = 0
        self.gateways = 1
        self.key_count = 5_000
        self.lost: Callable[[Arm], bool] = lambda _arm: False  # records that never reach the log
        self.routes_seen: list[tuple[int, float]] = []
        base = settings or ModelConfig(release=QUICK)
        self._people(msgspec.structs.replace(base, tier=tier))
        self.beat()

    def close(self) -> None:
        """Let go of the log and the database."""
        self.writer.close()
        self.db.close()

    def copied(self, folder: Path) -> World:
        """The same world at the same time on a copy of its home; this one must be closed."""
        shutil.copytree(self.home.root, folder)
        found = copy.copy(self)
        found.home, found.clock, found.rng = (
            Home(folder),
            FakeClock(self.clock.now_us()),
            copy.deepcopy(self.rng),
        )
        found.db, found.shelf = open_database(f"sqlite:///{found.home.database}"), PlanShelf(found.home.plan)
        found.writer = SegmentWriter(found.home.log, "gateway-0", clock=found.clock)
        found.desk = Desk(found.db, found.shelf, found.home.members, found.clock)
        found.routes_seen = list(self.routes_seen)
        return found

    def _people(self, settings: ModelConfig) -> None:
        now = self.clock.now_us()
        with self.db.write() as tx:
            self.admin = bootstrap(tx, "root", at_us=now)
            made: dict[str, Person] = {}
            for name, role in (("ann", RoleName.BUILDER), ("bob", RoleName.APPROVER), ("cat", RoleName.APPROVER),
                               ("dan", RoleName.VIEWER)):  # fmt: skip
                made[name] = add_person(tx, name, by=self.admin, at_us=now)
                grant(tx, name, role, "churn", by=self.admin, at_us=now)
            self.ann, self.bob, self.cat, self.dan = made.values()
            create_model(tx, "churn", settings, actor="ann", at_us=now)

    def version(
        self,
        number: int,
        *,
        failing: tuple[str, ...] = (),
        validate: bool = True,
        extra: tuple[str, ...] = (),
    ) -> Version:
        """Submit and validate version `number`; `failing` checks block it, `extra` are inputs that it needs besides."""
        inputs = tuple(Field(name=name, datatype=DataType.FP64) for name in ("age", "income", *extra))
        manifest = Manifest(
            framework=Framework.SKLEARN, task=Task.CLASSIFICATION, python="3.11", model_path="model/model.pkl",
            signature=Signature(inputs=inputs, outputs=(Field(name="prediction", datatype=DataType.INT64),)),
            answer=Answer(prediction="prediction"), compiled=Compiled(reason="not tried"), parameters={"n": str(number)},
        )  # fmt: skip
        made = self.seal(manifest)
        if validate:
            with self.db.write() as tx:
                self.validate(tx, made, failing)
        assert made.number == number
        return made

    def seal(self, manifest: Manifest) -> Version:
        """Put a version on record by its manifest alone."""
        with self.db.write() as tx:
            made, _ = record_version(
                tx,
                model="churn",
                digest=digest_of(manifest),
                manifest=manifest,
                author="ann",
                at_us=self.clock.now_us(),
            )
        return made

    def validate(self, tx, version: Version, failing: tuple[str, ...] = ()) -> None:
        """Record findings: every check of the tiers, passed unless named."""
        found = [
            Finding(check=name, subject="all", status=Status.FAIL if name in failing else Status.PASS, headline=name,
                    blocking=name in failing)
            for name in CHECKS
        ]  # fmt: skip
        record_findings(
            tx, version, found, suite="low", data={"test": "sha256:" + "0" * 64}, policy="low/1", author="ann",
            at_us=self.clock.now_us(),
        )  # fmt: skip

    def controller(self, **more) -> Controller:
        """A fresh controller, as after a start."""
        return Controller(
            self.db,
            more.pop("shelf", self.shelf),
            self.home.members,
            LogReader(self.home.log),
            self.clock,
            **more,
        )

    def beat(self) -> None:
        """Every gateway worker obeys the newest plan and says so."""
        plan = self.shelf.latest()
        digests = {arm.digest for route in plan.routes.values() for arm in route.arms}
        packages = {
            digest: Loaded(state=LoadState.FAILED, error=self.failed_load[digest])
            if digest in self.failed_load
            else Loaded(state=LoadState.READY)
            for digest in digests
        }
        for number in range(self.gateways):
            report(self.home.members, Member(
                worker=f"w{number}", pid=1, host="127.0.0.1", port=1, started_us=0, beat_us=self.clock.now_us(),
                epoch=plan.epoch, packages=packages, tripped=self.tripped, log_gap=self.log_gap, ready=True,
            ))  # fmt: skip

    def send(
        self, count: int, *, seconds: float, bad: Bad = never, latency_us: Callable[[Arm], int] | None = None
    ) -> None:
        """Callers send that many requests, evenly over the time, and the shadow scorer scores them in the shadow phase."""
        plan = self.shelf.latest()
        route = plan.routes.get("churn")
        records: list[Record] = []
        for _ in range(count):
            self.clock.sleep(seconds / count)
            self.sent += 1
            if route is None or route.arm(Role.LIVE) is None:
                continue
            records.extend(self._request(plan.epoch, route, plan.killed, bad, latency_us))
        if records:
            self.writer.append(records)
        self.beat()

    def _request(self, epoch, route, killed, bad, latency_us) -> list[Record]:
        number = self.rng.randrange(self.key_count)
        key, made = f"k{number}", f"r{self.sent}"
        if route.release in killed:  # as a gateway does: the canary is never served again
            route = msgspec.structs.replace(
                route, arms=tuple(a for a in route.arms if a.role is not Role.CANARY)
            )
        arm, w = assign(route, key, made)
        self.routes_seen.append((arm.version, w))
        why, live = bad(number, arm), route.arm(Role.LIVE)
        rescued = why and arm.role is Role.CANARY and (route.fallback or why == "input")
        failed = Attempt(arm.version, arm.digest, why, why, 500) if rescued else None
        answers = live if failed else arm
        wrong = why if not failed else None
        common = {
            "at_us": self.clock.now_us(),
            "model": "churn",
            "release": route.release,
            "stage": route.stage,
            "key": key,
        }
        record = Record(
            id=made, version=answers.version, digest=answers.digest, role=answers.role, assigned=arm.role, weight=w,
            epoch=epoch, latency_us=latency_us(arm) if latency_us else 1_000 + number % 997, failed=failed,
            status=500 if wrong else 200, error=f"{wrong}: said so" if wrong else None, **common,
        )  # fmt: skip
        found = [] if self.lost(arm) else [record]
        warm = route.arm(Role.WARM)
        if warm is not None and route.release is not None and route.stage == 0:
            reason = bad(number, warm)
            found.append(Record(kind=Kind.SHADOW, id=f"s{self.sent}", of=made, version=warm.version, digest=warm.digest,
                                status=500 if reason else 200, error=reason, role=Role.SHADOW, **common))  # fmt: skip
        return found

    def running(self) -> Release | None:
        """The running release."""
        with self.db.read() as tx:
            return store.find_running(tx, "churn")

    def last(self) -> Release:
        """The newest release."""
        with self.db.read() as tx:
            return store.releases_of(tx, "churn", limit=1)[0]

    def live(self) -> int | None:
        """The live version, by the database."""
        with self.db.read() as tx:
            return store.live_version(tx, "churn")

    def go(
        self, controller: Controller, until: Phase, *, rounds: int = 400, per_round: int = 50, **sends
    ) -> list[Phase]:
        """Traffic and rounds of the controller until a phase is reached; every phase on the way."""
        seen = [self.last().phase]
        for _ in range(rounds):
            if seen[-1] is until:
                return seen
            self.send(per_round, seconds=5, **sends)
            controller.tick()
            self.beat()
            now = self.last().phase
            if now is not seen[-1]:
                seen.append(now)
        raise AssertionError(f"{until} was not reached: {seen}, {self.last().reason}")

    def ship_first(self, controller: Controller) -> None:
        """Version 1 goes the whole way to live."""
        self.version(1)
        start(self.desk, self.ann, "churn/1")
        self.go(controller, Phase.DONE)


def invariants(world: World) -> None:
    """What holds after every repair: plan and row agree, a weight means a canary, the chain is whole, no unknown state."""
    with world.db.read() as tx:
        assert not audit.find_faults(audit.chain(tx), audit.head(tx))
        routes, plan = store.all_routes(tx), world.shelf.latest()
        assert plan.routes == routes
        for release in store.releases_of(tx):
            moves = store.moves_of(tx, release.id)
            assert [move.seq for move in moves] == list(range(release.seq + 1))
            for before, after in itertools.pairwise(moves):
                by_hand = after.phase is before.phase in BY_HAND
                assert by_hand or after.phase in MOVES[before.phase]
            assert (release.finished_us is not None) == (release.phase in ENDS)
            if release.id in plan.killed:
                assert release.phase in ENDS
        running = store.find_running(tx, "churn")
        route = routes.get("churn")
        canary = route.arm(Role.CANARY) if route else None
        assert (canary is not None) == (running is not None and running.at is Phase.CANARY)
        assert not store.open_effects(tx)


def home_at(folder: Path) -> Home:
    """A prepared home."""
    return Home(folder).prepare()
