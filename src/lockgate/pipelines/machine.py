"""The machine that a run ran on, read from the kernel."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from lockgate.pipelines.run import Machine

GPUS = Path("/proc/driver/nvidia/gpus")


def this_machine(confined: tuple[str, ...] = (), unconfined: tuple[str, ...] = ()) -> Machine:
    """Host, system, processor, cores, memory, accelerators; and how the pipeline was confined there."""
    return Machine(
        host=platform.node(), system=f"{platform.system()} {platform.release()}", processor=_processor(),
        cores=len(os.sched_getaffinity(0)), memory_bytes=memory_bytes(), accelerators=tuple(_accelerators()),
        confined=confined, unconfined=unconfined,
    )  # fmt: skip


def memory_bytes() -> int:
    """All memory that there is."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _accelerators() -> list[str]:
    if not GPUS.is_dir():
        return []
    found = []
    for folder in sorted(GPUS.iterdir()):
        said = (folder / "information").read_text().splitlines()
        found += [line.partition(":")[2].strip() for line in said if line.startswith("Model")]
    return found
