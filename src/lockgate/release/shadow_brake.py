"""When the shadow gives way to live: pure, from what gateway workers count of themselves.

The scorer runs at lower priority, but it shares memory, caches and disks with live. So it pauses for a model's release when
live's 99th percentile passes its limit, and for all when the gateway's workers use more of the machine's processors than
theirs. It goes on when the numbers are clearly below the limit again. A pause never ends a release: every `BREATH_S` one chunk is
scored all the same, or a service that is slow for reasons of its own would never have a verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from lockgate.samples import Sample

WINDOW_S = 5.0  # looks are at least so far apart
FEWEST = 100  # requests in a window that say something of the 99th percentile
BREATH_S = 15.0
QUIETER = 0.9  # it goes on below this share of a limit, so that it does not flutter
CPU_LIMIT = 0.85  # share of all processors that gateway workers use
_DURATION = "model_infer_request_duration_seconds_bucket"


@dataclass(frozen=True)
class Load:
    """What gateway workers have counted since they started: requests up to each limit (seconds), by model; processor seconds
    of theirs and of their models' processes."""

    at_s: float
    buckets: Mapping[str, Mapping[float, float]] = field(default_factory=dict)
    cpu_s: float = 0.0


def load_of(samples: Iterable[Sample], *, at_s: float, cpu_s: float) -> Load:
    """The workers' numbers at a moment, those of all workers added up. Every arm counts: callers wait for each."""
    buckets: dict[str, dict[float, float]] = {}
    for sample in samples:
        if sample.name == _DURATION:
            counted = buckets.setdefault(sample.labels["model"], {})
            limit = float(sample.labels["le"])
            counted[limit] = counted.get(limit, 0.0) + sample.value
    return Load(at_s, buckets, cpu_s)


def p99_s(before: Mapping[float, float], after: Mapping[float, float]) -> float | None:
    """The 99th percentile of what was counted in between, in seconds: the limit of its bucket, from below.

    None for fewer than `FEWEST` requests, and after a worker started again.

    >>> p99_s({0.1: 0, 0.5: 0, float("inf"): 0}, {0.1: 950, 0.5: 1000, float("inf"): 1000})
    0.1
    """
    counted = [(limit, after[limit] - before.get(limit, 0.0)) for limit in sorted(after)]
    total = counted[-1][1] if counted else 0.0
    again = any(count < 0 for _, count in counted) or any(b[1] < a[1] for a, b in pairwise(counted))
    if total < FEWEST or again:
        return None
    place = next(place for place, (_, count) in enumerate(counted) if count >= 0.99 * total)
    return counted[place - 1][0] if place else 0.0


@dataclass
class Brake:
    """Says of each model why its shadow waits. `cores`: of the machine."""

    cores: int
    cpu_limit: float = CPU_LIMIT
    _last: Load | None = None
    _words: dict[str, str] = field(default_factory=dict)  # model -> why; "" for all models
    _breath_s: dict[str, float] = field(default_factory=dict)

    def look(self, load: Load, limits_s: Mapping[str, float]) -> None:
        """Take in what the workers count now. `limits_s`: the 99th percentile that each model's live is to keep, seconds."""
        last = self._last
        if last is not None and load.at_s - last.at_s < WINDOW_S:
            return
        self._last = load
        if (
            last is None or load.cpu_s < last.cpu_s
        ):  # a worker is gone or started again: the next window counts
            return
        self._look_at_cpu((load.cpu_s - last.cpu_s) / (load.at_s - last.at_s) / self.cores)
        for model in {*self._words} - {*limits_s, ""}:
            del self._words[model]
        for model, limit_s in limits_s.items():
            found = p99_s(last.buckets.get(model, {}), load.buckets.get(model, {}))
            if found is None or found < limit_s * QUIETER:
                self._words.pop(model, None)
            elif found >= limit_s:
                self._words[model] = (
                    f"live's 99th percentile is over {found * 1e3:.3g} ms, the limit is {limit_s * 1e3:.3g} ms"
                )

    def why(self, model: str) -> str | None:
        """Why the shadow of a model waits, in words; None when it need not."""
        return self._words.get("") or self._words.get(model)

    def waits(self, model: str, now_s: float) -> bool:
        """Whether nothing is to be scored for a model now: a pause, and no chunk is due to be let through."""
        if self.why(model) is None:
            self._breath_s.pop(model, None)
            return False
        due_s = self._breath_s.setdefault(model, now_s + BREATH_S)
        if now_s < due_s:
            return True
        self._breath_s[model] = now_s + BREATH_S
        return False

    def _look_at_cpu(self, share: float) -> None:
        if share > self.cpu_limit:
            self._words[""] = (
                f"gateway workers use {share:.0%} of the processors, the limit is {self.cpu_limit:.0%}"
            )
        elif share < self.cpu_limit * QUIETER:
            self._words.pop("", None)
