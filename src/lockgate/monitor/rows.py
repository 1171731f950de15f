"""Records as columns of numbers and words, quickly: records whose bytes are laid out alike are read as one block of memory.

A record of numbers is the same bytes as its neighbour but for the values themselves, so a million of them are read without
looking at one. Records with text, or laid out otherwise, are decoded one by one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl

from lockgate.predictions.record import Block, Columns, columns_of
from lockgate.registry.signature import NUMPY_TYPES, DataType

_encoder = msgspec.msgpack.Encoder()
_one = msgspec.msgpack.Decoder(list[Block])
_many = msgspec.msgpack.Decoder(list[list[Block]])
_FEW = 4  # records of one length: not worth a look at their layout
_Key = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class Rows:
    """Predicted rows (n) of one version whose records are laid out alike. Text columns hold str or None."""

    version: int
    at_us: np.ndarray
    inputs: Columns
    outputs: Columns


@dataclass(frozen=True, eq=False)
class _Part:
    """Cells that are laid out alike: where they stand, rows in each, columns of shape (cells, rows, ...)."""

    places: np.ndarray
    rows: int
    columns: Columns


def rows_of(records: pl.DataFrame) -> Iterator[Rows]:
    """The rows of answered records (flat, personal inputs opened), by version and layout; outputs of another height are not."""
    one = records["version"].n_unique() == 1
    for part in [records] if one else records.partition_by("version", maintain_order=True):
        at_us = part["at_us"].to_numpy()
        outputs = _parts(part["outputs"])
        for given in _parts(part["inputs"]):
            for answered in outputs:
                _, mine, theirs = np.intersect1d(
                    given.places, answered.places, assume_unique=True, return_indices=True
                )
                if mine.size and given.rows:
                    fits = answered.rows == given.rows
                    yield Rows(
                        int(part["version"][0]),
                        np.repeat(at_us[given.places[mine]], given.rows),
                        _flat(given.columns, mine),
                        _flat(answered.columns, theirs) if fits else {},
                    )


def _flat(columns: Columns, cells: np.ndarray) -> Columns:
    """Some cells' columns, rows below each other."""
    found = {}
    for name, values in columns.items():
        chosen = values if cells.size == len(values) else values[cells]
        found[name] = chosen.reshape(-1, *chosen.shape[2:])
    return found


def _parts(cells: pl.Series) -> list[_Part]:
    """Every cell in one part."""
    if not len(cells):
        return []
    offsets, data = _buffers(cells)
    lengths = np.diff(offsets)
    parts: list[_Part] = []
    rest: list[np.ndarray] = []
    for length in np.unique(lengths):
        places = np.flatnonzero(lengths == length)
        part, left = _numbers(data, offsets, places, int(length)) if places.size >= _FEW else (None, places)
        if part is not None:
            parts.append(part)
        rest.append(left)
    left = np.sort(np.concatenate(rest))
    return parts + (_decoded(data, offsets, left) if left.size else [])


def _buffers(cells: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (n + 1) and bytes of binary cells without nulls, in one piece."""
    filled = cells.fill_null(b"\x90") if cells.null_count() else cells
    arrow = filled.rechunk().to_arrow()
    _, offsets, data = arrow.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[arrow.offset : arrow.offset + len(arrow) + 1]
    return ends, np.frombuffer(data, dtype=np.uint8)


def _numbers(
    data: np.ndarray, offsets: np.ndarray, places: np.ndarray, length: int
) -> tuple[_Part | None, np.ndarray]:
    """The cells of one length that are laid out as the first is, if that holds numbers alone; and the others' places."""
    first = data[offsets[places[0]] : offsets[places[0]] + length].tobytes()
    blocks = _one.decode(first)
    spans = _spans(blocks, first)
    if not blocks or spans is None:
        return None, places
    if places[-1] - places[0] + 1 == places.size:
        table = data[offsets[places[0]] : offsets[places[-1]] + length].reshape(-1, length)
    else:
        table = data[offsets[places][:, None] + np.arange(length)]
    fixed = np.ones(length, dtype=bool)
    for start, end in spans:
        fixed[start:end] = False
    same = _alike(table, fixed)
    kept = table if same.all() else table[same]
    rows, columns = int(blocks[0].shape[0]), {}
    for block, (start, end) in zip(blocks, spans, strict=True):
        values = np.ascontiguousarray(kept[:, start:end]).view(NUMPY_TYPES[block.datatype])
        wide = values.reshape(len(kept), len(block.names), *block.shape)
        columns.update({name: wide[:, place] for place, name in enumerate(block.names)})
    return _Part(places[same], rows, columns), places[~same]


def _alike(table: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """Which rows of bytes equal the first where they are fixed: run by run, so that nothing is copied."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], fixed.astype(np.int8), [0]])))
    same = np.ones(len(table), dtype=bool)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        same &= (table[:, start:end] == table[0, start:end]).all(axis=1)
    return same


def _spans(blocks: Sequence[Block], cell: bytes) -> list[tuple[int, int]] | None:
    """Where in the cell each block's numbers lie; None for text, blocks of unlike heights, or another writer's msgpack."""
    if _encoder.encode(blocks) != cell or len({block.shape[0] for block in blocks if block.shape}) != 1:
        return None
    spans, at = [], len(_encoder.encode([None] * len(blocks))) - len(blocks)
    for block in blocks:
        if block.datatype is DataType.BYTES or block.text is not None or not block.data:
            return None
        ahead = 1 + sum(len(_encoder.encode(part)) for part in (block.names, block.datatype, block.shape))
        start = at + ahead + len(_encoder.encode(block.data)) - len(block.data)
        spans.append((start, start + len(block.data)))
        at += len(_encoder.encode(block))
    return spans


def _decoded(data: np.ndarray, offsets: np.ndarray, places: np.ndarray) -> list[_Part]:
    """Cells one by one, those of one layout below each other."""
    cells = [data[offsets[place] : offsets[place + 1]].tobytes() for place in places]
    head = b"\xdd" + len(cells).to_bytes(4, "big")
    groups: dict[_Key, list[int]] = defaultdict(list)
    decoded = _many.decode(head + b"".join(cells))
    for number, blocks in enumerate(decoded):
        groups[tuple((*block.shape, len(block.names)) for block in blocks)].append(number)
    parts: list[_Part] = []
    for members in groups.values():
        while members:
            first = [(block.names, block.datatype) for block in decoded[members[0]]]
            alike = [n for n in members if [(b.names, b.datatype) for b in decoded[n]] == first]
            members = [n for n in members if n not in set(alike)] if len(alike) < len(members) else []  # noqa: PLW2901
            parts.append(_stacked([decoded[n] for n in alike], places[alike]))
    return parts


def _stacked(cells: list[list[Block]], places: np.ndarray) -> _Part:
    """Cells of one layout as columns of shape (cells, rows, ...)."""
    first = cells[0]
    rows = int(first[0].shape[0]) if first and first[0].shape else 0
    columns: Columns = {}
    for number, block in enumerate(first):
        if len(cells) == 1:
            columns |= {name: values[None] for name, values in columns_of([block]).items()}
            continue
        whole = (len(cells), len(block.names), *block.shape)
        if block.datatype is DataType.BYTES:
            values = np.array([value for cell in cells for value in cell[number].text or []], dtype=object)
        else:
            values = np.frombuffer(b"".join(cell[number].data for cell in cells), NUMPY_TYPES[block.datatype])
        wide = values.reshape(whole)
        columns |= {name: wide[:, place] for place, name in enumerate(block.names)}
    heights = {block.shape[0] for block in first if block.shape}
    return _Part(places, rows if len(heights) == 1 else 0, columns)
