"""MLflow's `params`: settings of one request, beside its rows.

A model takes a param as an input of that name, the same value in every row: so requests with different params may share a
batch, the record holds them, and a shadow scores the request again with what it was asked with.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from lockgate.errors import InvalidInput
from lockgate.gateway.sent import Sent


def with_params(sent: Sent, order: Sequence[str], optional: Collection[str]) -> Sent:
    """The same request with a column for each of its params, and names for cells that came without.

    `order`: the version's inputs; those in `optional` need not be sent. Raises InvalidInput for a param that the version
    does not take, one that is a column too, and rows that do not fit.
    """
    params, table, names = sent.params or {}, sent.table, sent.names
    if table is not None and names is None:
        names = _names(table, order, optional, params)
        sent = msgspec.structs.replace(sent, names=names)
    if not params:
        return sent
    for name in params:
        if name not in order:
            raise InvalidInput(
                f"the model takes no parameter '{name[:80]}'",
                fix="leave it out of 'params'; the model's metadata list what it takes",
            )
        if name in sent.columns or (names is not None and name in names):
            raise InvalidInput(f"'{name[:80]}' was sent as a parameter and as a column", fix="send one")
    found = dict(sent.columns) if table is None or names is None else _by_name(table, names)
    n = len(next(iter(found.values()))) if found else 0
    columns = {
        **found,
        **{name: [_cell(value, optional=name in optional)] * n for name, value in params.items()},
    }
    return msgspec.structs.replace(sent, columns=columns, table=None, names=None, params=None)


def _names(
    table: Any, order: Sequence[str], optional: Collection[str], params: Mapping[str, Any]
) -> list[str] | None:
    """Whose cells a table's rows hold: of every input, or of those that must be sent. None: as the order has it."""
    width = len(table[0]) if len(table) and isinstance(table[0], list | tuple) else -1
    for names in (
        [name for name in order if name not in params],
        [name for name in order if name not in params and name not in optional],
    ):
        if len(names) == width:
            return None if len(names) == len(order) else names
    return [name for name in order if name not in params] if params else None


def _by_name(table: Any, names: Sequence[str]) -> dict[str, list[Any]]:
    for number, row in enumerate(table):
        if not isinstance(row, list | tuple) or len(row) != len(names):
            got = f"{len(row)} cells" if isinstance(row, list | tuple) else type(row).__name__
            raise InvalidInput(
                f"row {number} does not have one cell for each column", got=got, allowed=len(names)
            )
    return {name: [row[place] for row in table] for place, name in enumerate(names)}


def _cell(value: Any, *, optional: bool) -> Any:
    """A param as an input's cell. What may be missing is a number or a text, so true and false go as 1 and 0."""
    if isinstance(value, dict):
        raise InvalidInput(
            "a parameter must be a number, a text, true or false, or a list of them", got="an object"
        )
    return float(value) if optional and isinstance(value, bool) else value
