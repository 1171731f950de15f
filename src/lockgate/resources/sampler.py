"""Samples this host: what lockgate's processes and everything else use. A round over 20 processes takes about 2 ms of CPU.

Processor shares are differences between two rounds. The proportional memory makes the kernel walk a process's pages, so it is
read in every `PSS_ROUNDS`-th round alone and kept in between.
"""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lockgate.resources import reading
from lockgate.resources.gpu import Gpus
from lockgate.resources.use import HostUse, ProcessUse

PSS_ROUNDS = 15


@dataclass(frozen=True)
class Runs:
    """What a process runs: the model and the version."""

    model: str
    version: str


@dataclass
class _Known:
    cpu_s: float
    at_s: float
    pss_bytes: int | None = None


class Sampler:
    """Keeps what the last round saw, for the differences."""

    def __init__(self, place: Path, host: str | None = None) -> None:
        self._place, self._host = place, host or socket.gethostname()
        self._known: dict[tuple[int, int], _Known] = {}
        self._cpu: tuple[float, float] | None = None
        self._round = 0
        self._gpus = Gpus()

    def sample(self, named: Mapping[str, int], runs: Mapping[int, Runs], now_us: int) -> HostUse:
        """One round over named processes and all that they started. `runs`: which of those run a model."""
        cards, held = self._gpus.read()
        found, known = [], {}
        for name, pid in self._all(named):
            read = reading.read_process(pid)
            if read is not None:
                key = (pid, read.started_ticks)
                use, known[key] = self._one(name, read, self._known.get(key), runs.get(pid), held.get(pid, 0))
                found.append(use)
        self._known = known
        self._round += 1
        memory, total = reading.host_memory()
        disk = shutil.disk_usage(self._place)
        return HostUse(
            host=self._host, at_us=now_us, cores=os.cpu_count() or 1, cpu_cores=self._host_cores(), load=os.getloadavg()[0],
            memory_bytes=memory, memory_total_bytes=total, disk_free_bytes=disk.free, disk_total_bytes=disk.total,
            gpus=cards, processes=tuple(found),
        )  # fmt: skip

    @staticmethod
    def _all(named: Mapping[str, int]) -> list[tuple[str, int]]:
        """Named processes, each followed by what it started; a name once, though the supervisor started all of them."""
        own = set(named.values())
        found = []
        for name, pid in sorted(named.items()):
            found.append((name, pid))
            if name != "lockgate":  # the supervisor: what it started has names
                found += [(f"{name} child", child) for child in reading.descendants(pid) if child not in own]
        return found

    def _one(
        self, name: str, read: reading.Read, before: _Known | None, runs: Runs | None, gpu_bytes: int
    ) -> tuple[ProcessUse, _Known]:
        at_s = time.monotonic()
        pss = before.pss_bytes if before is not None else None
        if before is None or self._round % PSS_ROUNDS == 0:
            pss = reading.proportional_bytes(read.pid)
        cores = None
        if before is not None and at_s > before.at_s:
            cores = max(read.cpu_s - before.cpu_s, 0.0) / (at_s - before.at_s)
        use = ProcessUse(
            name=f"{runs.model}/{runs.version}" if runs else name, pid=read.pid, cpu_cores=cores, cpu_s=read.cpu_s,
            memory_bytes=read.resident_bytes if pss is None else pss, proportional=pss is not None,
            open_files=reading.open_files(read.pid), threads=read.threads, started_us=read.started_us,
            model=runs.model if runs else None, version=runs.version if runs else None, gpu_bytes=gpu_bytes,
        )  # fmt: skip
        return use, _Known(read.cpu_s, at_s, pss)

    def _host_cores(self) -> float | None:
        now, before = reading.host_cpu(), self._cpu
        self._cpu = now
        if before is None or now[1] <= before[1]:
            return None
        return (now[0] - before[0]) / (now[1] - before[1]) * (os.cpu_count() or 1)
