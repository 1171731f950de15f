"""What a runner gives up before it touches the model: files, network, other processes, memory, rights, environment.

Each wall is tried by itself and the result is said in words, because machines differ. A model gets what is left: its
package read-only, its interpreter read-only, an empty temporary folder, one socket to its owner.
"""

from __future__ import annotations

import ctypes
import os
import resource
import stat
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

from . import landlock, private_root, seccomp
from .syscalls import LIBC, prctl

NO_NEW_PRIVS, DROP_BOUNDING = 38, 24
SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/timezone",
          "/sys/devices/system/cpu")  # fmt: skip
OF_PROC = ("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems", "/proc/sys/vm")
KEPT_VARIABLES = frozenset(
    [
        "PATH",
        "HOME",
        "TMPDIR",
        "LANG",
        "USER",
        "LD_LIBRARY_PATH",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "LOKY_MAX_CPU_COUNT",
        "JOBLIB_MULTIPROCESSING",
        "PYTHONDONTWRITEBYTECODE",
    ]
)
FIRST_UID, UIDS = 2_000_000_000, 100_000_000  # far above accounts, containers and systemd's own ranges
THREADS = 256
OPEN_FILES = 512
TEMPORARY_BYTES = 256 * 1024 * 1024
MEMORY_BYTES = 4 * 1024**3


class Confinement(NamedTuple):
    """What is held back, and what this machine could not hold back, in words."""

    done: list[str]
    missing: list[str]


def confine(wish: dict[str, Any], keep: set[int]) -> Confinement:
    """Confine this process for good. `wish`: folder, read, temporary, memory_bytes, run. `keep`: file descriptors.

    `run`: programs that it may still become. It never starts a process beside itself.

    Must run before a second thread exists: Landlock and seccomp hold the calling thread and what it starts.
    """
    report = Confinement([], [])
    for name in set(os.environ) - KEPT_VARIABLES:
        del os.environ[name]
    close_others(keep)
    report.done.append("environment variables and open files of the owner are gone")
    if wish.get("off"):
        report.missing.append("confinement was switched off by the owner")
        return report
    read = [*interpreter_paths(), wish["folder"], *wish.get("read", [])]
    temporary = wish["temporary"]
    uid = _own_root(report, read, temporary, wish)
    _hand_over(keep, uid)
    _another_user(report, uid, wish["folder"])
    prctl(NO_NEW_PRIVS, 1)
    no_capabilities(report)
    _files(report, read, temporary, wish.get("run") or [])
    _calls(report, bool(wish.get("run")))
    _limits(report, int(wish.get("memory_bytes") or MEMORY_BYTES))
    return report


def interpreter_paths() -> list[str]:
    """Where this interpreter, its library, its packages and the system's libraries lie."""
    packages = [path for path in sys.path if os.path.basename(path) in ("site-packages", "dist-packages")]
    return [*SYSTEM, *sorted(prefixes()), *packages, os.path.dirname(os.path.abspath(__file__))]


def prefixes() -> set[str]:
    """The folders of this interpreter, also of its virtual environment where its site module has not run yet."""
    environment = os.path.dirname(os.path.dirname(os.path.abspath(sys.executable)))
    found = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    return found | ({environment} if os.path.exists(os.path.join(environment, "pyvenv.cfg")) else set())


def close_others(keep: set[int]) -> None:
    """Close every file descriptor but the standard ones and `keep`."""
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        if number > 2 and number not in keep:
            try:
                os.close(number)
            except OSError:
                continue  # the one that listed the folder


def _hand_over(descriptors: Iterable[int], uid: int) -> None:
    """Pipes belong to who made them; a program that opens its own by name (/proc/self/fd/3) must be their owner."""
    for descriptor in descriptors:
        found = os.fstat(descriptor)
        if stat.S_ISFIFO(found.st_mode) and os.geteuid() == 0 and found.st_uid != uid:
            os.fchown(descriptor, uid, uid)


def _own_root(report: Confinement, read: list[str], temporary: str, wish: dict[str, Any]) -> int:
    """Leave the machine's network and file tree. Returns the user to become: ours, or a new one when we are root."""
    uid = (
        FIRST_UID + os.getpid() % UIDS
        if os.geteuid() == 0 and readable_by_all(wish["folder"])
        else os.geteuid()
    )
    try:
        private_root.leave()
    except OSError as error:
        _own_network(report, error)
        needed = [*prefixes(), wish["folder"], temporary]
        return _given(uid, temporary) if uid != os.geteuid() and reachable(needed) else os.geteuid()
    report.done.append("own network namespace without any connection")
    try:
        private_root.build(read, temporary, int(wish.get("temporary_bytes") or TEMPORARY_BYTES), uid)
    except OSError as error:
        report.missing.append(f"a root folder of its own ({error})")
        return os.geteuid()
    report.done.append("own root folder with interpreter, package and an empty temporary folder")
    return uid


def _given(uid: int, temporary: str) -> int:
    os.chown(temporary, uid, uid)
    return uid


def _own_network(report: Confinement, first: OSError) -> None:
    try:
        private_root.leave(mounts=False)
        report.done.append("own network namespace without any connection")
        report.missing.append(f"a root folder of its own ({first})")
    except OSError as error:
        report.missing.append(f"own network namespace and root folder ({error})")


def reachable(paths: Iterable[str]) -> bool:
    """Whether another user may walk to every one of these paths."""
    above = {parent for path in paths for parent in _parents(os.path.realpath(path))}
    return all(os.stat(parent).st_mode & stat.S_IXOTH for parent in above)


def _parents(path: str) -> list[str]:
    return [path[:place] or "/" for place, letter in enumerate(path) if letter == "/"]


def _another_user(report: Confinement, uid: int, folder: str) -> None:
    if os.geteuid() != 0:
        return
    if uid == 0:
        report.missing.append(
            f"another user: {folder} or a folder above is closed to others; runs as root without its rights"
        )
        return
    try:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    except OSError as error:
        report.missing.append(f"another user ({error}); runs as root without its rights")
        return
    report.done.append(f"another user ({uid}), its own alone")
    resource.setrlimit(resource.RLIMIT_NPROC, (THREADS, THREADS))


def readable_by_all(folder: str) -> bool:
    """Whether another user could read every file of the package (folders above and below may be closed)."""
    return all(
        os.stat(os.path.join(root, name)).st_mode & stat.S_IROTH
        for root, _, names in os.walk(folder)
        for name in names
    )


def no_capabilities(report: Confinement) -> None:
    """Drop what root, or a user namespace, may do beyond other users."""
    for number in range(64):
        try:
            prctl(DROP_BOUNDING, number)
        except OSError:
            break  # no such capability, or nothing to drop
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3
    if LIBC.capset(header, (ctypes.c_uint32 * 6)()) == 0:
        report.done.append("no capabilities, none to be gained")
    else:
        report.missing.append(f"capabilities stay ({os.strerror(ctypes.get_errno())})")


def _files(report: Confinement, read: Iterable[str], temporary: str, run: list[str]) -> None:
    version = landlock.abi()
    if version == 0:
        report.missing.append("files by Landlock: this kernel has none, or it is switched off")
        return
    try:
        gaps = landlock.restrict(version, [*read, *OF_PROC], [temporary], private_root.DEVICES, run)
    except OSError as error:
        report.missing.append(f"files by Landlock ({error})")
        return
    report.done.append("Landlock: reads its interpreter and package, writes its temporary folder, "
                       + (f"is {run[0]} and runs no other program" if run else "runs no program")
                       + (", opens no TCP connection" if version >= 4 else "")
                       + (", signals nobody" if version >= 6 else ""))  # fmt: skip
    report.missing.extend(gaps)


def _calls(report: Confinement, becomes_program: bool) -> None:
    try:
        held = seccomp.restrict(becomes_program=becomes_program)
    except OSError as error:
        report.missing.append(f"kernel calls by seccomp ({error})")
        return
    if held:
        report.done.append(
            "seccomp: no sockets, no new processes, no signals to others, no mounts, no tracing"
        )
    else:
        report.missing.append("kernel calls by seccomp: not written for this kind of processor")


def _limits(report: Confinement, memory_bytes: int) -> None:
    wanted = {
        "RLIMIT_CORE": 0,
        "RLIMIT_AS": memory_bytes,
        "RLIMIT_DATA": memory_bytes,  # its own, where its owner has a smaller one
        "RLIMIT_NOFILE": OPEN_FILES,
        "RLIMIT_FSIZE": TEMPORARY_BYTES,
    }
    for name, value in wanted.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (most, most))
    report.done.append(
        f"at most {memory_bytes // 2**20} MiB of address space, {OPEN_FILES} open files, no core dumps"
    )
