"""A root folder of its own: the process sees the interpreter, the package and an empty temporary folder, nothing else.

Needs root or user namespaces. The network, names and System V objects are left behind in the same step.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable

from .syscalls import LIBC, call, checked

NEW_USER, NEW_NET, NEW_MOUNTS, NEW_IPC, NEW_NAMES = 0x10000000, 0x40000000, 0x00020000, 0x08000000, 0x04000000
BIND, RECURSIVE, PRIVATE, NO_SUID, NO_DEV, DETACH = 4096, 16384, 1 << 18, 2, 4, 2
READ_ONLY_ATTR, NO_SUID_ATTR, NO_DEV_ATTR = 0x1, 0x2, 0x4
AT_RECURSIVE, AT_HERE = 0x8000, -100
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


class MountAttr(ctypes.Structure):
    """What mount_setattr sets."""

    _fields_ = (("set", ctypes.c_uint64), ("clear", ctypes.c_uint64), ("propagation", ctypes.c_uint64),
                ("userns", ctypes.c_uint64))  # fmt: skip


def leave(mounts: bool = True) -> None:
    """Leave the machine's network (and mounts): as root, else in a user namespace. Raises OSError when not allowed."""
    flags = NEW_NET | NEW_IPC | NEW_NAMES | (NEW_MOUNTS if mounts else 0)
    if os.geteuid() == 0:
        call("unshare", ctypes.c_int(flags))
        return
    uid, gid = os.geteuid(), os.getegid()
    call("unshare", ctypes.c_int(flags | NEW_USER))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def build(paths: Iterable[str], temporary: str, temporary_bytes: int, uid: int) -> None:
    """Make the new root on top of `temporary`, enter it, and drop the old one. `temporary` is writable in it.

    Every path keeps its name. Folders that only their owner may enter are made anew, so that another user can reach
    what lies below them.
    """
    _mount("none", "/", None, RECURSIVE | PRIVATE)
    _mount("tmpfs", temporary, "tmpfs", NO_SUID | NO_DEV, "size=16m,mode=755")
    for path in outermost(paths):
        _show(path, temporary)
    for path in ("/proc", *DEVICES):
        _bind(path, temporary + path, READ_ONLY_ATTR | NO_SUID_ATTR)
    inside = temporary + temporary
    os.makedirs(inside, exist_ok=True)
    _mount("tmpfs", inside, "tmpfs", NO_SUID | NO_DEV, f"size={temporary_bytes},mode=700,uid={uid},gid={uid}")
    _attributes(temporary, READ_ONLY_ATTR, recursive=False)
    os.chdir(temporary)
    call("pivot_root", b".", b".")
    checked(LIBC.umount2(b".", DETACH), "umount the old root")
    os.chdir(temporary)


def outermost(paths: Iterable[str]) -> list[str]:
    """The paths that lie in no other of them, without those that do not exist.

    >>> outermost(["/usr", "/usr/lib", "/nowhere-at-all"])
    ['/usr']
    """
    kept: list[str] = []
    for path in sorted({os.path.abspath(path) for path in paths}, key=lambda one: one.count("/")):
        if os.path.lexists(path) and not any(path == k or path.startswith(k.rstrip("/") + "/") for k in kept):
            kept.append(path)
    return kept


def _show(path: str, root: str) -> None:
    target = root + path
    if os.path.islink(path):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.symlink(os.readlink(path), target)
        return
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode) and mode & 0o005 != 0o005:
        os.makedirs(target, exist_ok=True)
        for name in os.listdir(path):
            _show(os.path.join(path, name), root)
        return
    _bind(path, target, READ_ONLY_ATTR | NO_SUID_ATTR | NO_DEV_ATTR)


def _bind(path: str, target: str, attributes: int) -> None:
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    _mount(path, target, None, BIND | RECURSIVE)
    _attributes(target, attributes, recursive=True)


def _attributes(target: str, attributes: int, *, recursive: bool) -> None:
    attr = MountAttr(attributes, 0, 0, 0)
    call(
        "mount_setattr",
        ctypes.c_int(AT_HERE),
        os.fsencode(target),
        ctypes.c_uint(AT_RECURSIVE if recursive else 0),
        ctypes.byref(attr),
        ctypes.c_size_t(ctypes.sizeof(attr)),
    )


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    done = LIBC.mount(
        os.fsencode(source),
        os.fsencode(target),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        options.encode() if options else None,
    )
    checked(done, f"mount {target}")
