"""Kernel calls that Python has no name for, through ctypes, and their numbers on the machines we know."""

from __future__ import annotations

import ctypes
import os
import platform
from typing import Any

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long

# numbers from 424 on are the same everywhere
SHARED = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "pidfd_open": 434, "clone3": 435, "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442,
    "quotactl_fd": 443, "landlock_create_ruleset": 444, "landlock_add_rule": 445, "landlock_restrict_self": 446,
    "process_mrelease": 448,
}  # fmt: skip
X86_64 = {
    **SHARED,
    "socket": 41, "clone": 56, "fork": 57, "vfork": 58, "execve": 59, "kill": 62, "semget": 64, "semop": 65,
    "semctl": 66, "msgget": 68, "msgsnd": 69, "msgrcv": 70, "msgctl": 71, "shmget": 29, "shmat": 30, "shmctl": 31,
    "ptrace": 101, "syslog": 103, "rt_sigqueueinfo": 129, "mknod": 133, "setpriority": 141, "sched_setparam": 142,
    "sched_setscheduler": 144, "pivot_root": 155, "adjtimex": 159, "chroot": 161, "acct": 163, "settimeofday": 164,
    "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169, "sethostname": 170,
    "setdomainname": 171, "iopl": 172, "ioperm": 173, "init_module": 175, "delete_module": 176, "quotactl": 179,
    "tkill": 200, "sched_setaffinity": 203, "semtimedop": 220, "clock_settime": 227, "tgkill": 234, "mq_open": 240,
    "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250, "ioprio_set": 251, "migrate_pages": 256,
    "mknodat": 259, "unshare": 272, "move_pages": 279, "rt_tgsigqueueinfo": 297, "perf_event_open": 298,
    "fanotify_init": 300, "prlimit64": 302, "name_to_handle_at": 303, "open_by_handle_at": 304,
    "clock_adjtime": 305, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
    "finit_module": 313, "sched_setattr": 314, "kexec_file_load": 320, "bpf": 321, "execveat": 322,
    "userfaultfd": 323,
}  # fmt: skip
AARCH64 = {
    **SHARED,
    "socket": 198, "clone": 220, "execve": 221, "kill": 129, "semget": 190, "semctl": 191, "semtimedop": 192,
    "semop": 193, "msgget": 186, "msgctl": 187, "msgrcv": 188, "msgsnd": 189, "shmget": 194, "shmctl": 195,
    "shmat": 196, "ptrace": 117, "syslog": 116, "rt_sigqueueinfo": 138, "setpriority": 140, "sched_setparam": 118,
    "sched_setscheduler": 119, "pivot_root": 41, "adjtimex": 171, "chroot": 51, "acct": 89, "settimeofday": 170,
    "mount": 40, "umount2": 39, "swapon": 224, "swapoff": 225, "reboot": 142, "sethostname": 161,
    "setdomainname": 162, "init_module": 105, "delete_module": 106, "quotactl": 60, "tkill": 130,
    "sched_setaffinity": 122, "clock_settime": 112, "tgkill": 131, "mq_open": 180, "kexec_load": 104,
    "add_key": 217, "request_key": 218, "keyctl": 219, "ioprio_set": 30, "migrate_pages": 238, "mknodat": 33,
    "unshare": 97, "move_pages": 239, "rt_tgsigqueueinfo": 240, "perf_event_open": 241, "fanotify_init": 262,
    "prlimit64": 261, "name_to_handle_at": 264, "open_by_handle_at": 265, "clock_adjtime": 266, "setns": 268,
    "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "finit_module": 273, "sched_setattr": 274,
    "kexec_file_load": 294, "bpf": 280, "execveat": 281, "userfaultfd": 282,
}  # fmt: skip
NUMBERS: dict[str, dict[str, int]] = {"x86_64": X86_64, "aarch64": AARCH64}


def numbers() -> dict[str, int]:
    """The numbers of this machine; empty for machines we do not know."""
    return NUMBERS.get(platform.machine(), {})


def call(name: str, *arguments: Any) -> int:
    """Make a kernel call. Raises OSError with the kernel's reason."""
    number = numbers().get(name)
    if number is None:
        raise OSError(38, f"{name} is not known for {platform.machine()}")
    return checked(LIBC.syscall(ctypes.c_long(number), *arguments), name)


def prctl(option: int, *arguments: int) -> int:
    """Make a prctl call. Raises OSError."""
    padded = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    return checked(LIBC.prctl(option, *padded), f"prctl {option}")


def checked(result: int, what: str) -> int:
    """The result of a C call, or an OSError from errno."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result
