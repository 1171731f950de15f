"""Listening sockets that the server below keeps to itself: ending to listen without dropping anybody, stuck callers.

Closing a listening socket resets the connections that the kernel has accepted and the process has not. So the socket is
first made deaf: a filter on it drops new attempts (their callers' kernels try again, and reach a sibling or are refused),
while those that were already in its queue are served. Then it can be closed.
"""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Iterator
from pathlib import Path

SO_ATTACH_FILTER = 26
_DROP = (0x06, 0, 0, 0)  # classic BPF: return 0, keep nothing of the packet


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("jt", ctypes.c_ubyte),
        ("jf", ctypes.c_ubyte),
        ("k", ctypes.c_uint),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.POINTER(_Instruction)))


def stop_listening_softly(port: int) -> int:
    """Make every listening socket of this process on that port deaf; how many there were."""
    found = 0
    for handle in _listeners(port):
        program = _Program(1, (_Instruction * 1)(_Instruction(*_DROP)))
        handle.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, bytes(program))
        found += 1
    return found


def give_up_stuck_writes(port: int, timeout_ms: int) -> int:
    """Let the kernel end connections to that port whose callers take none of their answer for so long; how many listen.

    Connections inherit the limit from the listening socket.
    """
    found = 0
    for handle in _listeners(port):
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms)
        found += 1
    return found


def connections(port: int) -> int:
    """How many connections to that port this process holds."""
    found = 0
    for handle in _sockets():
        with handle:
            found += handle.getsockname()[1] == port and not handle.getsockopt(
                socket.SOL_SOCKET, socket.SO_ACCEPTCONN
            )
    return found


def _listeners(port: int) -> Iterator[socket.socket]:
    """Duplicates of this process's listening sockets on a port, each closed after its turn."""
    for handle in _sockets():
        with handle:
            if handle.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and handle.getsockname()[1] == port:
                yield handle


def _sockets() -> Iterator[socket.socket]:
    """Duplicates of this process's internet sockets, for the caller to close."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208  numbers, not paths
        try:
            if not str(Path(f"/proc/self/fd/{name}").readlink()).startswith("socket:"):
                continue
            handle = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue  # closed meanwhile
        if handle.family in (socket.AF_INET, socket.AF_INET6) and handle.type == socket.SOCK_STREAM:
            yield handle
        else:
            handle.close()
