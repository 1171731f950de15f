"""Taking a person out of records: which rows are theirs, and what a record is without them. Pure.

A request of one person goes as a whole; of a request with rows of several people their rows go, from inputs and outputs
alike, and the record says which numbers they had, so that the other rows keep theirs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec
import numpy as np

from lockgate.predictions.record import Block, Frame, Kind, Offset, Record, columns_of
from lockgate.predictions.subject import key_text
from lockgate.registry.signature import NUMPY_TYPES, DataType

Gone = frozenset[int] | None  # rows of a request; None: all of it
_encoder = msgspec.msgpack.Encoder()
_PAD = 5  # bytes of the header of msgpack's longest bin


def rows_of(record: Record, key: str, key_field: str | None) -> Gone | frozenset[int]:
    """Which rows of a request belong to a business key: None for all, an empty set for none."""
    cells = _keys(record, key_field)
    if cells is None:
        return None if record.key == key else frozenset()
    mine = frozenset(place for place, cell in enumerate(cells) if cell == key)
    if len(mine) == len(cells) or (record.key == key and not mine):
        return None
    return frozenset(_numbers(record, len(cells))[place] for place in mine)


def without(record: Record, gone: Gone) -> Record | None:
    """The record without these rows (numbered as they were first); None when nothing is left of it."""
    if gone is None:
        return None
    places = [place for place, row in enumerate(_numbers(record, record.rows)) if row in gone]
    left = record.rows - len(places)
    if left <= 0:
        return None
    return msgspec.structs.replace(
        record,
        rows=left,
        inputs=[_cut(block, places) for block in record.inputs if _height(block) == record.rows],
        outputs=[_cut(block, places) for block in record.outputs if _height(block) == record.rows],
        sealed=[one for one in record.sealed if one.row not in gone],
        erased=sorted({*record.erased, *gone}),
    )


def change(record: Record, gone: Mapping[str, Gone]) -> Record | None:
    """What is left of a record when these requests (by id) lose rows; shadow answers to them lose the same."""
    name = record.of if record.kind is Kind.SHADOW and record.of is not None else record.id
    return without(record, gone[name]) if name in gone else record


def smaller_frame(
    records: list[Record], read: list[Offset], changed: list[Record | None], size: int
) -> tuple[bytes, int]:
    """The payload of a frame with changed records in exactly `size` bytes, and how many records did not fit.

    Taking out a row of a few bytes can make a record longer, for it has to say which row is missing. A record that no
    longer fits goes as a whole: what must be forgotten weighs more than what may be kept.
    """
    left = list(changed)
    while True:
        payload = _padded(Frame([record for record in left if record is not None], read), size)
        if payload is not None:
            dropped = sum(new is not None and kept is None for new, kept in zip(changed, left, strict=True))
            return payload, dropped
        place = next(at for at, record in enumerate(left) if record is not None and record is not records[at])
        left[place] = None


def _padded(frame: Frame, size: int) -> bytes | None:
    body = _encoder.encode(frame)[: -len(_encoder.encode(b""))]  # without the empty filling at its end
    room = size - len(body) - _PAD
    if room < 0:
        return None
    return body + b"\xc6" + room.to_bytes(4, "big") + bytes(room)


def _keys(record: Record, key_field: str | None) -> list[str | None] | None:
    """The keys that stand in the rows themselves, as text; None when the rows hold none."""
    block = next((block for block in record.inputs if key_field in block.names), None)
    if key_field is None or block is None or len(block.shape) != 1 or _height(block) != record.rows:
        return None
    cells = columns_of([block])[key_field].tolist()
    return [None if cell is None else key_text(cell) for cell in cells]


def _numbers(record: Record, height: int) -> list[int]:
    """The numbers that rows had at first: those that were erased before are left out."""
    gone = set(record.erased)
    return [row for row in range(height + len(gone)) if row not in gone][:height]


def _height(block: Block) -> int:
    return block.shape[0] if block.shape else 0


def _cut(block: Block, places: Collection[int]) -> Block:
    height = _height(block)
    keep = np.setdiff1d(np.arange(height), list(places))
    shape = [len(keep), *block.shape[1:]]
    whole = (len(block.names), *block.shape)
    if block.datatype is DataType.BYTES:
        cells = np.array(block.text or [], dtype=object).reshape(whole)[:, keep]
        return Block(block.names, block.datatype, shape, b"", cells.ravel().tolist())
    values = np.frombuffer(block.data, NUMPY_TYPES[block.datatype]).reshape(whole)[:, keep]
    return Block(block.names, block.datatype, shape, np.ascontiguousarray(values).tobytes())
