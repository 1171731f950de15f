"""Frames between lockgate and a runner: a fixed header and a body. Standard library only.

The header is 16 bytes, little-endian: kind (u8), three zero bytes, request (u32), length of the body (u64).
docs/runner-protocol.md describes everything, so that a runner can be written in another language.

A body is written from the buffers that it consists of with one call (`writev`: nothing is put together first), and read
into the memory that it stays in; a small frame comes with one call, header and body together.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

PROTOCOL = 1
HEADER = struct.Struct("<B3xIQ")
MAX_BODY_BYTES = 2 * 1024 * 1024 * 1024
FIRST_BYTES = 65_536  # read at once: a header and, mostly, all of its body
MOST_PARTS = 512  # the kernel takes 1,024 in one call
LABEL = "lockgate.label"  # the column of the labels among those of LEARN


class Kind(IntEnum):
    """What a frame is for. Requests come from lockgate, answers carry the request's number."""

    HELLO = 1  # JSON: what to load and how to confine oneself
    READY = 2  # JSON: what was loaded, what is confined
    PREDICT = 3  # columns
    ANSWER = 4  # columns
    ERROR = 5  # JSON: type, message, where, trace
    DESCRIBE = 6  # columns of a sample, or nothing
    DESCRIPTION = 7  # JSON
    CONVERT = 8  # JSON: inputs, outputs, classes
    CONVERTED = 9  # the bytes of an ONNX model
    CONFINED = (
        10  # JSON: what is confined; from the launcher of a command, before the command itself is greeted
    )
    LEARN = (
        11  # columns of n rows and their labels: from now on a fresh copy answers that was trained on these
    )
    LEARNED = 12  # nothing


class BadFrame(ValueError):
    """Bytes that do not follow the protocol."""


class Closed(ConnectionError):
    """The other end is gone."""


Buffer = Any  # bytes, bytearray, memoryview or a C-contiguous numpy array


class Frame(NamedTuple):
    """One frame as received. `body` is the receiver's own: nothing is written into it again."""

    kind: int
    request: int
    body: Buffer


def header(kind: int, request: int, length: int) -> bytes:
    """The 16 bytes before a body.

    >>> header(Kind.PREDICT, 7, 9).hex()
    '03000000070000000900000000000000'
    """
    return HEADER.pack(kind, request, length)


def frame_of(kind: int, request: int, parts: Sequence[Buffer]) -> list[Buffer]:
    """A frame as the buffers to write one after the other; long lists of small parts are put together."""
    if len(parts) > MOST_PARTS:
        parts = [b"".join(parts)]
    length = sum([part.nbytes if hasattr(part, "nbytes") else len(part) for part in parts])
    return [HEADER.pack(kind, request, length), *parts]


def write(descriptor: int, parts: list[Buffer]) -> list[Buffer]:
    """Write as much as goes with one call; returns what is left, empty when all is written.

    On a descriptor that does not block, nothing may go: then all is left. Raises OSError when the other end is gone.
    """
    try:
        done = os.writev(descriptor, parts)
    except BlockingIOError:
        return parts
    left: list[Buffer] = []
    for part in parts:
        size = part.nbytes if hasattr(part, "nbytes") else len(part)
        if done >= size:
            done -= size
        else:
            left.append(memoryview(part).cast("B")[done:] if done else part)
            done = 0
    return left


def send(descriptor: int, kind: int, request: int, parts: Sequence[Buffer]) -> None:
    """Write one whole frame to a descriptor that blocks."""
    left = frame_of(kind, request, parts)
    while left:
        left = write(descriptor, left)


class Inbox:
    """Puts the frames of one descriptor together, however they arrive.

    `allocate` gives the memory for bodies that do not come with the first read, by their length in bytes; it is called
    with what a header claims, so it should not touch the memory (numpy.empty does not).
    """

    def __init__(self, descriptor: int, allocate: Callable[[int], Buffer] = bytearray) -> None:
        self.allocate = allocate
        self._descriptor = descriptor
        self._first = bytearray(FIRST_BYTES)
        self._view = memoryview(self._first)
        self._have = 0  # bytes of `_first`
        self._head: tuple[int, int, int] | None = None
        self._body: Buffer = b""
        self._rest = memoryview(b"")  # of the body, still to come

    def read(self, limit_bytes: int = MAX_BODY_BYTES) -> Frame | None:
        """Read once; the frame when it is whole, else None.

        Raises Closed when the other end is gone, BadFrame for a body above the limit or bytes behind the frame (nobody
        sends before they were answered), BlockingIOError when a descriptor that does not block has nothing.
        """
        if self._head is None:
            self._have += self._some(self._view[self._have :])
            if self._have < HEADER.size:
                return None
            self._begin(limit_bytes)
        else:
            self._rest = self._rest[self._some(self._rest) :]
        if self._rest.nbytes or self._head is None:
            return None
        kind, request, _ = self._head
        frame = Frame(kind, request, self._body)
        self._head, self._have, self._body = None, 0, b""
        return frame

    def _begin(self, limit_bytes: int) -> None:
        kind, request, length = HEADER.unpack_from(self._first)
        if length > limit_bytes:
            raise BadFrame(f"a frame of {length} bytes, allowed are {limit_bytes}")
        have = self._have - HEADER.size
        if have > length:
            raise BadFrame("more bytes than the frame has")
        self._head = kind, request, length
        if have == length:
            self._body, self._rest = self._first[HEADER.size : self._have], memoryview(b"")
            return
        self._body = self.allocate(length)
        whole = memoryview(self._body).cast("B")
        whole[:have] = self._view[HEADER.size : self._have]
        self._rest = whole[have:]

    def _some(self, room: memoryview) -> int:
        got = os.readv(self._descriptor, [room])
        if not got:
            raise Closed("the other end closed the connection")
        return got


def receive(inbox: Inbox, limit_bytes: int = MAX_BODY_BYTES) -> Frame:
    """Wait for one whole frame on a descriptor that blocks. Raises Closed, BadFrame."""
    while True:
        frame = inbox.read(limit_bytes)
        if frame is not None:
            return frame


def encode_json(value: Any) -> bytes:
    """A JSON body; what JSON does not know is written as text."""
    return json.dumps(value, default=str).encode()


def decode_json(body: Buffer) -> dict[str, Any]:
    """A JSON object. Raises BadFrame."""
    try:
        value = json.loads(bytes(body))
    except ValueError as error:
        raise BadFrame(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadFrame("not a JSON object")
    return value
