"""A console with something to show: models, versions, findings, a release that runs, one that was rolled back, a log.

Built on the small world of the release tests: real database, real log, real controller; only time is fake.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec
import numpy as np
import uvicorn

from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.store import record_findings
from lockgate.clock import DAY_US, HOUR_US, FakeClock
from lockgate.config import Goal, Home, ModelConfig, Tier
from lockgate.db import Database
from lockgate.governance.checkpoints import checkpoint
from lockgate.governance.keys import create_key
from lockgate.governance.people import add_person, find_person, get_person, grant
from lockgate.governance.permissions import RoleName
from lockgate.predictions.record import Kind, Record, blocks_of
from lockgate.registry.annotations import annotate
from lockgate.registry.manifest import (
    Answer,
    Compiled,
    Framework,
    Manifest,
    Parity,
    SealedFile,
    Task,
    digest_of,
)
from lockgate.registry.signature import DataType, Field, Signature
from lockgate.registry.store import create_model, record_version
from lockgate.release.phases import Phase
from lockgate.release.start import start
from lockgate.web.app import create_app
from lockgate.wiring.house import House, account_of, open_house

from ...release.world import QUICK, World

CHURN = ModelConfig(
    owner="growth-team",
    description="Who will leave within the next thirty days",
    goal=Goal(metric="roc_auc", at_least=0.80, text="Keep 200 customers a month"),
    key="customer_id",
    release=QUICK,
)
BIKES = ModelConfig(owner="city-ops", description="Bikes hired in the next hour, per station", tier=Tier.LOW)
LOANS = ModelConfig(owner="credit-risk", description="Will a car loan be repaid on time?", tier=Tier.HIGH)
FINDINGS = (
    Finding(
        check="performance", subject="roc_auc", status=Status.PASS,
        headline="ROC AUC is 0.871 on 4,212 test rows, above the goal of 0.80.",
        measure=Measure(name="roc_auc", value=0.871, low=0.859, high=0.883),
        threshold=Threshold(at_least=0.8, source="the goal"),
        plot=Plot(kind=PlotKind.BARS, title="ROC AUC by slice", data={"axis": "ROC AUC", "bars": [
            {"name": "all", "value": 0.871, "low": 0.859, "high": 0.883},
            {"name": "contract: monthly", "value": 0.842, "low": 0.822, "high": 0.862},
            {"name": "contract: yearly", "value": 0.880, "low": 0.861, "high": 0.899},
            {"name": "senior: yes", "value": 0.815, "low": 0.774, "high": 0.856},
        ]}),
    ),
    Finding(
        check="leakage", subject="tenure_days", status=Status.FAIL, blocking=True,
        headline="The column tenure_days alone predicts the target almost perfectly (AUC 0.99).",
        advice="Ask when tenure_days is known. If it is written after the customer left, leave it out and submit again.",
        measure=Measure(name="auc of one column", value=0.991, low=0.986, high=0.996),
        table=Table(columns=("column", "auc", "known at prediction time"),
                    rows=(("tenure_days", 0.991, False), ("monthly_charge", 0.612, True), ("plan", 0.587, None))),
    ),
    Finding(
        check="quality", subject="income", status=Status.WARN,
        headline="18 % of income is missing in production data, 2 % in training data.",
        advice="See whether the source changed, or train with the missing share of today.",
        measure=Measure(name="missing", value=0.18, unit="share"),
    ),
    Finding(
        check="prediction_shift", subject="decisions", status=Status.COULD_NOT_RUN,
        headline="There is no live version to compare with.", advice="Nothing to do for a first version.",
    ),
)  # fmt: skip


class Callers(World):
    """Callers whose requests and answers can be looked at: two inputs, one decision, now and then another in shadow."""

    def _request(self, epoch, route, killed, bad, latency_us) -> list[Record]:
        made = super()._request(epoch, route, killed, bad, latency_us)
        if not made:
            return made
        age, income = float(self.rng.randrange(18, 80)), round(self.rng.gauss(41_000, 9_000), 2)
        inputs = blocks_of({"age": np.array([age]), "income": np.array([income])})
        decision = int(income < 38_000)
        return [msgspec.structs.replace(record, rows=1, inputs=inputs, caller="shop", outputs=self._answer(record, decision, age))
                for record in made]  # fmt: skip

    def _answer(self, record: Record, decision: int, age: float) -> list:
        if record.status >= 400:
            return []
        other = record.kind is Kind.SHADOW and (age > 70 or self.rng.random() < 0.01)
        return blocks_of({"prediction": np.array([1 - decision if other else decision])})


@dataclass
class Scene:
    """A served console. `keys`: a key for each person by name."""

    url: str
    keys: dict[str, str]
    world: World
    house: House


@contextmanager
def served(home: Home, db: Database, clock: FakeClock) -> Iterator[Scene]:
    """The console on a free port of this machine, until the block ends."""
    world = Callers(db, home, clock, tier=Tier.MEDIUM, settings=CHURN)
    _fill(world)
    house = open_house(home, clock)
    app = create_app(house)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Scene(f"http://127.0.0.1:{port}", _keys(world), world, house)
    finally:
        server.should_exit = True
        thread.join()
        app.state.jobs.close()
        house.close()


def _fill(world: World) -> None:
    with world.db.write() as tx:
        account = account_of(world.home)
        if find_person(tx, account) is None:
            add_person(tx, account, by=world.admin, at_us=world.clock.now_us())
            grant(tx, account, RoleName.ADMIN, by=world.admin, at_us=world.clock.now_us())
        for name, role in (("eva", RoleName.AUDITOR), ("shop", RoleName.CALLER)):
            add_person(tx, name, by=world.admin, at_us=world.clock.now_us())
            grant(tx, name, role, by=world.admin, at_us=world.clock.now_us())
        add_person(tx, "stan", name="Stan Stranger", by=world.admin, at_us=world.clock.now_us())
    controller = world.controller()
    world.version(1)
    start(world.desk, world.ann, "churn/1", "first one")
    _approved(world, controller)
    world.go(controller, Phase.DONE)
    world.clock.sleep(2 * 3600)
    world.version(2)
    start(world.desk, world.ann, "churn/2", "more trees")
    world.go(controller, Phase.APPROVAL, per_round=120)
    _approved(world, controller)
    world.go(
        controller,
        Phase.ROLLED_BACK,
        bad=lambda number, arm: "error" if arm.version == 2 and number % 3 == 0 else None,
    )
    world.clock.sleep(3600)
    world.version(3)
    with world.db.write() as tx:
        annotate(
            tx,
            "churn/3",
            "Trained on the autumn data, plan as a category.",
            actor="ann",
            at_us=world.clock.now_us(),
        )
    start(world.desk, world.ann, "churn/3", "autumn data")
    world.go(controller, Phase.APPROVAL, per_round=120)
    controller.tick()  # asks for the approval
    _others(world)
    _requests(world)
    checkpoint(world.db, world.home, at_us=world.clock.now_us())


def _approved(world: World, controller) -> None:
    from lockgate.release.acts import approve  # noqa: PLC0415

    for _ in range(200):
        running = world.running()
        assert running is not None
        if running.phase is Phase.APPROVAL:
            break
        world.send(120, seconds=5)
        controller.tick()
        world.beat()
    approve(world.desk, world.bob, "churn", "Findings read, nothing against it.")


def _others(world: World) -> None:
    now = world.clock.now_us()
    fields = tuple(
        Field(
            name=name,
            datatype=kind,
            nullable=name == "income",
            categories=("a", "b") if name == "plan" else None,
        )
        for name, kind in (("age", DataType.FP64), ("income", DataType.FP64), ("plan", DataType.BYTES))
    )
    manifest = Manifest(
        framework=Framework.LIGHTGBM, framework_version="4.6.0", task=Task.CLASSIFICATION, python="3.11",
        model_path="model/model.txt", code_commit="9f1c2ab77e0d4c3b8a5d6e7f8091a2b3c4d5e6f7",
        signature=Signature(inputs=fields, outputs=(Field(name="probability", datatype=DataType.FP32, shape=(2,)),)),
        answer=Answer(prediction="probability", probability="probability", classes=("no", "yes"), positive="yes"),
        compiled=Compiled(path="compiled/model.onnx", parity=Parity(
            rows=4212, largest_difference=2.2e-7, flips=0, tolerance=1e-5,
            covered=("missing: income", "unknown category: plan"))),
        data={"train": "sha256:" + "1f" * 32, "test": "sha256:" + "2e" * 32}, requirements=("lightgbm==4.6.0", "numpy==2.4.6"),
        parameters={"num_leaves": "31", "learning_rate": "0.05", **{f"option_{n:02}": str(n) for n in range(20)}},
        metrics={"roc_auc": 0.871, "log_loss": 0.312},
        files={"model/model.txt": SealedFile("0" * 64, 88_000)},
    )  # fmt: skip
    with world.db.write() as tx:
        create_model(tx, "bike-hire", BIKES, actor="root", at_us=now - 40 * DAY_US)
        create_model(tx, "car-loan", LOANS, actor="root", at_us=now - 12 * DAY_US)
        made, _ = record_version(
            tx,
            model="car-loan",
            digest=digest_of(manifest),
            manifest=manifest,
            author="ann",
            at_us=now - 5 * HOUR_US,
        )
        record_findings(
            tx,
            made,
            FINDINGS,
            suite="high",
            data=manifest.data,
            policy="high/1",
            author="ann",
            at_us=now - 4 * HOUR_US,
        )


def _requests(world: World) -> None:
    rng = np.random.default_rng(7)
    records = []
    for number in range(40):
        columns = {"age": rng.integers(18, 80, 1).astype(float), "income": rng.normal(41_000, 9_000, 1)}
        record = Record(
            id=f"{number:032x}", at_us=world.clock.now_us() - number * 1_700_000, latency_us=int(rng.integers(600, 4000)),
            model="churn", version=1, digest="sha256:1", key=f"customer-{number * 37}", caller="shop", rows=1,
            inputs=blocks_of(columns), outputs=blocks_of({"prediction": rng.integers(0, 2, 1)}),
        )  # fmt: skip
        if number % 13 == 5:
            record = msgspec.structs.replace(
                record, status=400, outputs=[], error="income: a number is needed, received 'much'"
            )
        records.append(record)
    world.writer.append(records)


def _keys(world: World) -> dict[str, str]:
    with world.db.write() as tx:
        return {
            name: create_key(
                tx, get_person(tx, name), label="laptop", by=world.admin, at_us=world.clock.now_us()
            )[0]
            for name in ("root", "ann", "bob", "eva", "stan")
        }
