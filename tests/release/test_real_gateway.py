"""The whole way with nothing played: real packages, a real gateway worker, real HTTP, a real shadow scorer."""

import random
import time

import httpx
import pytest
from tests.gateway.conftest import World as Gateway
from tests.release.world import CHECKS

from lockgate.checks.finding import Finding, Status
from lockgate.checks.store import record_findings
from lockgate.clock import SystemClock
from lockgate.config import EnvironmentConfig, ModelConfig
from lockgate.config_release import ReleaseConfig
from lockgate.governance.people import bootstrap
from lockgate.inference.open import open_model
from lockgate.predictions.log import LogReader
from lockgate.registry.package import blob_name, read_manifest
from lockgate.registry.store import create_model, record_version
from lockgate.release import acts, store
from lockgate.release.controller import Controller
from lockgate.release.desk import Desk
from lockgate.release.phases import ENDS, Phase
from lockgate.release.shadow import Scorer
from lockgate.release.shadow_score import ShadowJob
from lockgate.release.start import start

PLAN = ReleaseConfig(
    shadow_requests=60,
    shadow_min_s=0.2,
    canary=("20%", "50%"),
    stage_min_s=0.5,
    stage_requests=40,
    watch_s=1.0,
    p99_limit_ms=60_000,  # errors are what is tried: a busy machine may be slow
)


class Box:
    """One box: database, gateway worker, controller and shadow scorer; the last two run in this process, round by round."""

    def __init__(self, db, home, blobs):
        self.db, self.gateway, self.clock = db, Gateway(home, blobs), SystemClock()
        self.desk = Desk(db, self.gateway.plan, home.members, self.clock)
        self.controller = Controller(db, self.gateway.plan, home.members, LogReader(home.log), self.clock)
        self.home, self.blobs, self.rng = home, blobs, random.Random(3)
        self.scorer = Scorer(home, blobs, db, self._open, clock=self.clock)
        with db.write() as tx:
            self.ann = bootstrap(tx, "ann", at_us=self.clock.now_us())
            create_model(tx, "churn", ModelConfig(release=PLAN), actor="ann", at_us=self.clock.now_us())
        self.largest, self.statuses, self.versions = 6, [], []
        self.gateway.worker("gateway-0", listening=False)

    def submit(self, kind="good", bias=0.0):
        """Seal, record and validate a version; its name."""
        digest = self.gateway.package(kind, bias=bias)
        manifest = read_manifest(self.blobs.fetch_tree(blob_name(digest), self.home.cache), digest)
        now = self.clock.now_us()
        with self.db.write() as tx:
            made, _ = record_version(
                tx, model="churn", digest=digest, manifest=manifest, author="ann", at_us=now
            )
            found = [Finding(check=name, subject="all", status=Status.PASS, headline=name) for name in CHECKS]
            record_findings(tx, made, found, suite="low", data={}, policy="low/1", author="ann", at_us=now)
        return made.name

    def release(self, name, until=ENDS, limit_s=200.0):
        """Start a release, and call, score and control until it is in one of these phases."""
        release = start(self.desk, self.ann, name)
        deadline = time.monotonic() + limit_s
        with self.gateway.client() as client:
            while self.phase(release.id) not in until:
                assert time.monotonic() < deadline, self.last().reason
                self.round(client)
        return self.last()

    def round(self, client):
        """Twenty callers, then one round of scorer and controller."""
        for _ in range(20):
            self.call(client)
        self.scorer.step(self._jobs())
        self.controller.tick()

    def call(self, client):
        """One request of one caller, with a category that grows when the world does."""
        row = [float(self.rng.randrange(self.largest + 1)), 1.0, 0.5]
        body = self.gateway.infer(row, key=f"k{self.rng.randrange(10**6)}")
        try:
            response = client.post("/v2/models/churn/infer", json=body)
        except httpx.TransportError:  # the worker is not up yet
            return
        self.statuses.append(response.status_code)
        self.versions.append(response.headers.get("x-lockgate-version"))

    def phase(self, number):
        """Where a release is."""
        with self.db.read() as tx:
            return store.get_release(tx, number).phase

    def last(self):
        """The newest release."""
        with self.db.read() as tx:
            return store.releases_of(tx, "churn", limit=1)[0]

    def _jobs(self):
        with self.db.read() as tx:
            running = store.find_running(tx, "churn")
        if running is None or not running.plan.shadow or running.at not in (Phase.SHADOW, Phase.APPROVAL):
            return []
        return [ShadowJob("churn", running.version, running.digest, running.id, since_us=running.created_us)]

    def _open(self, job):
        folder = self.blobs.fetch_tree(blob_name(job.digest), self.home.cache)
        return open_model(folder, job.digest, home=self.home, environment=EnvironmentConfig())

    def close(self):
        """End everything."""
        self.controller.close()
        self.scorer.close()
        self.gateway.close()


@pytest.fixture
def box(sqlite, home, blobs):
    """A box with one worker."""
    made = Box(sqlite, home, blobs)
    yield made
    made.close()


def test_from_first_version_to_rollback_to_better_one(box):
    """First version live; a second that never saw a category is rolled back and no caller sees an error; a third goes live."""
    assert box.release(box.submit()).phase is Phase.DONE
    box.statuses.clear()
    second = box.release(box.submit("raises"), until={Phase.CANARY})
    assert second.stage == 1
    box.largest = 9  # a category comes that the second version never saw: it raises
    with box.gateway.client() as client:
        deadline = time.monotonic() + 200
        while box.last().phase is not Phase.ROLLED_BACK:
            assert time.monotonic() < deadline, box.last().reason
            box.round(client)
        box.versions.clear()
        for _ in range(50):
            box.call(client)
    assert set(box.versions) == {"churn/1"}
    third = box.release(box.submit(bias=0.25))
    assert third.phase is Phase.DONE
    assert set(box.statuses) == {200}
    records = [r for r in box.gateway.records() if r.release == second.id and r.failed is not None]
    assert records
    assert all(record.status == 200 and record.version == 1 for record in records)
    assert acts.rollback(box.desk, box.ann, "churn", "the old one was fine").phase is Phase.ROLLED_BACK
    with box.gateway.client() as client:
        box.versions.clear()
        for _ in range(20):
            box.call(client)
    assert set(box.versions) == {"churn/1"}
