"""What a pipeline's process gives up first: the owner's environment and files, the network, memory without end.

The walls are those of the runner (`lockgate.runner.confine`) without the two that training cannot live with: it may start
copies of its own interpreter (parallel trees, data loaders), and writes as much as the disk holds.
"""

from __future__ import annotations

import os
import resource
import sys
from typing import Any

from lockgate.errors import Unavailable
from lockgate.runner import landlock, private_root
from lockgate.runner.command import programs
from lockgate.runner.confine import (
    KEPT_VARIABLES,
    NO_NEW_PRIVS,
    OF_PROC,
    Confinement,
    close_others,
    interpreter_paths,
)
from lockgate.runner.syscalls import prctl

MORE_VARIABLES = frozenset(
    {"PYTHONHASHSEED", "CUBLAS_WORKSPACE_CONFIG", "CUDA_VISIBLE_DEVICES", "LOKY_PICKLER"}
)
UNFINISHED = "LOCKGATE_UNFINISHED"  # where a step that takes hours may keep what its next try goes on from
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - parallel libraries hand arrays over there
ACCELERATORS = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools")
OF_MACHINE = ("/proc", "/sys/devices/system", "/sys/fs/cgroup")


def confine(order: dict[str, Any], keep: set[int]) -> Confinement:
    """Hold this process to what its order names (`read`, `write`, `memory_bytes`), and say what could not be held.

    Raises Unavailable where this machine cannot keep it from the owner's files, unless the order accepts that
    (`confined` false).
    """
    report = Confinement([], [])
    for name in set(os.environ) - KEPT_VARIABLES - MORE_VARIABLES:
        del os.environ[name]
    if "unfinished" in order:
        os.environ[UNFINISHED] = order["unfinished"]
    os.environ.pop("JOBLIB_MULTIPROCESSING", None)
    close_others(keep)
    report.done.append("environment variables and open files of the owner are gone")
    _memory(report, int(order["memory_bytes"]))
    try:
        private_root.leave(mounts=False)
        report.done.append("own network namespace without any connection")
    except OSError as error:
        report.missing.append(f"own network namespace ({error})")
    prctl(NO_NEW_PRIVS, 1)
    _files(report, order)
    return report


def _files(report: Confinement, order: dict[str, Any]) -> None:
    version = landlock.abi()
    if version == 0:
        if order.get("confined", True):
            raise Unavailable(
                "this machine cannot keep a pipeline from its files: the kernel has no Landlock, or it is switched off",
                fix="switch it on (Linux 5.13 and newer: lsm=landlock,...), or an admin accepts it in config.yaml: "
                    "'environment: {unconfined: true}'",
            )  # fmt: skip
        report.missing.append("files by Landlock: this kernel has none, or it is switched off")
        return
    run = [*programs([os.path.realpath(sys.executable)]), *order.get("programs", [])]
    read = [*interpreter_paths(), *OF_PROC, *OF_MACHINE, *order["read"]]
    devices = [*private_root.DEVICES, *ACCELERATORS]
    try:
        gaps = landlock.restrict(version, read, [*order["write"], SHARED_MEMORY], devices, run)
    except OSError as error:
        report.missing.append(f"files by Landlock ({error})")
        return
    report.done.append("Landlock: reads its interpreter, code and data, writes its own folder")
    report.missing.extend(gaps)


def _memory(report: Confinement, most: int) -> None:
    """Of data, not of address space: libraries reserve addresses that they never use."""
    for kind, value in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_DATA, most)):
        hard = resource.getrlimit(kind)[1]
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (least, least))
    report.done.append(f"at most {most >> 20} MiB of memory, no core dumps")
