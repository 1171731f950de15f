"""seccomp: kernel calls that a model has no use for fail with "not permitted" (Linux, x86-64 and ARM64).

No sockets at all, no new processes and programs, no signals to others, no mounts, no tracing, no kernel keys, no shared
memory of System V, no io_uring (which would open sockets past this filter). Threads are allowed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Container

from .syscalls import numbers, prctl

PR_SET_SECCOMP, MODE_FILTER = 22, 2
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32 = 0x40000000
CLONE_THREAD = 0x00010000
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16

REFUSED = [
    "socket",
    "fork",
    "vfork",
    "execve",
    "execveat",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "process_mrelease",
    "kcmp",
    "pidfd_open",
    "pidfd_getfd",
    "pidfd_send_signal",
    "tkill",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "unshare",
    "setns",
    "open_tree",
    "move_mount",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "add_key",
    "request_key",
    "keyctl",
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "name_to_handle_at",
    "open_by_handle_at",
    "quotactl",
    "quotactl_fd",
    "swapon",
    "swapoff",
    "reboot",
    "acct",
    "settimeofday",
    "clock_settime",
    "adjtimex",
    "clock_adjtime",
    "sethostname",
    "setdomainname",
    "iopl",
    "ioperm",
    "syslog",
    "mknod",
    "mknodat",
    "setpriority",
    "ioprio_set",
    "sched_setscheduler",
    "sched_setparam",
    "sched_setattr",
    "migrate_pages",
    "move_pages",
    "fanotify_init",
    "mq_open",
    "shmget",
    "shmat",
    "shmctl",
    "semget",
    "semop",
    "semtimedop",
    "semctl",
    "msgget",
    "msgsnd",
    "msgrcv",
    "msgctl",
]
ONLY_ON_ONESELF = ["kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "prlimit64", "sched_setaffinity"]


def restrict(*, becomes_program: bool = False) -> bool:
    """Put the filter in force for this process. False on machines whose numbers we do not know. Needs no_new_privs.

    `becomes_program`: execve stays allowed, for a command; it replaces this process, and Landlock says by what.
    """
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        return False
    program = _program(ARCHITECTURES[machine], {"execve"} if becomes_program else set())
    code = ctypes.create_string_buffer(b"".join(program))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.addressof(header))
    return True


def _program(architecture: int, allowed: Container[str]) -> list[bytes]:
    """The filter: each refusal is a comparison and a return, so no jump is long."""
    known = numbers()
    refuse = _step(RETURN, ERRNO | errno.EPERM)
    program = [
        _step(LOAD, ARCHITECTURE),
        _step(EQUAL, architecture, 1, 0),
        _step(RETURN, KILL),
        _step(LOAD, NUMBER),
    ]
    if architecture == ARCHITECTURES["x86_64"]:
        program += [_step(AT_LEAST, X32, 0, 1), refuse]
    # glibc then falls back to clone, whose flags a filter can read
    program += [_step(EQUAL, known["clone3"], 0, 1), _step(RETURN, ERRNO | errno.ENOSYS)]
    for name in REFUSED:
        if name in known and name not in allowed:
            program += [_step(EQUAL, known[name], 0, 1), refuse]
    program += [_step(EQUAL, known["clone"], 0, 4), _step(LOAD, FIRST_ARGUMENT), _step(ANY_BIT, CLONE_THREAD, 0, 1),
                _step(RETURN, ALLOW), refuse]  # fmt: skip
    for name in ONLY_ON_ONESELF:
        program += [_step(EQUAL, known[name], 0, 5), _step(LOAD, FIRST_ARGUMENT), _step(EQUAL, os.getpid(), 1, 0),
                    _step(EQUAL, _nobody(name), 0, 1), _step(RETURN, ALLOW), refuse]  # fmt: skip
    return [*program, _step(RETURN, ALLOW)]


def _nobody(name: str) -> int:
    """Zero means oneself to these calls, except for signals, where it means the whole group."""
    return 0 if name in ("prlimit64", "sched_setaffinity") else os.getpid()


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)
