"""What each version in the gateway does and uses, from two rounds of the workers' own numbers. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lockgate.resources.sampler import Runs
from lockgate.resources.use import HostUse, ModelUse
from lockgate.samples import Sample

RUNNER_PROCESS = "lockgate_runner_process"  # told among the workers' numbers, for us alone
_Key = tuple[tuple[str, str], ...]
Numbers = dict[tuple[str, _Key], float]
QUANTILE = 0.99


@dataclass(frozen=True)
class _Line:
    name: str
    labels: dict[str, str]
    value: float
    more: float  # than in the round before


def numbers(samples: Iterable[Sample]) -> Numbers:
    """Samples by name and labels."""
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}


def runners(samples: Iterable[Sample]) -> dict[int, Runs]:
    """Which process ids run which version, as the workers that started them say."""
    return {
        int(sample.labels["pid"]): Runs(sample.labels["model"], sample.labels["version"])
        for sample in samples
        if sample.name == RUNNER_PROCESS
    }


def model_uses(
    before: Numbers, now: Numbers, seconds: float, host: HostUse, loaded_bytes: Mapping[tuple[str, str], int]
) -> tuple[ModelUse, ...]:
    """Every version that a worker knows. `seconds` between the rounds; `loaded_bytes`: what compiled versions took.

    A worker that was started in between counts from nothing.
    """
    lines: dict[tuple[str, str], list[_Line]] = {}
    for (name, key), value in now.items():
        labels = dict(key)
        if {"model", "version"} <= labels.keys():
            line = _Line(name, labels, value, _grown(before, name, key, value))
            lines.setdefault((labels["model"], labels["version"]), []).append(line)
    return tuple(
        _one(version, lines[version], max(seconds, 1e-3), host, loaded_bytes.get(version, 0))
        for version in sorted(lines, key=_order)
    )


def quantile_ms(buckets: Mapping[float, float], share: float = QUANTILE) -> float | None:
    """The upper edge of the bucket that holds a quantile; infinite past the last one, None without any request.

    >>> quantile_ms({0.001: 50.0, 0.005: 99.0, math.inf: 100.0})
    5.0
    """
    total = max(buckets.values(), default=0.0)
    if total <= 0:
        return None
    return next((edge * 1000 for edge in sorted(buckets) if buckets[edge] >= share * total), None)


def _one(
    version: tuple[str, str], mine: list[_Line], seconds: float, host: HostUse, loaded_bytes: int
) -> ModelUse:
    def grown(wanted: str) -> float:
        return sum(line.more for line in mine if line.name == wanted)

    buckets: dict[float, float] = {}
    for line in mine:
        if line.name == "model_infer_request_duration_seconds_bucket":
            edge = math.inf if line.labels["le"] == "+Inf" else float(line.labels["le"])
            buckets[edge] = buckets.get(edge, 0.0) + line.more
    own = [process for process in host.processes if (process.model, process.version) == version]
    failed = grown("model_infer_request_failure_total")
    return ModelUse(
        model=version[0], version=version[1], arms=tuple(sorted({line.labels["arm"] for line in mine if "arm" in line.labels})),
        requests_per_s=(grown("model_infer_request_success_total") + failed) / seconds, failed_per_s=failed / seconds,
        p99_ms=quantile_ms(buckets), queue=round(sum(line.value for line in mine if line.name == "lockgate_queue_requests")),
        cpu_cores=grown("lockgate_model_compute_seconds_total") / seconds + sum(p.cpu_cores or 0.0 for p in own),
        memory_bytes=sum(p.memory_bytes for p in own) or loaded_bytes, processes=len(own),
        gpu_bytes=sum(p.gpu_bytes for p in own),
    )  # fmt: skip


def _grown(before: Numbers, name: str, key: _Key, value: float) -> float:
    was = before.get((name, key), 0.0)
    return value - was if value >= was else value  # started again: it counts from nothing


def _order(version: tuple[str, str]) -> tuple[str, int]:
    return version[0], int(version[1]) if version[1].isdigit() else 0
