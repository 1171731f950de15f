"""A quiet service, 100 requests a day: shadowed over what it recorded, judged within minutes, released within its days."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl
import pytest
from tests.release.shadow_models import LIVE, model
from tests.release.world import World

from lockgate.clock import DAY_US, MINUTE_US, FakeClock
from lockgate.config import Home, ModelConfig
from lockgate.config_release import ReleaseConfig
from lockgate.db import open_database
from lockgate.predictions.archive import archive
from lockgate.predictions.label_import import import_labels
from lockgate.predictions.record import Kind, Record, blocks_of
from lockgate.registry.manifest import Answer
from lockgate.release.controller import Controller
from lockgate.release.phases import Phase
from lockgate.release.shadow import Scorer
from lockgate.release.start import start
from lockgate.wiring.house import House, open_house
from lockgate.wiring.shadowing import wanted
from lockgate.wiring.verdicts import shadow_of

DAYS, PER_DAY = 30, 100
ANSWER = Answer(prediction="label", probability="p", classes=(0, 1), positive=1)
MODELS = {1: LIVE, 2: model(46.0)}
SETTINGS = ModelConfig(release=ReleaseConfig(), costs={"1": {"0": 50.0}, "0": {"1": 5.0}}, personal=("plan",))


class Quiet(World):
    """Callers who send real inputs and get a real model's answers; nobody but the scorer shadows."""

    def version(self, number: int, **_: object):
        """One of the models above, sealed by its manifest alone and validated."""
        manifest = msgspec.structs.replace(
            MODELS[number].manifest, answer=ANSWER, parameters={"n": str(number)}
        )
        made = self.seal(manifest)
        with self.db.write() as tx:
            self.validate(tx, made)
        return made

    def _request(self, *asked) -> list[Record]:
        inputs = {"age": np.array([self.rng.uniform(20, 70)]), "plan": np.array(["basic"], dtype=object)}
        return [
            msgspec.structs.replace(
                record, rows=1, inputs=blocks_of(inputs), outputs=blocks_of(MODELS[record.version].predict(inputs))
            )
            for record in super()._request(*asked)
            if record.kind is Kind.ANSWER
        ]  # fmt: skip


@dataclass
class Service:
    """A service with a month behind it."""

    world: Quiet
    house: House
    controller: Controller


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """30 days of 100 requests each, recorded and archived, answered by version 1."""
    home, clock = Home(tmp_path_factory.mktemp("quiet")).prepare(), FakeClock()
    house = open_house(home, clock)
    world = Quiet(open_database(f"sqlite:///{home.database}"), home, clock, settings=SETTINGS)
    controller = world.controller()
    world.version(1)
    start(world.desk, world.ann, "churn/1", settings=ReleaseConfig(watch_s=60))
    world.go(controller, Phase.DONE, per_round=1)
    for _ in range(DAYS):
        world.send(PER_DAY, seconds=86_400)
        controller.tick()
    world.writer.close()
    archive(home.log, house.blobs, house.db)
    world.writer = type(world.writer)(home.log, "gateway-0", clock=clock)
    yield Service(world, house, controller)
    controller.close()
    house.close()
    world.close()


def test_a_quiet_service_is_judged_within_minutes_and_released_within_its_days(service: Service) -> None:
    """The month that was recorded is the shadow; the plan fits its days and says what it cannot see."""
    world, clock = service.world, service.world.clock
    world.version(2)
    made = start(world.desk, world.ann, "churn/2")
    begun = clock.now_us()
    scorer = Scorer(
        world.home, service.house.blobs, service.house.db, lambda job: MODELS[job.version], clock=clock
    )
    while world.last().phase in (Phase.DRAFT, Phase.WARMING, Phase.SHADOW):
        clock.sleep(30)
        world.beat()
        service.controller.tick()
        while scorer.step(wanted(service.house)()):
            pass
        assert clock.now_us() - begun < 20 * MINUTE_US, world.last().reason
    told = shadow_of(service.house, world.last())
    assert told is not None
    assert told.pairs >= DAYS * PER_DAY
    assert told.told == "many"
    assert told.rate_old is not None
    assert told.rate_new is not None
    assert told.rate_old - told.rate_new == pytest.approx(6 / 50, abs=0.03)  # ages are even from 20 to 70
    assert "age over 40" in told.segments[0].words
    assert len(told.largest) == 10
    assert {*told.largest[0].inputs} == {"age"}  # what is personal is not shown
    assert {cost.basis for cost in told.costs} == {"old", "new"}
    assert any("small traffic" in sentence for sentence in made.plan.sentences)
    assert any("goes unseen" in sentence for sentence in made.plan.cannot_see)
    while world.running() is not None:
        world.send(PER_DAY // 4, seconds=86_400 / 4)
        service.controller.tick()
        while scorer.step(wanted(service.house)()):
            pass
        assert clock.now_us() - begun < made.plan.max_s * 1e6 + DAY_US, world.last().reason
    scorer.close()
    assert world.last().phase in (Phase.DONE, Phase.ROLLED_BACK), world.last().reason


def test_labels_say_what_it_costs_and_inputs_are_for_readers_of_the_log(service: Service) -> None:
    """Labels that come later turn a guess by two versions into a figure; without the right to read the log no input shows."""
    world = service.world
    release = world.last()
    asked = [f"r{number}" for number in range(200, 1_700)]
    labels = pl.DataFrame({"id": asked, "left": [number % 2 for number in range(len(asked))]})
    with service.house.db.write() as tx:
        import_labels(
            tx, "churn", labels, on="id", label="left", source="file", by="ann", now_us=world.clock.now_us()
        )
    told = shadow_of(service.house, release, inputs=False)
    assert told is not None
    by = {cost.basis: cost for cost in told.costs}
    assert by["labels"].rows > 1_000
    assert by["labels"].change > 0  # half of those who are now missed would have left, at 50 each
    assert "whose label is known, 1,000 decisions would cost" in told.sentence
    assert all(one.inputs == {} for one in told.largest)
    assert all(one.old_score is not None for one in told.largest)
