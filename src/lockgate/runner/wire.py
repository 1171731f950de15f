"""Frames on the socket between lockgate and a runner: a fixed header and a body. Standard library only.

The header is 16 bytes, little-endian: kind (u8), three zero bytes, request (u32), length of the body (u64).
docs/runner-protocol.md describes everything, so that a runner can be written in another language.
"""

from __future__ import annotations

import json
import socket
import struct
from enum import IntEnum
from typing import Any, NamedTuple

PROTOCOL = 1
HEADER = struct.Struct("<B3xIQ")
MAX_JSON_BYTES = 64 * 1024 * 1024
MAX_BODY_BYTES = 2 * 1024 * 1024 * 1024


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


class BadFrame(ValueError):
    """Bytes that do not follow the protocol."""


class Closed(ConnectionError):
    """The other end is gone."""


class Frame(NamedTuple):
    """One frame as received."""

    kind: int
    request: int
    body: bytearray


def header(kind: int, request: int, length: int) -> bytes:
    """The 16 bytes before a body.

    >>> header(Kind.PREDICT, 7, 9).hex()
    '03000000070000000900000000000000'
    """
    return HEADER.pack(kind, request, length)


def parse_header(raw: bytes, limit_bytes: int = MAX_BODY_BYTES) -> tuple[int, int, int]:
    """Kind, request and length of the body. Raises BadFrame when the body would be longer than allowed."""
    kind, request, length = HEADER.unpack(raw)
    if length > limit_bytes:
        raise BadFrame(f"a frame of {length} bytes, allowed are {limit_bytes}")
    return kind, request, length


def send(sock: socket.socket, kind: int, request: int, body: bytes) -> None:
    """Send one whole frame."""
    if len(body) < 65_536:
        sock.sendall(header(kind, request, len(body)) + body)
    else:
        sock.sendall(header(kind, request, len(body)))
        sock.sendall(body)


def receive(sock: socket.socket, limit_bytes: int = MAX_BODY_BYTES) -> Frame:
    """Wait for one whole frame. Raises Closed when the other end is gone, TimeoutError by the socket's time-out."""
    kind, request, length = parse_header(bytes(_exactly(sock, HEADER.size)), limit_bytes)
    return Frame(kind, request, _exactly(sock, length))


def encode_json(value: Any) -> bytes:
    """A JSON body; what JSON does not know is written as text."""
    return json.dumps(value, default=str).encode()


def decode_json(body: bytes | bytearray) -> dict[str, Any]:
    """A JSON object. Raises BadFrame."""
    try:
        value = json.loads(bytes(body))
    except ValueError as error:
        raise BadFrame(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadFrame("not a JSON object")
    return value


def _exactly(sock: socket.socket, size: int) -> bytearray:
    # grown as bytes arrive: a header alone must not make us reserve gigabytes
    body = bytearray(min(size, 1 << 20))
    done = 0
    while done < size:
        if done == len(body):
            body.extend(bytes(min(size - done, len(body))))
        with memoryview(body) as view:
            got = sock.recv_into(view[done:])
        if not got:
            raise Closed("the other end closed the connection")
        done += got
    return body
