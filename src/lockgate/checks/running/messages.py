"""What a checking process and its owner say to each other: length-prefixed MessagePack over a Unix socket."""

from __future__ import annotations

import socket
import struct
from typing import Any

import msgspec
import numpy as np

from lockgate.checks.evidence import Asked
from lockgate.checks.finding import Finding

_LENGTH = struct.Struct("<I")
RECEIVE_BYTES = 1 << 16


class Run(msgspec.Struct, frozen=True, tag=True):
    """To the process: run this check. `hard_bytes`: beyond it the kernel gives no more memory."""

    check: str
    hard_bytes: int


class Answered(msgspec.Struct, frozen=True, tag=True):
    """To the process: the file of the answers it asked for, or numbers, or the error that was raised instead."""

    path: str = ""
    numbers: tuple[float, ...] = ()
    error: dict[str, Any] | None = None


class AskRows(msgspec.Struct, frozen=True, tag=True):
    """From the process: answer the table of this file."""

    path: str
    of: Asked
    chunk_rows: int
    rows: int


class AskMetric(msgspec.Struct, frozen=True, tag=True):
    """From the process: the project's own metric of the table of this file, and of `times` sets of redrawn rows."""

    name: str
    path: str
    times: int = 0


class Told(msgspec.Struct, frozen=True, tag=True):
    """From the process: how far the check is."""

    done: int
    of: int
    what: str


class Done(msgspec.Struct, frozen=True, tag=True):
    """From the process: what the check found, what it wants kept for the next version, and what it used."""

    findings: list[Finding]
    kept: dict[str, Any]
    cpu_s: float


ToProcess = Run | Answered
FromProcess = AskRows | AskMetric | Told | Done
_TO: msgspec.msgpack.Decoder[ToProcess] = msgspec.msgpack.Decoder(ToProcess)
_FROM: msgspec.msgpack.Decoder[FromProcess] = msgspec.msgpack.Decoder(FromProcess)


def pack(message: ToProcess | FromProcess) -> bytes:
    """One message as bytes."""
    return msgspec.msgpack.encode(message, enc_hook=_plain)


def unpack(body: bytes) -> FromProcess:
    """A process's message."""
    return _FROM.decode(body)


def unpack_answered(body: bytes) -> Answered:
    """The owner's answer."""
    return msgspec.msgpack.decode(body, type=Answered)


def send(sock: socket.socket, message: ToProcess | FromProcess) -> None:
    """Send one message, whole."""
    body = pack(message)
    sock.sendall(_LENGTH.pack(len(body)) + body)


def receive(sock: socket.socket) -> ToProcess | None:
    """The next message of the owner; None when it is gone."""
    head = _exactly(sock, _LENGTH.size)
    if head is None:
        return None
    body = _exactly(sock, _LENGTH.unpack(head)[0])
    return None if body is None else _TO.decode(body)


class Inbox:
    """Bytes of one process as they come, cut into messages."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[FromProcess]:
        """The messages that are whole now. Raises msgspec.DecodeError when they are none."""
        self._bytes += data
        whole = []
        while len(self._bytes) >= _LENGTH.size:
            ends = _LENGTH.size + _LENGTH.unpack_from(self._bytes)[0]
            if len(self._bytes) < ends:
                break
            whole.append(_FROM.decode(bytes(self._bytes[_LENGTH.size : ends])))
            del self._bytes[:ends]
        return whole


def _exactly(sock: socket.socket, size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        part = sock.recv(min(size - len(parts), RECEIVE_BYTES))
        if not part:
            return None
        parts += part
    return bytes(parts)


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy in findings, as Python's own."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"a finding cannot hold a {type(value).__name__}")
