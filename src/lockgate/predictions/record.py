"""What the log holds: one record per request, with everything that statistics, replay and people need later.

Inputs and outputs are blocks: columns of one type side by side as raw little-endian bytes, so writing a record costs
microseconds. Nothing here can refer to itself, so the garbage collector need not look (`gc=False`: reading is twice
as fast). `blocks_of` and `columns_of` turn columns (name -> array) into blocks and back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec
import numpy as np

from lockgate.predictions.segment import Damage
from lockgate.registry.signature import NUMPY_TYPES, DataType
from lockgate.traffic import Role

Columns = dict[str, np.ndarray]
SLOW = "slow"  # why live answered: the canary had not when it was slow for the guards; whether it failed nobody knows


class Kind(StrEnum):
    """Why a record exists."""

    ANSWER = "answer"  # a caller's request
    SHADOW = "shadow"  # another version's answer to a logged request (`of`)
    BATCH = "batch"  # a chunk of rows scored by `lockgate score`
    GAP = "gap"  # records that could not be written (full disk): `rows` tells how many requests


class Block(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Columns of one type. `shape` is `(rows, *shape per row)` of each column; the columns' bytes follow each other.

    For BYTES, `data` is empty and `text` holds the values of all columns, one after the other (None: missing).
    """

    names: list[str]
    datatype: DataType
    shape: list[int]
    data: bytes = b""
    text: list[str | None] | None = None


class Attempt(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A canary's failed, or slow, try at a request that the live version then answered."""

    version: int
    digest: str
    reason: str  # "error" | "timeout" | "invalid" | "input" | SLOW
    error: str
    latency_us: int


class Sealed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Personal inputs of one row, encrypted with a key of the person they speak of (see `personal.py`)."""

    row: int
    key: bytes  # which key
    data: bytes  # nonce and AES-GCM of the msgpack of their blocks, of one row


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One request and its answer. Times are microseconds; `latency_us` is whole, failed attempts included."""

    kind: Kind = Kind.ANSWER
    id: str  # ours, unique: UUIDv7 in hex
    at_us: int
    latency_us: int = 0
    model: str
    version: int = 0  # that gave the answer
    digest: str = ""
    role: Role = Role.LIVE  # of the version that gave the answer
    assigned: Role = Role.LIVE  # what `assign` said
    weight: float = (
        0.0  # w: probability that this request had of going to the canary; in shadow: of being scored
    )
    epoch: int = 0
    release: int | None = None
    stage: int = 0
    forced: bool = False  # routed by override or a probe: never enters an unpaired guard
    key: str | None = None  # business key
    inference_id: str | None = None  # the caller's own id
    caller: str | None = None
    status: int = 200
    rows: int = 0
    inputs: list[Block] = []
    outputs: list[Block] = []
    error: str | None = None
    failed: Attempt | None = None
    trace: str | None = None  # W3C trace id of the request, in hex
    of: str | None = None  # shadow: id of the request that was scored again
    sealed: list[Sealed] = []  # personal inputs, which are not in `inputs`
    erased: list[int] = []  # rows, as they were numbered, that are in no block any more: a person was erased


class Offset(msgspec.Struct, frozen=True, array_like=True, order=True, gc=False):
    """A place in the log: a segment and the byte after the last frame that was read."""

    segment: str
    position: int


class Frame(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one write commits: records, and the offsets of the reader that wrote them, together.

    `erased`: nothing, as many bytes as were taken out when a person was erased, so that later frames stay where they are.
    """

    records: list[Record]
    read: list[Offset] = []
    erased: bytes = b""


@dataclass(frozen=True)
class Batch:
    """What one read found: records with the place after their frame, and the offsets to go on from."""

    records: list[tuple[Record, Offset]] = field(default_factory=list)
    offsets: dict[str, int] = field(default_factory=dict)
    damage: list[Damage] = field(default_factory=list)


def blocks_of(columns: Mapping[str, np.ndarray]) -> list[Block]:
    """Columns (n rows each) as blocks; neighbours of one type and shape share a block."""
    blocks: list[Block] = []
    group: list[str] = []
    names = list(columns)
    for place, name in enumerate(names):
        group.append(name)
        array, following = columns[name], columns[names[place + 1]] if place + 1 < len(names) else None
        if following is None or following.dtype != array.dtype or following.shape != array.shape:
            blocks.append(_block(group, columns))
            group = []
    return blocks


def columns_of(blocks: list[Block]) -> Columns:
    """The columns of blocks, in order. Arrays of numbers are read-only views."""
    columns: Columns = {}
    for block in blocks:
        size = int(np.prod(block.shape))
        if block.datatype is DataType.BYTES:
            flat = np.array(block.text or [], dtype=object)
        else:
            flat = np.frombuffer(block.data, dtype=NUMPY_TYPES[block.datatype])
        for place, name in enumerate(block.names):
            columns[name] = flat[place * size : (place + 1) * size].reshape(block.shape)
    return columns


_TYPES = {np.dtype(numpy_type): name for name, numpy_type in NUMPY_TYPES.items()}


def _block(names: list[str], columns: Mapping[str, np.ndarray]) -> Block:
    first = columns[names[0]]
    shape = list(first.shape)
    if first.dtype.kind in "OUS":
        text = [value for name in names for value in columns[name].ravel().tolist()]
        missing = [value is None or (isinstance(value, float) and math.isnan(value)) for value in text]
        values = [None if gone else str(value) for value, gone in zip(text, missing, strict=True)]
        return Block(names, DataType.BYTES, shape, b"", values)
    data = b"".join(np.ascontiguousarray(columns[name]).tobytes() for name in names)
    return Block(names, _TYPES[first.dtype], shape, data)
