"""What was measured of a version behind a gateway while requests came faster and faster."""

from __future__ import annotations

import msgspec


class LoadStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step of single-row requests that came at a fixed rate, whether or not earlier ones were answered.

    Latencies are counted from the moment a request was due. `memory_bytes`: resident, the worker and its runners.
    """

    rate: float  # requests a second
    requests: int
    failed: int
    p50_ms: float
    p99_ms: float
    memory_bytes: int
