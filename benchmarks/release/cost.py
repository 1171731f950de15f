"""What evidence costs: processor time to count a record, to judge once."""

from __future__ import annotations

import time

import numpy as np
from benchmarks.gateway.figures import Figure
from benchmarks.release.guarded import plan_of

from lockgate.predictions.record import Record, blocks_of
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.signature import DataType, Field, Signature
from lockgate.release.baseline import Baseline
from lockgate.release.counts import Counts, Frozen, fold
from lockgate.release.judge import judge
from lockgate.release.outputs import Outputs, Spread, answered
from lockgate.traffic import Role

SEED, RECORDS, LOOKS = 20261125, 50_000, 20
MANIFEST = Manifest(
    framework=Framework.SKLEARN, task=Task.CLASSIFICATION, python="3.11", model_path="model/model.pkl",
    signature=Signature(inputs=(Field(name="x", datatype=DataType.FP64),),
                        outputs=(Field(name="prediction", datatype=DataType.INT64),
                                 Field(name="p", datatype=DataType.FP64, shape=(2,)))),
    answer=Answer(prediction="prediction", probability="p", classes=(0, 1)), compiled=Compiled(reason="not tried"),
)  # fmt: skip


def figures() -> list[Figure]:
    """Every caller is new, so every record is decoded and counted for all guards: the dearest case."""
    spread = Spread(low=0.0, high=1.0, sigma=0.3)
    frozen = Frozen(
        t99_us=990, t95_us=950, outputs=Outputs(answers=1_000, score=spread, shares={"1": spread})
    )
    plan, counts, baseline = plan_of((0.1,), late=True), Counts(release=1), Baseline()
    made = records(RECORDS)
    judge(plan, counts, frozen)
    began = time.process_time()
    fold(counts, made, plan, frozen, lambda record: answered(record, MANIFEST))
    for record in made:
        baseline.add(record)
    counted = time.process_time()
    for _ in range(LOOKS):
        judge(plan, counts, frozen)
    per_record = (counted - began) / RECORDS * 1e6
    per_look = (time.process_time() - counted) / LOOKS * 1e3
    print(f"  {per_record:.0f} us a record, {per_look:.2f} ms a look (processor time)")
    return [Figure("counting a record (processor time)", per_record, 100.0, "us", at_least=False)]


def records(count: int) -> list[Record]:
    """Answered requests of release 1 at 10 %, one a caller: 2 % fail or answer invalidly."""
    rng = np.random.default_rng(SEED)
    canary, bad, slow = rng.random(count) < 0.1, rng.random(count) < 0.02, rng.integers(0, 1000, count)
    blocks = [
        blocks_of({"prediction": np.array([side]), "p": np.array([[1.0 - side, side]])}) for side in (0, 1)
    ]
    return [
        Record(
            id=f"r{i}", at_us=i + 1, model="m", version=1, digest="d", release=1, stage=1, weight=0.1,
            assigned=Role.CANARY if canary[i] else Role.LIVE, key=f"k{i}", latency_us=int(slow[i]), rows=1,
            outputs=[] if bad[i] else blocks[i % 2], status=500 if bad[i] else 200,
            error="invalid answer" if bad[i] and i % 2 else None,
        )
        for i in range(count)
    ]  # fmt: skip
