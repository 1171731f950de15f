"""From records to predicted rows: one row per row that a model answered, inputs as `in.<name>`, outputs as `out.<name>`.

Records whose blocks are laid out alike are turned together, so the price is that of a few copies, not of a loop.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import polars as pl

from lockgate.predictions.flat import blocks_in, rows_in
from lockgate.predictions.record import Block
from lockgate.registry.signature import NUMPY_TYPES, DataType

_AT, _ROW = "__record", "row"  # which record of the frame, which row of the record
Layout = tuple[tuple[str, tuple[str, ...], DataType, tuple[int, ...]], ...]


def expand(flat: pl.DataFrame) -> pl.DataFrame:
    """Rows of records as rows of predictions, in the same order.

    A record without rows (a request that was refused) stays as one row whose `row` is null. Versions with other
    signatures share a frame: what a version does not have is null, columns of unlike types become text.
    """
    groups: dict[Layout, list[int]] = defaultdict(list)
    blocks: list[list[Block]] = []
    for place, (inputs, outputs) in enumerate(flat.select("inputs", "outputs").iter_rows()):
        sides = {"in": blocks_in(inputs), "out": blocks_in(outputs)}
        blocks.append([block for side in sides.values() for block in side])
        groups[
            tuple(
                (side, tuple(block.names), block.datatype, tuple(block.shape))
                for side, found in sides.items()
                for block in found
            )
        ].append(place)
    erased = {place: rows_in(cell) for place, cell in enumerate(flat["erased"].to_list()) if cell is not None}
    parts = [_rows(layout, places, blocks, erased) for layout, places in groups.items()]
    scalars = flat.drop("inputs", "outputs", "sealed", "erased").with_row_index(_AT)
    if not parts:
        return scalars.with_columns(pl.lit(None, pl.Int64).alias(_ROW)).drop(_AT)
    rows = pl.concat(alike(parts), how="diagonal_relaxed")
    return scalars.join(rows, on=_AT, how="left", maintain_order="left").sort(_AT, _ROW).drop(_AT)


def _rows(
    layout: Layout, places: list[int], blocks: list[list[Block]], erased: Mapping[int, list[int]]
) -> pl.DataFrame:
    """All records of one layout, row by row."""
    height = max((shape[0] for _, _, _, shape in layout if shape), default=0)
    index = _index(places, max(height, 1), erased)
    if height == 0:
        return index.with_columns(pl.lit(None, pl.Int64).alias(_ROW))
    for number, (side, names, datatype, shape) in enumerate(layout):
        columns = _columns([blocks[place][number] for place in places], names, datatype, shape)
        named = {f"{side}.{name}": values for name, values in columns.items()}
        if shape[0] == height:
            index = index.with_columns(values.alias(name) for name, values in named.items())
        else:  # an invalid answer may have another number of rows than the question
            part = _index(places, shape[0], erased).with_columns(
                values.alias(name) for name, values in named.items()
            )
            index = index.join(part, on=[_AT, _ROW], how="left")
    return index


def _index(places: list[int], height: int, erased: Mapping[int, list[int]]) -> pl.DataFrame:
    """Which record each row belongs to, and its number there: the numbers of erased rows are left out."""
    records = np.repeat(np.array(places, dtype=np.uint32), height)
    rows = np.tile(np.arange(height, dtype=np.int64), len(places))
    for at, place in enumerate(places):
        if place in erased:
            left = np.delete(np.arange(height + len(erased[place])), erased[place])
            rows[at * height : (at + 1) * height] = left
    return pl.DataFrame({_AT: records, _ROW: rows})


def _columns(
    blocks: list[Block], names: tuple[str, ...], datatype: DataType, shape: tuple[int, ...]
) -> dict[str, pl.Series]:
    """The columns of blocks that are laid out alike, records below each other."""
    whole = (len(blocks), len(names), *shape)
    if datatype is DataType.BYTES:
        cells = [value for block in blocks for value in block.text or []]
        values = np.array(cells, dtype=object).reshape(whole)
    else:
        values = np.frombuffer(b"".join(block.data for block in blocks), NUMPY_TYPES[datatype]).reshape(whole)
        values = values.astype(np.float32) if datatype is DataType.FP16 else values
    return {name: _series(values[:, place].reshape(-1, *shape[1:])) for place, name in enumerate(names)}


def _series(values: np.ndarray) -> pl.Series:
    if values.ndim > 1:
        return pl.Series(values=values.tolist())
    if values.dtype == object:
        return pl.Series(values=values.tolist(), dtype=pl.String)
    return pl.Series(values=np.ascontiguousarray(values))


def alike(parts: list[pl.DataFrame]) -> list[pl.DataFrame]:
    """Frames in which columns that are text in one and something else in another are text in all."""
    kinds: dict[str, set[bool]] = defaultdict(set)
    for part in parts:
        for name, kind in part.schema.items():
            if kind != pl.Null:
                kinds[name].add(kind == pl.String)
    mixed = [name for name, found in kinds.items() if len(found) > 1]
    return [
        part.with_columns(pl.col(name).cast(pl.String) for name in mixed if name in part.columns)
        for part in parts
    ]
