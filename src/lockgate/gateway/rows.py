"""The typed rows of one request, packed so that batching and recording touch few arrays.

Inputs of one type and shape lie in one array of shape `[k, n, *shape]` (k inputs, n rows). Which input lies where is the
same for every request of a version, so it is worked out once, at load time (`Layout`).
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from lockgate.predictions.record import Block, Columns
from lockgate.registry.signature import NUMPY_TYPES, DataType, Field, Signature

_TYPES = {np.dtype(kind): name for name, kind in NUMPY_TYPES.items()}


@dataclass(frozen=True, slots=True)
class Group:
    """Inputs that share one array."""

    datatype: DataType
    shape: tuple[int, ...]
    fields: tuple[Field, ...]


class Rows(msgspec.Struct, frozen=True):
    """n rows of a version's inputs: one array per group of its layout, and columns that are recorded only."""

    parts: tuple[np.ndarray, ...]
    n: int
    extra: tuple[Block, ...] = ()


class Layout:
    """Where each input of a signature lies in `Rows`."""

    def __init__(self, signature: Signature) -> None:
        kinds: dict[tuple[DataType, tuple[int, ...]], list[Field]] = {}
        for field in signature.inputs:
            # Inputs of any length may differ from each other in one request: each gets an array of its own.
            kind = (field.datatype, (*field.shape, len(kinds)) if -1 in field.shape else field.shape)
            kinds.setdefault(kind, []).append(field)
        self.fields = signature.inputs
        self.groups = tuple(
            Group(kind, fields[0].shape, tuple(fields)) for (kind, _), fields in kinds.items()
        )
        places = {f.name: (g, i) for g, group in enumerate(self.groups) for i, f in enumerate(group.fields)}
        self._places = [(field.name, *places[field.name]) for field in signature.inputs]
        self._names = [[field.name for field in group.fields] for group in self.groups]
        self._numbers = len(self.groups) == 1 and self.groups[0].datatype is not DataType.BYTES

    def columns(self, rows: Rows) -> Columns:
        """Arrays of n rows by input name, in the signature's order: views where the columns lie one after the other."""
        parts = [
            np.ascontiguousarray(part) for part in rows.parts
        ]  # a table's columns lie apart from each other
        return {name: parts[group][index] for name, group, index in self._places}

    def blocks(self, rows: Rows) -> list[Block]:
        """The rows as the log holds them."""
        if self._numbers and not rows.extra:  # most models: all inputs in one array
            part = rows.parts[0]
            return [Block(self._names[0], self.groups[0].datatype, list(part.shape[1:]), part.tobytes())]
        found = [
            _block(names, group.datatype, part)
            for names, group, part in zip(self._names, self.groups, rows.parts, strict=True)
        ]
        return [*found, *rows.extra] if rows.extra else found

    def join(self, many: list[Rows]) -> Rows:
        """The rows of several requests, one after the other. Raises ValueError when lengths differ per row."""
        if len(many) == 1:
            return many[0]
        parts = tuple(
            np.concatenate([rows.parts[g] for rows in many], axis=1) for g in range(len(self.groups))
        )
        return Rows(parts, sum(rows.n for rows in many))


def output_blocks(columns: Columns) -> list[Block]:
    """A request's outputs as the log holds them, a block each: few and small, so looking for neighbours costs more."""
    return [
        Block([name], datatype, list(array.shape), array.tobytes())
        if (datatype := _TYPES.get(array.dtype)) is not None and datatype is not DataType.BYTES
        else _block([name], DataType.BYTES, array[np.newaxis])
        for name, array in columns.items()
    ]


def _block(names: list[str], datatype: DataType, part: np.ndarray) -> Block:
    shape = list(part.shape[1:])
    if datatype is DataType.BYTES:
        texts = [None if cell is None else str(cell) for cell in part.ravel().tolist()]
        return Block(names, datatype, shape, b"", texts)
    return Block(names, datatype, shape, part.tobytes())
