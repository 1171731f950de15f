"""Numbers of processes of one box, in Prometheus' text form.

A scrape reaches one gateway worker of several, so each process leaves its numbers beside the others' (`run/metrics-<name>.json`,
twice a second) and the one that is asked tells all, each with its label `worker`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

FRESH_S = 10.0  # older numbers are of a process that is gone
FAMILIES = {
    "model_infer_request_success_total": ("counter", "Requests that were answered."),
    "model_infer_request_failure_total": ("counter", "Requests that got an error instead."),
    "model_infer_request_duration_seconds": ("histogram", "From a request's arrival to its answer."),
    "model_infer_rows_total": ("counter", "Rows that were answered."),
    "model_infer_batch_requests": ("histogram", "Requests that were computed together."),
    "lockgate_requests_total": ("counter", "Requests by HTTP status."),
    "lockgate_limited_total": ("counter", "Requests refused with 429, by the limit that was reached."),
    "lockgate_canary_failures_total": ("counter", "Canary attempts that the live version answered instead."),
    "lockgate_breaker_open": ("gauge", "1 for a release whose canary this worker sends nothing more."),
    "lockgate_queue_requests": ("gauge", "Requests that wait for a version."),
    "lockgate_bodies_bytes": ("gauge", "Bodies of the requests that are being answered."),
    "lockgate_model_compute_seconds_total": (
        "counter",
        "Time that a compiled version took to compute its answers.",
    ),
    "lockgate_model_cpu_cores": (
        "gauge",
        "Cores that a version's answers take, in a worker or its own processes.",
    ),
    "lockgate_model_memory_bytes": (
        "gauge",
        "Memory of a version: of its own processes, or what loading it took.",
    ),
    "lockgate_model_gpu_memory_bytes": ("gauge", "Memory of graphics cards that a version's processes hold."),
    "lockgate_model_processes": ("gauge", "A version's own processes; 0 where a worker computes it."),
    "lockgate_disk_free_bytes": ("gauge", "Free on the disk of the home folder."),
    "lockgate_disk_total_bytes": ("gauge", "Size of the disk of the home folder."),
    "lockgate_host_memory_bytes": ("gauge", "Memory of the host that programs cannot have any more."),
    "lockgate_host_memory_total_bytes": ("gauge", "Memory of the host."),
    "lockgate_host_cores": ("gauge", "Cores of the host."),
    "lockgate_host_cpu_cores": ("gauge", "Cores of the host that are in use, by whatever runs there."),
    "lockgate_gpu_memory_bytes": ("gauge", "Memory in use on a graphics card."),
    "lockgate_gpu_memory_total_bytes": ("gauge", "Memory of a graphics card."),
    "lockgate_process_gpu_memory_bytes": ("gauge", "Memory of graphics cards that a process holds."),
    "lockgate_gpu_busy_share": ("gauge", "Share of the last moments in which a graphics card computed."),
    "lockgate_runner_restarts_total": ("counter", "Times that a model's own process was started again."),
    "lockgate_runner_memory_bytes": ("gauge", "Memory of a model's own processes."),
    "lockgate_runner_replicas": (
        "gauge",
        "A model's own processes: free, busy, starting, pausing after failures.",
    ),
    "lockgate_log_gap_total": ("counter", "Requests whose record could not be written."),
    "lockgate_log_lag_bytes": ("gauge", "How much of the prediction log a reader has still to read."),
    "lockgate_traces_lost_total": ("counter", "Traces that could not be delivered."),
    "lockgate_plan_epoch": ("gauge", "The traffic plan that is obeyed."),
    "process_resident_memory_bytes": ("gauge", "Memory in use."),
    "process_cpu_seconds_total": ("counter", "Processor time used."),
    "process_start_time_seconds": ("gauge", "When the process started, in seconds since 1970."),
    "process_open_fds": ("gauge", "Open files and connections."),
    "process_max_fds": ("gauge", "How many may be open."),
}
_PARTS = ("_bucket", "_sum", "_count")


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """One line of a metric: name, labels, value."""

    name: str
    labels: dict[str, str]
    value: float


def histogram(
    name: str, labels: dict[str, str], limits: Iterable[float], counts: list[int], total: float
) -> list[Sample]:
    """The lines of a histogram. `counts` has one place more than `limits`: what was above all of them."""
    found, reached = [], 0
    for limit, count in zip((*(f"{limit:g}" for limit in limits), "+Inf"), counts, strict=True):
        reached += count
        found.append(Sample(f"{name}_bucket", {**labels, "le": limit}, reached))
    return [*found, Sample(f"{name}_sum", labels, total), Sample(f"{name}_count", labels, reached)]


def leave(folder: Path, name: str, samples: list[Sample]) -> None:
    """Put a process's numbers where the others find them."""
    temporary = folder / f".metrics-{name}.{os.getpid()}"
    temporary.write_bytes(msgspec.json.encode(samples))
    temporary.rename(folder / f"metrics-{name}.json")


def take_away(folder: Path, name: str) -> None:
    """Remove a process's numbers, when it stops in good order."""
    (folder / f"metrics-{name}.json").unlink(missing_ok=True)


def gather(folder: Path, name: str, own: list[Sample]) -> list[Sample]:
    """The asked process's numbers now, and the others' of at most half a second ago."""
    found = list(own)
    for path in sorted(folder.glob("metrics-*.json")):
        try:
            if path.stem != f"metrics-{name}" and time.time() - path.stat().st_mtime < FRESH_S:
                found += msgspec.json.decode(path.read_bytes(), type=list[Sample])
        except FileNotFoundError:
            continue  # it stopped in good order meanwhile
    return found


def exposition(samples: Iterable[Sample]) -> str:
    """Prometheus' text form, grouped by metric. What no family is known for (another version's) is left out.

    >>> print(exposition([Sample("lockgate_plan_epoch", {"worker": "a"}, 3)]).splitlines()[2])
    lockgate_plan_epoch{worker="a"} 3
    """
    grouped: dict[str, list[str]] = {}
    for sample in samples:
        family = sample.name
        for part in _PARTS:
            if FAMILIES.get(family.removesuffix(part), ("",))[0] == "histogram":
                family = family.removesuffix(part)
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels.items())
        if family in FAMILIES:
            grouped.setdefault(family, []).append(f"{sample.name}{{{labels}}} {sample.value:.17g}")
    lines = []
    for family, values in grouped.items():
        kind, words = FAMILIES[family]
        lines += [f"# HELP {family} {words}", f"# TYPE {family} {kind}", *values]
    return "\n".join([*lines, ""])


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
