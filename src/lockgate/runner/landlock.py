"""Landlock: from here on this process may open only what is named (Linux 5.13 and newer, no rights needed).

Source of the numbers: the kernel's include/uapi/linux/landlock.h. Nothing is
allowed to be executed but the program of a command.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable

from .syscalls import call

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 1 << 1, 1 << 2, 1 << 3
FIRST_RIGHTS = (1 << 13) - 1  # execute .. make_sym, ABI 1
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
TCP_BOTH = 0b11  # bind and connect
SCOPES = 0b11  # abstract Unix sockets, signals
FOR_FILES = READ_FILE | WRITE_FILE | TRUNCATE | EXECUTE  # what a rule about a single file may hold


class RulesetAttr(ctypes.Structure):
    """What the rule set handles."""

    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class PathBeneathAttr(ctypes.Structure):
    """Rights below one path."""

    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def abi() -> int:
    """The kernel's Landlock version; 0 when it has none."""
    try:
        return call("landlock_create_ruleset", None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    except OSError:
        return 0


def restrict(
    version: int,
    read: Iterable[str],
    write: Iterable[str],
    devices: Iterable[str],
    run: Iterable[str] = (),
    *,
    network: bool = False,
) -> list[str]:
    """Allow reading below `read`, all but running below `write`, reading and writing `devices`, running `run`; no more.

    `network`: TCP stays allowed. Needs no_new_privs. Returns, in words, what this kernel's version cannot hold back.
    """
    rights = FIRST_RIGHTS | (REFER if version >= 2 else 0) | (TRUNCATE if version >= 3 else 0)
    rights |= IOCTL_DEV if version >= 5 else 0
    attr = RulesetAttr(rights, TCP_BOTH if version >= 4 and not network else 0, SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = call("landlock_create_ruleset", ctypes.byref(attr), ctypes.c_size_t(size), ctypes.c_uint32(0))
    try:
        for path in read:
            _allow(ruleset, path, READ_FILE | READ_DIR)
        for path in write:
            _allow(ruleset, path, rights & ~1)
        for path in devices:
            _allow(ruleset, path, READ_FILE | WRITE_FILE)
        for path in run:
            _allow(ruleset, path, READ_FILE | EXECUTE)
        call("landlock_restrict_self", ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)
    gaps = (
        (3, "cutting files short (Linux 6.2)"),
        (0 if network else 4, "TCP (Linux 6.7)"),
        (6, "signals and abstract sockets (Linux 6.12)"),
    )
    return [
        f"Landlock of this kernel (version {version}) does not hold {what}"
        for needed, what in gaps
        if version < needed
    ]


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        found = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not os.path.isdir(path):
            rights &= FOR_FILES
        rule = PathBeneathAttr(rights, found)
        call(
            "landlock_add_rule",
            ctypes.c_int(ruleset),
            ctypes.c_int(1),
            ctypes.byref(rule),
            ctypes.c_uint32(0),
        )
    finally:
        os.close(found)
