"""What the notebook itself showed of its values, as expectations of the new steps. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from lockgate.projects.notebook.cells import Cell
from lockgate.projects.notebook.graph import Graph
from lockgate.projects.notebook.roles import Name
from lockgate.projects.notebook.steps import Steps

_NUMPY = re.compile(r"\bnp\.\w+\((-?[\d.e+-]+|True|False)\)")  # NumPy 2 writes np.float64(0.5)


@dataclass(frozen=True)
class Shown:
    """The last line of a cell and what it gave. `reads`: steps by the names that the line uses. `value`: as a literal."""

    cell: int
    line: str
    reads: dict[str, str]
    value: str


def shown_of(graph: Graph, cells: tuple[Cell, ...], steps: Steps) -> Iterator[Shown]:
    """Every last line whose result is a number, a text or a small tuple of them, and that reads steps only."""
    last = {statement.cell: number for number, statement in enumerate(graph.statements)}
    for cell in cells:
        number = last.get(cell.number)
        if cell.shown is None or number is None:
            continue
        node = graph.statements[number].node
        value = _literal(cell.shown)
        if value is None or not isinstance(node, ast.Expr) or graph.statements[number].changes:
            continue
        words = {found.id for found in ast.walk(node) if isinstance(found, ast.Name)}
        known = {word: Name(word, graph.known[number][word]) for word in words if word in graph.known[number]}
        if not known or words - set(known) - {
            "len",
            "sum",
            "min",
            "max",
            "round",
            "float",
            "int",
            "sorted",
            "list",
        }:
            continue
        if all(name in steps.called for name in known.values()):
            reads = {word: steps.called[name] for word, name in sorted(known.items())}
            yield Shown(cell.number, ast.unparse(node), reads, value)


def _literal(text: str) -> str | None:
    """The text of a result as a literal; None for what is none, or is long."""
    plain = _NUMPY.sub(r"\1", text.strip())
    if len(plain) > 200:
        return None
    try:
        value = ast.literal_eval(plain)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return repr(value) if isinstance(value, int | float | str | tuple | list) else None
