"""A service of a hundred requests a day: its month is all that a release has to go by, and all of it is used at once."""

from __future__ import annotations

import msgspec
import pytest

from lockgate.blobs import Blobs
from lockgate.clock import DAY_US
from lockgate.config import ModelConfig
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.query import records
from lockgate.predictions.record import Kind
from lockgate.release.contenders import back_us
from lockgate.release.foreseen import foresee
from lockgate.release.phases import Phase
from lockgate.release.shadow import CHUNK, Scorer
from lockgate.release.shadow_score import ShadowJob
from lockgate.release.snapshots import traffic_of
from lockgate.release.start import start

from .shadow_models import NOON_US, model, request
from .world import QUICK, World

DAYS, PER_DAY = 30, 100


@pytest.fixture
def month(sqlite, home, clock):
    """A live version that was asked a hundred times a day for a month; nothing was set."""
    world = World(sqlite, home, clock, settings=ModelConfig())
    world.key_count = 60
    controller = world.controller()
    world.version(1)
    start(world.desk, world.ann, "churn/1", settings=QUICK)
    world.go(controller, Phase.DONE)
    for _ in range(DAYS):
        world.send(PER_DAY, seconds=86_400)
        controller.tick()
    world.version(2)
    return world, controller


def test_its_plan_fits_a_week_and_says_what_goes_unseen(month):
    """Measured as it is; shadow, canary and watch end within the seven days; what a hundred a day do not show is named."""
    world, controller = month
    controller.close()
    made = start(world.desk, world.ann, "churn/2")
    plan = made.plan
    assert plan.per_s * 86_400 == pytest.approx(PER_DAY, rel=0.1)
    steps = zip(plan.stage_requests, plan.stages, plan.stage_min_s, strict=True)
    canary_s = sum(max(count / (w * plan.per_s), least) for count, w, least in steps)
    assert plan.shadow_min_s + canary_s + plan.watch_s <= plan.max_s
    with world.db.read() as tx:
        found = foresee(plan, traffic_of(tx, "churn"))
    late = [one for one in found if one.median / plan.per_s > plan.max_s]
    assert late
    for one in late:
        assert any(
            said.startswith(one.harm) and "goes unseen: it would take" in said for said in plan.cannot_see
        )
    for one in set(found) - set(late):
        assert any(said.startswith(one.harm) for said in plan.will_see)
    assert (
        made.created_us - back_us(plan, made.created_us) == DAYS * DAY_US
    )  # the shadow goes back for a month


def test_a_month_of_requests_is_shadowed_at_once(home, blobs: Blobs, sqlite, clock):
    """Three thousand recorded requests are a few steps, each scored once; the scorer waits for nobody."""
    job = ShadowJob(model="quiet", version=2, digest="sha256:50", release=1, since_us=NOON_US)
    log = SegmentWriter(home.log, "gateway-0", clock=clock)
    one = request("r", 45.0)
    for number in range(DAYS * PER_DAY // CHUNK):
        log.append([_asked(one, number * CHUNK + n) for n in range(CHUNK)])
    log.close()
    scorer = Scorer(home, blobs, sqlite, lambda _job: model(50.0), clock=clock)
    steps = 0
    while scorer.step([job]):
        steps += 1
    scorer.close()
    scored = [record.of for record in records(home, blobs, "quiet", version=2, kinds=[Kind.SHADOW])]
    assert len(scored) == len(set(scored)) == DAYS * PER_DAY
    assert steps <= 2 * DAYS * PER_DAY // CHUNK + 2


def _asked(one, number: int):
    """The same request as another, of a later moment."""
    return msgspec.structs.replace(
        one, id=f"q{number}", model="quiet", at_us=NOON_US + number * DAY_US // PER_DAY
    )
