"""What the gateway counts, in Prometheus' text form.

A scrape reaches one worker of several, so each worker leaves its numbers beside the others' (`metrics-<worker>.json`, at
every heartbeat) and the one that is asked tells all, each with its label `worker`.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path

import msgspec

from lockgate.gateway.engine import rss_bytes
from lockgate.predictions.record import Record

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
FRESH_S = 10.0  # older numbers are of a worker that is gone
_HELP = {
    "lockgate_requests_total": ("counter", "Requests by model, version, arm and HTTP status."),
    "lockgate_request_seconds": ("histogram", "Time from the request's arrival to its answer."),
    "lockgate_rows_total": ("counter", "Rows answered."),
    "lockgate_canary_failures_total": ("counter", "Canary attempts that the live version answered instead."),
    "lockgate_log_gap_total": ("counter", "Requests whose record could not be written."),
    "lockgate_waiting_requests": ("gauge", "Requests in queues."),
    "lockgate_plan_epoch": ("gauge", "The traffic plan that this worker obeys."),
    "process_resident_memory_bytes": ("gauge", "Memory in use."),
    "process_cpu_seconds_total": ("counter", "Processor time used."),
    "process_start_time_seconds": ("gauge", "When the worker started."),
}


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """One line of a metric: name, labels, value."""

    name: str
    labels: dict[str, str]
    value: float


class Metrics:
    """One worker's numbers since its start."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._started_s = time.time()
        self._requests: dict[tuple[str, int, str, int], int] = {}
        self._buckets: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}
        self._rows: dict[str, int] = {}
        self._failures: dict[tuple[str, str], int] = {}

    def answered(self, record: Record, status: int) -> None:
        """Count one answer. `status`: what the caller saw."""
        model, seconds, rows = record.model, record.latency_us / 1e6, record.rows
        what = (model, record.version, record.role.value, status)
        self._requests[what] = self._requests.get(what, 0) + 1
        buckets = self._buckets.get(model)
        if buckets is None:
            buckets = self._buckets[model] = [0] * (len(BUCKETS_S) + 1)
        buckets[bisect_left(BUCKETS_S, seconds)] += 1
        self._seconds[model] = self._seconds.get(model, 0.0) + seconds
        self._rows[model] = self._rows.get(model, 0) + rows

    def fell_back(self, model: str, reason: str) -> None:
        """Count one canary failure."""
        self._failures[model, reason] = self._failures.get((model, reason), 0) + 1

    def samples(self, *, gap: int, epoch: int, waiting: dict[str, int]) -> list[Sample]:
        """Everything, as lines."""
        found = [
            Sample(
                "lockgate_requests_total", {"model": m, "version": str(v), "arm": a, "status": str(s)}, count
            )
            for (m, v, a, s), count in self._requests.items()
        ]
        for model, buckets in self._buckets.items():
            found += self._histogram(model, buckets)
            found.append(Sample("lockgate_rows_total", {"model": model}, self._rows[model]))
        found += [
            Sample("lockgate_canary_failures_total", {"model": model, "reason": reason}, count)
            for (model, reason), count in self._failures.items()
        ]
        found += [Sample("lockgate_waiting_requests", {"package": name}, n) for name, n in waiting.items()]
        cpu = os.times()
        found += [
            Sample("lockgate_log_gap_total", {}, gap),
            Sample("lockgate_plan_epoch", {}, epoch),
            Sample("process_resident_memory_bytes", {}, rss_bytes()),
            Sample("process_cpu_seconds_total", {}, cpu.user + cpu.system),
            Sample("process_start_time_seconds", {}, self._started_s),
        ]
        return [Sample(s.name, {"worker": self._worker, **s.labels}, s.value) for s in found]

    def _histogram(self, model: str, buckets: list[int]) -> list[Sample]:
        found, total = [], 0
        for limit, count in zip((*map(str, BUCKETS_S), "+Inf"), buckets, strict=True):
            total += count
            found.append(Sample("lockgate_request_seconds_bucket", {"model": model, "le": limit}, total))
        found.append(Sample("lockgate_request_seconds_sum", {"model": model}, self._seconds[model]))
        found.append(Sample("lockgate_request_seconds_count", {"model": model}, total))
        return found


def leave(folder: Path, worker: str, samples: list[Sample]) -> None:
    """Put a worker's numbers where the others find them."""
    temporary = folder / f".metrics-{worker}.{os.getpid()}"
    temporary.write_bytes(msgspec.json.encode(samples))
    temporary.rename(folder / f"metrics-{worker}.json")


def gather(folder: Path, worker: str, own: list[Sample]) -> list[Sample]:
    """The asked worker's numbers now, and the others' of at most half a second ago."""
    found = list(own)
    for path in sorted(folder.glob("metrics-*.json")):
        try:
            if path.stem != f"metrics-{worker}" and time.time() - path.stat().st_mtime < FRESH_S:
                found += msgspec.json.decode(path.read_bytes(), type=list[Sample])
        except FileNotFoundError:
            continue  # it stopped in good order meanwhile
    return found


def exposition(samples: Iterable[Sample]) -> str:
    """Prometheus' text form, grouped by metric."""
    grouped: dict[str, list[str]] = {}
    for sample in samples:
        family = sample.name
        for suffix in ("_bucket", "_sum", "_count"):
            if family.removesuffix(suffix) in _HELP:
                family = family.removesuffix(suffix)
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels.items())
        grouped.setdefault(family, []).append(f"{sample.name}{{{labels}}} {sample.value:.17g}")
    lines = []
    for family, values in grouped.items():
        kind, words = _HELP[family]
        lines += [f"# HELP {family} {words}", f"# TYPE {family} {kind}", *values]
    return "\n".join([*lines, ""])


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
