"""What a worker counts, under the names that the field uses (`model_infer_request_*`, as MLServer and KServe have them)."""

from __future__ import annotations

import os
import resource
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lockgate.gateway.batcher import BATCH_SIZES
from lockgate.gateway.engine import Engine, rss_bytes
from lockgate.inference.executor import ExecutorKind
from lockgate.membership import Tripped
from lockgate.predictions.record import Record
from lockgate.resources.models import RUNNER_PROCESS
from lockgate.samples import Sample, histogram
from lockgate.traffic import Role, Route

BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SERIES = tuple[str, int, Role, int]  # model, version, arm, HTTP status


@dataclass(frozen=True)
class State:
    """What the worker's other parts say of themselves at the moment of asking."""

    gap: int
    epoch: int
    bodies_bytes: int = 0
    engines: Mapping[str, Engine] = field(default_factory=dict)  # by digest
    routes: Mapping[str, Route] = field(default_factory=dict)
    tripped: Iterable[Tripped] = ()
    lost_traces: int = 0


class _Counts:
    """What is counted of one kind of answer."""

    __slots__ = ("buckets", "rows", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BUCKETS_S) + 1)
        self.seconds, self.rows = 0.0, 0


class Metrics:
    """One worker's numbers since its start."""

    def __init__(self, worker: str) -> None:
        self._worker, self._started_s = worker, time.time()
        self._counts: dict[_SERIES, _Counts] = {}
        self._failures: dict[tuple[str, str], int] = {}
        self._limited: dict[str, int] = {}

    def answered(self, record: Record, status: int) -> None:
        """Count one answer. `status`: what the caller saw."""
        what = (record.model, record.version, record.role, status)
        counts = self._counts.get(what)
        if counts is None:
            counts = self._counts[what] = _Counts()
        seconds = record.latency_us * 1e-6
        counts.buckets[bisect_left(BUCKETS_S, seconds)] += 1
        counts.seconds += seconds
        counts.rows += record.rows
        failed = record.failed
        if failed is not None and failed.reason != "input":  # what callers lack is no failure of the canary's
            why = record.model, failed.reason
            self._failures[why] = self._failures.get(why, 0) + 1

    def limited(self, limit: str) -> None:
        """Count one request that a limit refused."""
        self._limited[limit] = self._limited.get(limit, 0) + 1

    def samples(self, state: State) -> list[Sample]:
        """Everything, as lines."""
        found = [*self._of_requests(), *_of_versions(state), *_of_process(self._started_s)]
        found += [
            Sample("lockgate_canary_failures_total", {"model": model, "reason": reason}, count)
            for (model, reason), count in self._failures.items()
        ]
        found += [Sample("lockgate_limited_total", {"limit": k}, n) for k, n in self._limited.items()]
        found += [
            Sample("lockgate_log_gap_total", {}, state.gap),
            Sample("lockgate_plan_epoch", {}, state.epoch),
            Sample("lockgate_bodies_bytes", {}, state.bodies_bytes),
            Sample("lockgate_traces_lost_total", {}, state.lost_traces),
        ]
        return [Sample(s.name, {"worker": self._worker, **s.labels}, s.value) for s in found]

    def _of_requests(self) -> list[Sample]:
        found: list[Sample] = []
        arms: dict[tuple[str, int, Role], list[tuple[int, _Counts]]] = {}
        for (model, version, role, status), counts in self._counts.items():
            arms.setdefault((model, version, role), []).append((status, counts))
        for (model, version, role), answers in arms.items():
            labels = {"model": model, "version": str(version), "arm": role.value}
            for status, counts in answers:
                sent = {**labels, "status": str(status)}
                found.append(Sample("lockgate_requests_total", sent, sum(counts.buckets)))
            good = sum(sum(counts.buckets) for status, counts in answers if status < 400)
            bad = sum(sum(counts.buckets) for status, counts in answers if status >= 400)
            rows = sum(counts.rows for status, counts in answers if status < 400)
            buckets = [sum(column) for column in zip(*(c.buckets for _, c in answers), strict=True)]
            seconds = sum(counts.seconds for _, counts in answers)
            found += [
                Sample("model_infer_request_success_total", labels, good),
                Sample("model_infer_request_failure_total", labels, bad),
                Sample("model_infer_rows_total", labels, rows),
                *histogram("model_infer_request_duration_seconds", labels, BUCKETS_S, buckets, seconds),
            ]
        return found


def _of_versions(state: State) -> list[Sample]:
    """Queues, batches and model processes of what is loaded, and what tripped the breaker."""
    found = []
    for route in state.routes.values():
        for arm in route.arms:
            engine = state.engines.get(arm.digest)
            if engine is None:
                continue
            labels = {"model": route.model, "version": str(arm.version)}
            batcher, executor = engine.batcher, engine.prepared.executor
            found.append(Sample("lockgate_queue_requests", labels, batcher.waiting))
            found.append(Sample("lockgate_model_compute_seconds_total", labels, batcher.computed_s))
            found += histogram(
                "model_infer_batch_requests", labels, BATCH_SIZES, batcher.batches, batcher.batched
            )
            if executor.kind is ExecutorKind.ISOLATED:
                status = executor.status()
                found.append(Sample("lockgate_runner_restarts_total", labels, status.restarts))
                found.append(Sample("lockgate_runner_memory_bytes", labels, status.memory_bytes))
                states = Counter(one.state.value for one in status.replicas)
                found += [
                    Sample(RUNNER_PROCESS, {**labels, "pid": str(one.pid)}, 1)
                    for one in status.replicas
                    if one.pid is not None
                ]
                found += [
                    Sample("lockgate_runner_replicas", {**labels, "state": state}, count)
                    for state, count in states.items()
                ]
    models = {route.release: route.model for route in state.routes.values()}
    for word in state.tripped:
        labels = {"model": models.get(word.release, ""), "release": str(word.release)}
        found.append(Sample("lockgate_breaker_open", labels, 1))
    return found


def _of_process(started_s: float) -> list[Sample]:
    """The names that Prometheus' own clients use for every process."""
    cpu = os.times()
    return [
        Sample("process_resident_memory_bytes", {}, rss_bytes()),
        Sample("process_cpu_seconds_total", {}, cpu.user + cpu.system),
        Sample("process_start_time_seconds", {}, started_s),
        Sample("process_open_fds", {}, len(os.listdir("/proc/self/fd"))),  # noqa: PTH208  only their number
        Sample("process_max_fds", {}, resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
    ]
