"""Runs in the environment that has Ray: a real cluster of three machines on this one, and checks on it.

Prints one line of JSON. `on_cluster.py same`: the findings here and there. `on_cluster.py fail`: a machine is killed half-way,
and checks may use no memory or no time. `on_cluster.py serve FILE`: writes the cluster's address into the file and waits for
the end of its own input.
"""

import dataclasses
import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0", "RAY_worker_niceness": "0"}

import numpy as np
import polars as pl
from ray.cluster_utils import Cluster
from sklearn.ensemble import HistGradientBoostingClassifier

from lockgate.checks import suite
from lockgate.checks.asking import Broker
from lockgate.checks.base import Limits
from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.finding import digest_of
from lockgate.checks.running.cluster import RayCluster
from lockgate.checks.running.local import LocalProcesses
from lockgate.registry.manifest import Task

CHECKS = ("quality", "performance", "noise", "importance_shift", "label_errors")
QUICKLY = {
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 5000,
    "health_check_failure_threshold": 3,
}
INPUTS = ("a", "b", "c", "d")


class Ours(Broker):
    """Answers by a model of this process, which no machine of the cluster has."""

    def __init__(self, model: HistGradientBoostingClassifier) -> None:
        super().__init__({})
        self.model = model

    def answers(self, frame, of, chunk_rows=4096):
        """Its answers."""
        return answered(self.model, frame)


def answered(model: HistGradientBoostingClassifier, frame: pl.DataFrame) -> Answers:
    """Decisions and scores of a table."""
    wide = model.predict_proba(frame.select(INPUTS).cast(pl.Float64).fill_null(float("nan")).to_numpy())
    return Answers(np.array(["0", "1"], dtype=object)[wide.argmax(axis=1)], wide[:, 1], wide)


def evidence() -> tuple[Evidence, Broker]:
    """A model on 3,000 rows of four numbers, tested on 2,000 more."""
    draw = np.random.default_rng(0)
    values = draw.normal(size=(5_000, 4))
    came = (values @ [1.0, -1.0, 0.5, 0.0] + draw.normal(size=5_000) > 0).astype(int)
    frame = pl.DataFrame(dict(zip(INPUTS, values.T, strict=True)) | {"y": came})
    train, test = frame[:3_000], frame[3_000:]
    model = HistGradientBoostingClassifier(max_iter=20, random_state=0).fit(
        train.select(INPUTS).to_numpy(), train["y"].to_numpy()
    )
    frames = {Split.TRAIN: train, Split.TEST: test}
    made = {split: answered(model, table) for split, table in frames.items()}
    # what the processes are given as a way to ask is only said to be there: they ask their owner
    return Evidence(task=Task.CLASSIFICATION, inputs=INPUTS, frames=frames, target="y", classes=("0", "1"), positive="1",
                    answers=made, ask=lambda *_: made[Split.TEST]), Ours(model)  # fmt: skip


def machine(made: Cluster, **settings: object) -> object:
    """One more machine. Ray gives each half a minute to start, which a busy box may not keep: then once more."""
    for left in reversed(range(6)):
        try:
            return made.add_node(**settings)
        except Exception as error:  # Ray raises nothing more exact
            if not left or "timed out during startup" not in str(error):
                raise
    raise AssertionError("unreachable")


@contextmanager
def cluster() -> Iterator[tuple[Cluster, str, list]]:
    """A head that runs nothing, and two machines of one core; all of it ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Cluster()
    machine(made, num_cpus=0, include_dashboard=False, ray_client_server_port=port, _system_config=QUICKLY)
    try:
        nodes = [machine(made, num_cpus=1), machine(made, num_cpus=1)]
        yield made, f"ray://127.0.0.1:{port}", nodes
    finally:
        made.shutdown()


def same() -> dict[str, object]:
    """All findings, here and there, to the byte."""
    given, broker = evidence()
    here = LocalProcesses(processes=1).run(given, CHECKS, broker, lambda _: None)
    steps: list[tuple[str, str]] = []
    with cluster() as (_, address, _):
        there = RayCluster(address).run(
            given, CHECKS, broker, lambda step: steps.append((step.check, step.state))
        )
    return {
        "same": digest_of(f for each in here for f in each.findings) == digest_of(f for each in there for f in each.findings),
        "order": [each.check for each in there], "asked": {each.check: each.rows for each in there},
        "asked_here": {each.check: each.rows for each in here}, "steps": steps,
        "used": all(each.wall_s > 0 and each.cpu_s > 0 for each in there),
    }  # fmt: skip


def fail() -> dict[str, object]:
    """One machine is killed when the first check runs, another joins; one check may use a byte of memory, one no time."""
    given, broker = evidence()
    for name, limits in (("quality", Limits(memory_bytes=1)), ("label_errors", Limits(time_s=0.0))):
        suite.CHECKS[name] = dataclasses.replace(suite.CHECKS[name], limits=limits)
    killed: list[str] = []
    again: list[str] = []
    with cluster() as (made, address, nodes):

        def kill(step) -> None:
            if step.state == "running" and not killed:
                killed.append(step.check)
                made.remove_node(nodes[0], allow_graceful=False)
                machine(made, num_cpus=1)
            if "once more" in step.what:
                again.append(step.check)

        ran = RayCluster(address).run(given, CHECKS, broker, kill)
    return {"killed": killed, "again": again, "headlines": {each.check: each.findings[0].headline for each in ran},
            "statuses": {each.check: sorted({str(f.status) for f in each.findings}) for each in ran}}  # fmt: skip


def serve(note: Path) -> dict[str, object]:
    """Keep a cluster until the input ends."""
    with cluster() as (_, address, _):
        note.write_text(address)
        sys.stdin.read()
    return {"address": address}


if __name__ == "__main__":
    done = {"same": same, "fail": fail, "serve": lambda: serve(Path(sys.argv[2]))}[sys.argv[1]]()
    print(json.dumps(done, default=str))
