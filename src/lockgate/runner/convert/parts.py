"""What flows through a graph that is being written: a table as parts side by side, each as late as possible.

A scaler does not become nodes but is remembered (`Number.steps`): a linear model takes it into its coefficients, trees
into their thresholds. Categories stay codes with a table of what they stand for (`Coded`), so that a one-hot encoder
before a linear model is one look-up and before trees a test of membership.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Union

import numpy as np

from .graph import MISSING_TEXT, ML, Graph
from .writing import CannotConvert

Array = np.ndarray
SUB, DIV, MUL, ADD, IMPUTE = "Sub", "Div", "Mul", "Add", "Impute"
AFFINE = frozenset([SUB, DIV, MUL, ADD])


@dataclass(frozen=True)
class Step:
    """One act on each column: `values` has one number a column (w,)."""

    act: str
    values: Array

    def apply(self, numbers: Array, values: Array | None = None) -> Array:
        """The act as numpy does it, on any shape that fits `values`."""
        values = self.values if values is None else values
        if self.act == IMPUTE:
            return np.where(np.isnan(numbers), values, numbers)
        acts = {SUB: np.subtract, DIV: np.divide, MUL: np.multiply, ADD: np.add}
        made: Array = acts[self.act](numbers, values)
        return made


@dataclass(frozen=True)
class Number:
    """Columns (w,) of a tensor (n, source_width) of doubles, with steps that are still to be done."""

    source: str
    source_width: int
    columns: Array
    steps: tuple[Step, ...] = ()

    @property
    def width(self) -> int:
        """How many columns."""
        return len(self.columns)

    def take(self, places: Array) -> Number:
        """Only these columns, in this order."""
        steps = tuple(Step(step.act, step.values[places]) for step in self.steps)
        return replace(self, columns=self.columns[places], steps=steps)

    def then(self, act: str, values: Array | Sequence[float]) -> Number:
        """One more step, remembered."""
        full = np.broadcast_to(np.asarray(values, dtype=np.float64), (self.width,))
        return replace(self, steps=(*self.steps, Step(act, full)))

    def matrix(self, graph: Graph) -> str:
        """The name of a tensor (n, w) with all steps done."""
        name = self.source
        if self.width != self.source_width or (self.columns != np.arange(self.source_width)).any():
            name = graph.node("Gather", name, graph.constant(self.columns.astype(np.int64)), axis=1)
        for step in self.steps:
            values = graph.constant(step.values.reshape(1, -1).copy())
            if step.act == IMPUTE:
                name = graph.node("Where", graph.node("IsNaN", name), values, name)
            else:
                name = graph.node(step.act, name, values)
        return name


@dataclass(frozen=True)
class Text:
    """One column (n, 1) of text. `filled`: what a missing one was replaced by."""

    source: str
    filled: str | None = None
    width: int = 1

    def take(self, places: Array) -> Text:
        """One column is one column."""
        if places.tolist() != [0]:
            raise CannotConvert("a column of text is taken twice")
        return self

    def matrix(self, graph: Graph) -> str:  # noqa: ARG002
        """Text is never a number."""
        raise CannotConvert("text goes where numbers are expected: encode the column first")


@dataclass(frozen=True)
class Coded:
    """A column (n, 1) whose known values `keys` (k,) stand for the rows of `table` (k + 1, w); the last row is for others.

    `strict`: other values are an error; there is no last row then and the graph raises as the encoder does.
    """

    source: str
    keys: Array
    table: Array
    strict: bool = False

    @property
    def width(self) -> int:
        """How many columns each value stands for."""
        return int(self.table.shape[1])

    def take(self, places: Array) -> Coded:
        """Only these columns of the table."""
        return replace(self, table=self.table[:, places])

    def codes(self, graph: Graph) -> str:
        """(n, 1) int64: the place of the value in `keys`, len(keys) for others."""
        made = graph.node(
            "LabelEncoder", self.source, domain=ML, keys_tensor=self.keys,
            values_tensor=np.arange(len(self.keys), dtype=np.int64),
            default_tensor=np.array([len(self.keys)], dtype=np.int64),
        )  # fmt: skip
        if self.strict:
            graph.strict[made] = len(self.keys)
        return made

    def looked_up(self, graph: Graph, table: Array) -> str:
        """(n, 1, w): each row's part of a table. An unknown value of a strict column is out of its bounds: it raises."""
        codes = self.codes(graph)
        graph.checked.add(codes)
        return graph.node("Gather", graph.constant(table), codes)

    def matrix(self, graph: Graph) -> str:
        """(n, w)."""
        if self.width == 1:
            return self.looked_up(graph, self.table[:, 0])
        return graph.node("Squeeze", self.looked_up(graph, self.table), graph.constant(np.array([1])))


Part = Union[Number, Text, Coded]


def width(table: Sequence[Part]) -> int:
    """How many columns."""
    return sum(part.width for part in table)


def take(table: Sequence[Part], places: Array | Sequence[int]) -> tuple[Part, ...]:
    """Columns of a table, in the order asked for."""
    owners = [(number, inside) for number, part in enumerate(table) for inside in range(part.width)]
    made: list[Part] = []
    wanted = [owners[place] for place in places]
    start = 0
    while start < len(wanted):
        end = start
        while end < len(wanted) and wanted[end][0] == wanted[start][0]:
            end += 1
        part = table[wanted[start][0]]
        inside = np.array([place for _, place in wanted[start:end]])
        whole = len(inside) == part.width and (inside == np.arange(part.width)).all()
        made.append(part if whole else part.take(inside))
        start = end
    return tuple(made)


def each(table: Sequence[Part]) -> list[Part]:
    """Every column as a part of its own."""
    return [take(table, [place])[0] for place in range(width(table))]


def numbers(table: Sequence[Part], graph: Graph) -> tuple[tuple[Number, Array], ...]:
    """All columns as numbers, each part with the places of its columns; codes are looked up."""
    made, start = [], 0
    for part in table:
        places = np.arange(start, start + part.width)
        start += part.width
        number = part if isinstance(part, Number) else tensor(part.matrix(graph), part.width)
        made.append((number, places))
    return tuple(made)


def tensor(name: str, columns: int) -> Number:
    """A whole tensor (n, columns) of doubles as a part."""
    return Number(name, columns, np.arange(columns))


def matrix(table: Sequence[Part], graph: Graph) -> str:
    """One tensor (n, w) of doubles of all columns."""
    names = [part.matrix(graph) for part in joined(table) if part.width]
    if not names:
        raise CannotConvert("nothing is left of the columns")
    return names[0] if len(names) == 1 else graph.node("Concat", *names, axis=1)


def joined(table: Sequence[Part]) -> list[Part]:
    """Neighbours that come from one tensor and have the same kinds of steps to do, as one part."""
    made: list[Part] = []
    for part in table:
        last = made[-1] if made else None
        if isinstance(part, Number) and isinstance(last, Number) and _alike(part, last):
            steps = tuple(Step(one.act, np.concatenate([one.values, two.values]))
                          for one, two in zip(last.steps, part.steps))  # fmt: skip
            made[-1] = replace(last, columns=np.concatenate([last.columns, part.columns]), steps=steps)
        else:
            made.append(part)
    return made


def _alike(one: Number, two: Number) -> bool:
    return one.source == two.source and [s.act for s in one.steps] == [s.act for s in two.steps]


def text_key(value: object) -> str:
    """A category as text enters the graph."""
    return MISSING_TEXT if value is None or value != value else str(value)  # noqa: PLR0124 - NaN alone differs from itself
