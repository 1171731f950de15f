"""What is used of what at one moment: processes, graphics cards, hosts, models. Shares are 0..1; one core is 1."""

from __future__ import annotations

import msgspec


class ProcessUse(msgspec.Struct, frozen=True, kw_only=True):
    """One process. `cpu_cores`: processor time over the last round, in cores; None at its first sight.

    `memory_bytes` is its proportional share of what it shares with others (PSS) where `proportional`, else what is resident.
    `model`, `version`: whose code it runs, for a model's own processes.
    """

    name: str
    pid: int
    cpu_cores: float | None
    cpu_s: float  # since it was started
    memory_bytes: int
    proportional: bool
    open_files: int | None  # None: of another account
    threads: int
    started_us: int
    model: str | None = None
    version: str | None = None
    gpu_bytes: int = 0


class GpuUse(msgspec.Struct, frozen=True, kw_only=True):
    """One graphics card. `busy_share`: share of the last moments in which it computed; None where the driver does not say."""

    index: int
    name: str
    memory_bytes: int
    total_bytes: int
    busy_share: float | None = None


class HostUse(msgspec.Struct, frozen=True, kw_only=True):
    """One host with lockgate's processes on it. `cpu_cores` and `memory_bytes` are those of everything that runs there."""

    host: str
    at_us: int
    cores: int
    cpu_cores: float | None
    load: float  # of the last minute
    memory_bytes: int
    memory_total_bytes: int
    disk_free_bytes: int
    disk_total_bytes: int
    gpus: tuple[GpuUse, ...] = ()
    processes: tuple[ProcessUse, ...] = ()


class ModelUse(msgspec.Struct, frozen=True, kw_only=True):
    """One version in the gateway of this host, over the last round. `p99_ms`: at most this, by the histogram's buckets.

    `cpu_cores`: computing its answers, in the worker or in its own processes. `memory_bytes`: of its own processes; what a
    compiled version took when it was loaded.
    """

    model: str
    version: str
    arms: tuple[str, ...]
    requests_per_s: float
    failed_per_s: float
    p99_ms: float | None
    queue: int
    cpu_cores: float
    memory_bytes: int
    processes: int
    gpu_bytes: int = 0


class Point(msgspec.Struct, frozen=True, array_like=True):
    """One moment of the short history behind the charts."""

    at_us: int
    cpu_share: float  # of all cores
    memory_share: float
    requests_per_s: float
    failed_per_s: float
    queue: int
    behind_bytes: int


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """Everything at one moment, this host first, with the last ten minutes of it."""

    at_us: int
    hosts: tuple[HostUse, ...]
    models: tuple[ModelUse, ...] = ()
    behind_bytes: dict[str, int] = {}  # reader of the log -> what it has still to read
    history: tuple[Point, ...] = ()
