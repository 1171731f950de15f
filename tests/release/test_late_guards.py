"""Business values, costs and shifted answers on their way from real tables and a real log to the controller's decision."""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa

from lockgate.blobs import Blobs
from lockgate.clock import FakeClock
from lockgate.config import Goal, Home, ModelConfig
from lockgate.config_release import Business
from lockgate.db import Database
from lockgate.governance import audit
from lockgate.predictions.label_import import import_labels
from lockgate.predictions.record import Kind, Record, blocks_of
from lockgate.release import acts, store
from lockgate.release.business_evidence import from_values
from lockgate.release.guards import GuardName
from lockgate.release.label_feed import LabelFeed
from lockgate.release.phases import Phase
from lockgate.release.queue import Place
from lockgate.release.start import preview, start
from lockgate.release.votes import Vote
from lockgate.traffic import Role, Stick

from .test_label_feed import answered, labelled
from .world import QUICK, World, invariants

SPENDING = ModelConfig(release=msgspec.structs.replace(QUICK, business=Business(metric="revenue")))
COSTLY = ModelConfig(
    release=QUICK, goal=Goal(label_delay_days=0.0), costs={"1": {"0": 100.0}, "0": {"1": 1.0}}
)


def spend(world: World, values: dict[str, float]) -> None:
    """Somebody hands in what callers spent."""
    table = pl.DataFrame({"key": list(values), "revenue": list(values.values())})
    with world.db.write() as tx:
        import_labels(
            tx, "churn", table, on="key", label="revenue", by="ann", now_us=world.clock.now_us(), metric="revenue"
        )  # fmt: skip


def released(sqlite: Database, home: Home, clock: FakeClock, settings: ModelConfig, before: dict[str, float]):
    """Version 2 in its canary, with the feed that reads late guards; `before`: what callers spent until then."""
    world = World(sqlite, home, clock, settings=settings)
    feed = LabelFeed(home, Blobs(str(home.blobs)), sqlite, lambda release: release.created_us)
    controller = world.controller(labels=feed.of)
    world.ship_first(controller)
    if before:
        spend(world, before)
    world.version(2)
    start(world.desk, world.ann, "churn/2")
    world.go(controller, Phase.CANARY)
    return world, feed, controller


USUAL = {f"old{i}": float(i % 20) for i in range(200)}


def test_a_start_reads_values_before_it_writes_and_no_more_than_it_needs(
    sqlite: Database, home: Home, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits while a million values are read; of many the newest say how they lie; in the queue it is alike."""
    monkeypatch.setattr("lockgate.release.start.MOST_VALUES", 150)
    world = World(sqlite, home, clock, settings=SPENDING)
    controller = world.controller()
    world.ship_first(controller)
    spend(world, {f"old{i}": 1_000.0 + i for i in range(200)})
    spend(world, USUAL)
    for number in (2, 3):
        world.version(number)
    read: list[bool] = []

    def note(connection, _cursor, statement, *_more):
        if "labels.label," in statement:
            read.append(bool(connection.get_execution_options().get("lockgate_reads")))

    sa.event.listen(sqlite.engine, "before_cursor_execute", note)
    try:
        first = start(world.desk, world.ann, "churn/2")
        assert isinstance(start(world.desk, world.ann, "churn/3"), Place)
        acts.cancel(world.desk, world.ann, "churn", "the next one")
        controller.tick()
    finally:
        sa.event.remove(sqlite.engine, "before_cursor_execute", note)
    second = world.running()
    assert (first.version, second.version) == (2, 3)  # type: ignore[union-attr]
    for release in (first, second):
        assert release.plan.business.spread.high == 19.0  # type: ignore[union-attr]
    assert read == [True] * 3


@pytest.mark.parametrize("worse", [False, True], ids=["as much", "nothing any more"])
def test_callers_who_stop_spending_end_a_release(
    sqlite: Database, home: Home, clock: FakeClock, worse: bool
) -> None:
    """Values by key, handed in after the requests: only the arm that a caller was assigned to counts."""
    world, feed, controller = released(sqlite, home, clock, SPENDING, USUAL)
    release = world.running()
    assert release is not None
    assert release.plan.business is not None
    rng, spent, records = np.random.default_rng(1), {}, []
    for number in range(1_200):
        role = Role.CANARY if number % 2 else Role.LIVE
        records.append(
            Record(
                id=f"buy-{number}", at_us=world.clock.now_us(), model="churn", release=release.id, stage=2, weight=0.5,
                version=2 if number % 2 else 1, role=role, assigned=role, key=f"buyer{number}", rows=1,
                outputs=blocks_of({"prediction": np.array([0])}),
            )
        )  # fmt: skip
        spent[f"buyer{number}"] = 0.0 if worse and number % 2 else float(rng.integers(0, 20))
    world.writer.append(records)
    feed.look()
    assert feed.of(release.id) is None or not feed.of(release.id).business  # type: ignore[union-attr]
    spend(world, {**spent, "nobody": 5.0})
    feed.look()
    arms = feed.of(release.id).business[2]  # type: ignore[union-attr]
    assert (arms.canary.n, arms.baseline.n) == (600, 600)
    controller.tick()
    assert (world.last().phase is Phase.ROLLED_BACK) == worse
    if worse:
        assert "business metric: the canary is worse (revenue: mean 0 of 600 callers" in world.last().reason
    invariants(world)


def test_a_metric_that_nobody_handed_in_does_not_guard(
    sqlite: Database, home: Home, clock: FakeClock
) -> None:
    """Fewer than a hundred values before the start: the plan says so, and its alpha goes to the others."""
    world = World(sqlite, home, clock, settings=SPENDING)
    world.ship_first(world.controller())
    world.version(2)
    with sqlite.read() as tx:
        lacking = preview(tx, "churn/2")
    assert all(guard.name is not GuardName.BUSINESS for guard in lacking.guards)
    assert any("Business metric revenue: fewer than 100 values" in said for said in lacking.cannot_see)
    spend(world, USUAL)
    with sqlite.read() as tx:
        armed = preview(tx, "churn/2")
    assert any(guard.name is GuardName.BUSINESS for guard in armed.guards)
    assert sum(guard.alpha for guard in armed.guards) == pytest.approx(0.05)


def test_a_metric_that_came_as_yes_and_no_and_as_numbers_guards_all_the_same(
    sqlite: Database, home: Home, clock: FakeClock
) -> None:
    """One file says true and false, the next 1 and 0: all of them count, before the release and in it."""
    world = World(sqlite, home, clock, settings=SPENDING)
    world.ship_first(world.controller())
    world.version(2)
    spend(world, {f"first{i}": bool(i % 2) for i in range(60)})
    spend(world, {f"next{i}": i % 2 for i in range(60)})
    with sqlite.read() as tx:
        business = preview(tx, "churn/2").business
    assert business is not None
    assert (business.spread.low, business.spread.high) == (0.0, 1.0)
    rows = pl.DataFrame(
        {"id": ["a", "b"], "key": ["a", "b"], "stage": [1, 1], "label": ["true", "0"],
         "assigned": [Role.CANARY.value, Role.LIVE.value]}
    )  # fmt: skip
    arms = from_values(rows, business, stick=Stick.KEY)[1]
    assert (arms.canary.mean, arms.baseline.mean) == (1.0, 0.0)


def test_what_wrong_answers_cost_decides_where_costs_are_declared(
    sqlite: Database, home: Home, clock: FakeClock
) -> None:
    """The new version is wrong less often, but a hundred times dearer each time: it goes back, and the words say why."""
    world, feed, controller = released(sqlite, home, clock, COSTLY, {})
    release = world.running()
    assert release is not None
    records, labels = [], {}
    for number in range(90):
        dear = number < 30  # the old version is right on the dear ones, wrong on twice as many cheap ones
        labels[number] = int(dear)
        records += answered(world, release, number, {1: 1, 2: 0}, 1)
    world.writer.append(records)
    labelled(world, labels)
    feed.look()
    found = feed.of(release.id)
    assert found is not None
    assert found.losses is not None
    assert (found.labelled, found.losses.pairs) == (90, 90)
    controller.tick()
    assert world.last().phase is Phase.ROLLED_BACK
    assert "wrong answers: its wrong answers cost more" in world.last().reason


def test_shifted_answers_hold_a_release_and_people_let_it_go_on(
    sqlite: Database, home: Home, clock: FakeClock
) -> None:
    """In shadow both versions said the same; in the canary the new one says yes to all: held, not rolled back."""
    world = World(sqlite, home, clock)
    feed = LabelFeed(home, Blobs(str(home.blobs)), sqlite, lambda release: release.created_us)
    controller = world.controller(labels=feed.of)
    world.ship_first(controller)
    world.version(2)
    start(world.desk, world.ann, "churn/2")
    world.go(controller, Phase.SHADOW)
    release = world.running()
    assert release is not None
    world.writer.append([r for i in range(200) for r in _shadowed(world, release.id, i)])
    feed.look()
    assert feed.of(release.id).outputs.answers == 200  # type: ignore[union-attr]
    world.go(controller, Phase.CANARY)
    assert world.last().frozen.outputs is not None
    world.writer.append([_answer(world, release.id, i, yes=bool(i % 2)) for i in range(1_000)])
    controller.tick()
    assert world.last().phase is Phase.HELD
    assert "answers: they shift more than the shadow showed (share of '1' 100 %" in world.last().reason
    assert world.last().advisory
    with sqlite.read() as tx:
        said = store.moves_of(tx, release.id)[-1].verdicts[0]
    assert (said.guard, said.action) == ("shift", "hold")
    assert isinstance(acts.resume(world.desk, world.bob, "churn", "the season has changed"), Vote)
    acts.resume(world.desk, world.cat, "churn", "the season has changed")
    world.beat()
    controller.tick()
    assert (world.last().phase, world.last().overridden, world.last().void_seq) == (Phase.CANARY, True, 0)
    with sqlite.read() as tx:
        row = audit.rows(tx, action="release:held:canary", limit=1)[0]
    assert list(row.values["accepted"]) == ["share of '1'"]  # type: ignore[arg-type]
    assert row.values["reason"] == "the season has changed"
    for stage in (1, 2):  # the same shift in the next stage, too
        records = [_answer(world, release.id, stage * 10_000 + i, yes=bool(i % 2)) for i in range(1_000)]
        world.writer.append([msgspec.structs.replace(record, stage=stage) for record in records])
        controller.tick()
        assert world.last().phase is Phase.CANARY, world.last().reason


def _shadowed(world: World, release: int, number: int) -> list[Record]:
    """One request, and the new version's same answer to it in shadow."""
    fixed = {"model": "churn", "release": release, "at_us": world.clock.now_us(), "rows": 1,
             "outputs": blocks_of({"prediction": np.array([number % 5 == 0], dtype=np.int64)})}  # fmt: skip
    return [
        Record(id=f"asked-{number}", version=1, key=f"s{number}", **fixed),
        Record(
            kind=Kind.SHADOW, id=f"seen-{number}", of=f"asked-{number}", version=2, role=Role.SHADOW, **fixed
        ),
    ]  # type: ignore[arg-type]


def _answer(world: World, release: int, number: int, *, yes: bool) -> Record:
    """A request of the canary's first stage: its own answer is yes, live's is no."""
    role = Role.CANARY if yes else Role.LIVE
    return Record(
        id=f"now-{number}", at_us=world.clock.now_us(), model="churn", release=release, stage=1, weight=0.5, rows=1,
        version=2 if yes else 1, role=role, assigned=role, key=f"now{number}",
        outputs=blocks_of({"prediction": np.array([int(yes)])}),
    )  # fmt: skip
