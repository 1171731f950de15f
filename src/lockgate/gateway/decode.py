"""From what a caller sent (lists or arrays by name, or a table) to the typed rows of a version.

Wrong input raises InvalidInput that names the field and nothing else of the signature. Columns that the version does
not know are ignored: callers may send more than one version's inputs, so that two versions can be released side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lockgate.errors import InvalidInput
from lockgate.gateway.cells import FLOATS, cells, sound, texts, together, typed, wanted_word
from lockgate.gateway.params import with_params
from lockgate.gateway.pictures import cells as picture_cells
from lockgate.gateway.pictures import pictured
from lockgate.gateway.rows import Group, Layout, Rows
from lockgate.gateway.sent import Sent
from lockgate.predictions.record import Block
from lockgate.registry.signature import NUMPY_TYPES, DataType, Field, Signature


class Decoder:
    """Turns what was sent into one version's rows; built once, at load time."""

    def __init__(self, signature: Signature) -> None:
        self.layout = Layout(signature)
        self._known = {field.name for field in signature.inputs}
        groups = self.layout.groups
        self._plain = len(groups) == 1 and groups[0].shape == () and groups[0].datatype is not DataType.BYTES
        self._datatype = groups[0].datatype
        self._floats = self._plain and self._datatype in FLOATS and len(groups[0].fields) > 1
        self._target = np.dtype(NUMPY_TYPES[self._datatype])
        self._scalars = all(group.shape == () for group in groups)
        self._order = [field.name for field in signature.inputs]
        self._optional = frozenset(field.name for field in signature.inputs if not field.required)
        # a model of a whole matrix (ONNX: X [rows, 2]): a plain table of so many columns is that matrix
        only = signature.inputs[0] if len(signature.inputs) == 1 else None
        self._matrix = only if only is not None and len(only.shape) == 1 else None
        # a model of pictures and the like: nested lists without a name are its only input
        self._tensor = only if only is not None and (len(only.shape) > 1 or only.media is not None) else None
        self._inputs = signature.inputs

    def decode(self, sent: Sent, key_field: str | None = None) -> Rows:
        """The rows. `key_field` names a column that is recorded even when the model does not use it."""
        if self._optional or sent.params:
            sent = with_params(sent, self._order, self._optional)
        if sent.media is not None:
            sent = pictured(sent, self._inputs)
        rows = self._quickly(sent)
        if rows is not None and key_field not in sent.columns:
            return rows
        matrix = None if self._matrix is None else _as_matrix(self._matrix, sent)
        if matrix is not None:
            rows = self._from_columns(matrix)
        elif sent.table is not None and sent.names is None and self._tensor is not None:
            rows = self._from_columns({self._tensor.name: sent.table})
        elif sent.table is not None:
            rows = self._from_table(sent.table, sent.names)
        elif sent.untyped:
            given = sent.columns
            rows = self._from_columns(
                {f.name: _read(f, given[f.name]) for f in self.layout.fields if f.name in given}
            )
        else:
            named = self._named(sent.columns)
            rows = self._from_numbers(named) if isinstance(named, np.ndarray) else self._from_columns(named)
        if rows.n == 0:
            raise InvalidInput("no rows were sent", fix="send at least one row")
        if key_field is None or key_field in self._known:
            return rows
        keys = key_cells(sent, key_field)
        return (
            rows
            if keys is None or len(keys) != rows.n
            else Rows(rows.parts, rows.n, (_key_block(key_field, keys),))
        )

    def _named(self, columns: Mapping[str, Any]) -> Mapping[str, Any] | np.ndarray:
        """A lone tensor under any name may be the only input, or the whole table (then as an array `[n, k]`)."""
        if len(columns) != 1 or not self._known.isdisjoint(columns):
            return columns
        ((name, values),) = columns.items()
        if len(self._order) == 1:
            return {self._order[0]: values}
        array = cells(values, f"the tensor '{name}'")
        shape = array.shape
        if not self._scalars or len(shape) != 2:
            return columns
        if shape[1] != len(self._order):
            raise InvalidInput(
                f"the tensor '{name}' has {shape[1]} columns, the model takes {len(self._order)}"
            )
        return array if self._plain else dict(zip(self._order, array.T, strict=True))

    def _quickly(self, sent: Sent) -> Rows | None:
        """The rows of the commonest request, one tensor of a model of plain floats; None: it must be looked at closely."""
        if not self._floats or len(sent.columns) != 1:
            return None
        ((name, array),) = sent.columns.items()
        if type(array) is not np.ndarray or name in self._known or array.ndim != 2:
            return None
        if array.shape[1] != len(self._order) or not array.shape[0] or not sound(array, self._datatype):
            return None
        return Rows(
            (array.astype(self._target, copy=False).T,), array.shape[0]
        )  # a view: a matrix goes on as one

    def _from_table(self, table: Any, names: Sequence[str] | None) -> Rows:
        if self._plain and (names is None or list(names) == self._order):
            return self._from_numbers(table)
        width = len(names) if names is not None else len(self._order)
        for number, row in enumerate(table):
            if not isinstance(row, list | tuple | np.ndarray) or len(row) != width:
                got = (
                    f"{len(row)} cells" if isinstance(row, list | tuple | np.ndarray) else type(row).__name__
                )
                raise InvalidInput(
                    f"row {number} does not have one cell for each column", got=got, allowed=width
                )
        columns = (
            [list(column) for column in zip(*table, strict=True)]
            if len(table)
            else [[] for _ in range(width)]
        )
        return self._from_columns(
            dict(zip(names if names is not None else self._order, columns, strict=True))
        )

    def _from_numbers(self, table: Any) -> Rows:
        group = self.layout.groups[0]
        array = cells(table, "the table")
        if array.ndim != 2 or array.shape[1] != len(self._order):
            raise InvalidInput(
                "the table is not rows of equal length",
                got=list(array.shape),
                allowed=["rows", len(self._order)],
            )
        part = np.ascontiguousarray(typed(array, group, table).T)
        return Rows((part,), part.shape[1])

    def _from_columns(self, columns: Mapping[str, Any]) -> Rows:
        n: int | None = None
        parts = []
        for group in self.layout.groups:
            part = together(group, columns)
            if part is not None and n in (None, part.shape[1]):
                parts.append(part)
                n = part.shape[1]
                continue
            arrays = []
            for wanted in group.fields:
                array = _column(wanted, columns.get(wanted.name), n)
                if n is not None and len(array) != n:
                    raise InvalidInput(
                        f"the input '{wanted.name}' has another number of rows than the others",
                        got=len(array),
                        allowed=n,
                    )
                n = len(array)
                arrays.append(array)
            parts.append(np.stack(arrays) if len(arrays) > 1 else arrays[0][np.newaxis])
        return Rows(tuple(parts), n or 0)


def _as_matrix(wanted: Field, sent: Sent) -> Mapping[str, Any] | None:
    """A table without the only input's name, as that input: its cells in order. None: read it as any other request."""
    names = list(sent.columns) if sent.table is None else sent.names
    if names is not None and (wanted.name in names or wanted.shape[0] not in (-1, len(names))):
        return None
    if sent.table is None:
        columns = list(sent.columns.values())
        if len(columns) == 1 and not sent.untyped:
            return None  # a lone tensor under any name
        if any(not isinstance(column, list) or len(column) != len(columns[0]) for column in columns):
            return None
        rows = [list(row) for row in zip(*columns, strict=True)]
        return {wanted.name: _numbers(wanted, rows) if sent.untyped else rows}
    table = sent.table
    if any(not isinstance(row, list | tuple) for row in table) or _is_wrapped(table):
        return None
    for number, row in enumerate(table):
        width = len(table[0]) if wanted.shape[0] == -1 else wanted.shape[0]
        if len(row) != width:
            raise InvalidInput(
                f"row {number} does not have one cell for each column of '{wanted.name}'",
                got=f"{len(row)} cells",
                allowed=width,
            )
    return {wanted.name: table}


def _is_wrapped(table: Sequence[Sequence[Any]]) -> bool:
    """Whether each row is one cell that holds the whole vector, as a data frame of arrays sends it."""
    return bool(table) and len(table[0]) == 1 and isinstance(table[0][0], list | tuple | np.ndarray)


def _numbers(wanted: Field, rows: list[list[str]]) -> list[list[Any]]:
    """CSV cells of a matrix, column by column as its type says."""
    return [_read(wanted, row) for row in rows]


def key_cells(sent: Sent, key_field: str) -> list[str | None] | None:
    """The values of the key column as text, one per row, if the caller sent it."""
    values: Any = sent.columns.get(key_field)
    if values is None and sent.table is not None and sent.names is not None and key_field in sent.names:
        place = list(sent.names).index(key_field)
        values = [row[place] for row in sent.table if isinstance(row, list | tuple) and len(row) > place]
    if values is None:
        return None
    flat = np.asarray(values, dtype=object).ravel().tolist()
    return [None if cell is None else _key_text(cell) for cell in flat]


_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def _read(wanted: Field, cells: list[str]) -> list[Any]:
    """CSV cells as values of the input's type."""
    if wanted.datatype is DataType.BYTES:
        return [cell or None for cell in cells]
    try:
        if wanted.datatype is DataType.BOOL:
            return [_TRUTH[cell.strip().lower()] for cell in cells]
        return [None if cell.strip() == "" else float(cell) for cell in cells]
    except (ValueError, KeyError) as error:
        raise InvalidInput(
            f"the input '{wanted.name}' must be {wanted_word(wanted.datatype)}", got=error
        ) from error


def _key_text(cell: Any) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _key_block(name: str, keys: list[str | None]) -> Block:
    return Block([name], DataType.BYTES, [len(keys)], b"", keys)


def _column(wanted: Field, values: Any, n: int | None) -> np.ndarray:
    """One input as an array of n rows, typed, shaped and checked."""
    if values is None:
        if wanted.required or n is None or wanted.datatype not in (*FLOATS, DataType.BYTES):
            raise InvalidInput(
                f"the input '{wanted.name}' is missing", fix=f"send '{wanted.name}' with every row"
            )
        missing: Any = None if wanted.datatype is DataType.BYTES else np.nan
        return np.full((n, *wanted.shape), missing, dtype=NUMPY_TYPES[wanted.datatype])
    if wanted.media is not None:
        return picture_cells(wanted, values)
    array = (
        texts(wanted, values)
        if wanted.datatype is DataType.BYTES
        else cells(values, f"the input '{wanted.name}'")
    )
    if array.ndim == len(wanted.shape) + 2 and array.shape[1] == 1:
        array = array.reshape(array.shape[0], *array.shape[2:])  # [n, 1]: a column of a matrix
    if array.ndim != len(wanted.shape) + 1 or any(
        size not in (-1, got) for size, got in zip(wanted.shape, array.shape[1:], strict=True)
    ):
        raise InvalidInput(
            f"the input '{wanted.name}' has another shape",
            got=list(array.shape),
            allowed=["rows", *wanted.shape],
        )
    if wanted.datatype is DataType.BYTES:
        return array
    return typed(array, Group(wanted.datatype, wanted.shape, (wanted,)), values)
