"""What the kernel says of processes and of the host, read from /proc. Nothing is started, nothing is asked of the processes."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_BOOT_US = time.time_ns() // 1000 - time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


@dataclass(frozen=True)
class Read:
    """One process as the kernel counts it. `started_ticks` with the id tells it from a later one of the same number."""

    pid: int
    parent: int
    cpu_s: float
    resident_bytes: int
    threads: int
    started_ticks: int

    @property
    def started_us(self) -> int:
        """When it was started, by the clock of the machine."""
        return _BOOT_US + round(self.started_ticks * _TICK_S * 1e6)


def read_process(pid: int) -> Read | None:
    """A process by its id; None when it is gone."""
    try:
        text = (PROC / str(pid) / "stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(b")") + 2 :].split()  # a program's name may hold spaces and brackets
    return Read(
        pid=pid, parent=int(fields[1]), cpu_s=(int(fields[11]) + int(fields[12])) * _TICK_S,
        resident_bytes=int(fields[21]) * _PAGE, threads=int(fields[17]), started_ticks=int(fields[19]),
    )  # fmt: skip


def descendants(pid: int) -> list[int]:
    """The processes that a process started, and theirs."""
    found: list[int] = []
    try:
        tasks = os.listdir(PROC / str(pid) / "task")  # noqa: PTH208 - paths of every thread would be made for nothing
    except (FileNotFoundError, ProcessLookupError):
        return found
    for task in tasks:
        try:
            text = (PROC / str(pid) / "task" / task / "children").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue  # that thread ended in between
        for child in map(int, text.split()):
            found += [child, *descendants(child)]
    return found


def proportional_bytes(pid: int) -> int | None:
    """Its memory with its part of what it shares (PSS); None when it is gone, or another account's. Takes the kernel a while."""
    try:
        for line in (PROC / str(pid) / "smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None


def open_files(pid: int) -> int | None:
    """How many files and connections it has open; None when it is gone, or another account's."""
    try:
        return len(os.listdir(PROC / str(pid) / "fd"))  # noqa: PTH208 - only their number
    except OSError:
        return None


def host_cpu() -> tuple[float, float]:
    """Seconds of all cores since the start of the machine: busy, and in all."""
    fields = [int(field) for field in (PROC / "stat").read_bytes().split(b"\n", 1)[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) * _TICK_S, sum(fields) * _TICK_S


def host_memory() -> tuple[int, int]:
    """Bytes of the host's memory: what programs cannot have any more, and all."""
    found: dict[bytes, int] = {}
    for line in (PROC / "meminfo").read_bytes().splitlines():
        name, _, value = line.partition(b":")
        if name in (b"MemTotal", b"MemAvailable"):
            found[name] = int(value.split()[0]) * 1024
    return found[b"MemTotal"] - found[b"MemAvailable"], found[b"MemTotal"]


def alive(run: Path) -> dict[str, int]:
    """Processes by the name under which a supervisor noted them, those that are alive."""
    found = {}
    for path in sorted(run.glob("*.pid")):
        try:
            pid = int(path.read_text())
        except (FileNotFoundError, ValueError):
            continue  # it stopped in between
        if read_process(pid) is not None:
            found[path.stem] = pid
    return found
