"""From statements to the definitions that each of them stands on, and the slice that some of them need. Pure.

A name that is bound or changed again is a new definition of it (static single assignment), so that every use has one source.
Source of slicing: M. Weiser, Program Slicing, ICSE 1981.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lockgate.projects.notebook.cells import Doubt
from lockgate.projects.notebook.flow import Statement, only_shows


@dataclass
class Graph:
    """`statements` by number. `uses`: for each, which statement gave each name that it reads. `known`: what was there before.

    `imports`, `hoisted` (functions and classes that stand by themselves), `constants` and `parameters` (numbers that are set
    once) belong to the whole notebook and to no step.
    """

    statements: list[Statement]
    imports: dict[str, str] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    hoisted: dict[str, Statement] = field(default_factory=dict)
    constants: dict[str, Statement] = field(default_factory=dict)
    parameters: dict[str, int | float] = field(default_factory=dict)
    uses: dict[int, dict[str, int]] = field(default_factory=dict)
    known: dict[int, dict[str, int]] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)

    def common(self) -> set[str]:
        """Names that every step may use without being given them."""
        return {*self.imports, *self.hoisted, *self.constants}

    def defined(self, number: int) -> frozenset[str]:
        """The names that a statement gives a new definition."""
        statement = self.statements[number]
        changed = {name for name in statement.changes if name in self.known[number]}
        return frozenset(statement.binds | changed)

    def slice(self, targets: Iterable[int]) -> list[int]:
        """The statements that the targets need, themselves included, in order."""
        needed: set[int] = set()
        waiting = list(targets)
        while waiting:
            number = waiting.pop()
            if number not in needed:
                needed.add(number)
                waiting.extend(self.uses[number].values())
        return sorted(needed)

    def last_in_cell(self, name: str, number: int) -> int:
        """The last definition of a name in the cell of the statement that defines it there."""
        cell = self.statements[number].cell
        later = [other for other in self.uses if self.statements[other].cell == cell and other >= number
                 and name in self.defined(other)]  # fmt: skip
        return max(later, default=number)


def graph_of(statements: list[Statement]) -> Graph:
    """The flow of a notebook's names."""
    graph = Graph(statements)
    _take_imports(graph)
    _take_settings(graph)
    _take_definitions(graph)
    _return_shared_parameters(graph)
    current: dict[str, int] = {}
    common = graph.common() | set(graph.parameters)
    for number, statement in enumerate(statements):
        graph.known[number] = dict(current)
        if statement.is_import or _is_common(graph, statement):
            continue
        wanted = statement.reads | {name for name in statement.changes if name in current}
        graph.uses[number] = {name: current[name] for name in wanted if name in current}
        if only_shows(statement):
            continue
        for name in sorted(statement.reads - common - set(current) - statement.binds):
            if not graph.stars:
                graph.doubts.append(Doubt(statement.cell, f"'{name}' is defined nowhere above this cell",
                                          "the notebook had it from a cell that is gone; define it"))  # fmt: skip
        for name in graph.defined(number):
            current[name] = number
    graph.known[len(statements)] = current
    graph.doubts += _aliases(graph)
    return graph


def _is_common(graph: Graph, statement: Statement) -> bool:
    return any(statement is one for one in (*graph.hoisted.values(), *graph.constants.values())) or (
        isinstance(statement.node, ast.Assign) and _set_name(statement) in graph.parameters
    )


def _take_imports(graph: Graph) -> None:
    for statement in graph.statements:
        node = statement.node
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            graph.stars.append(ast.unparse(node))
            graph.doubts.append(
                Doubt(
                    statement.cell,
                    f"'{ast.unparse(node)}' hides which names it brings",
                    "import them by name",
                )
            )
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                one = copy.copy(node)
                one.names = [alias]
                graph.imports[alias.asname or alias.name.partition(".")[0]] = ast.unparse(one)


def _counts(graph: Graph) -> dict[str, int]:
    """How often each name is bound or changed."""
    counts: dict[str, int] = {}
    for statement in graph.statements:
        for name in statement.binds | statement.changes:
            counts[name] = counts.get(name, 0) + 1
    return counts


def _take_settings(graph: Graph) -> None:
    """Names that are set once to something literal."""
    counts = _counts(graph)
    for statement in graph.statements:
        name = _set_name(statement)
        if name is None or counts[name] != 1:
            continue
        try:
            value = ast.literal_eval(_value(statement))
        except (ValueError, TypeError, SyntaxError, MemoryError):
            continue
        if isinstance(value, int | float) and not isinstance(value, bool):
            graph.parameters[name] = value
        else:
            graph.constants[name] = statement


def _set_name(statement: Statement) -> str | None:
    node = statement.node
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return None


def _value(statement: Statement) -> ast.expr:
    """The right side of an assignment."""
    if not isinstance(statement.node, ast.Assign):
        raise TypeError("only an assignment has a value")
    return statement.node.value


def _take_definitions(graph: Graph) -> None:
    """Functions and classes that need only imports, settings and each other."""
    counts = _counts(graph)
    waiting = {next(iter(statement.binds)): statement for statement in graph.statements
               if statement.is_definition and counts[next(iter(statement.binds))] == 1}  # fmt: skip
    while True:
        known = {*graph.imports, *graph.constants, *graph.parameters, *waiting}
        lost = [name for name, statement in waiting.items() if not statement.reads <= known | {name}]
        for name in lost:
            statement = waiting.pop(name)
            missing = ", ".join(sorted(statement.reads - known - {name})[:5])
            graph.doubts.append(Doubt(statement.cell, f"'{name}' reads {missing} of the notebook from inside",
                                      "give it what it needs as a parameter"))  # fmt: skip
        if not lost:
            break
    graph.hoisted.update(waiting)


def _return_shared_parameters(graph: Graph) -> None:
    """Numbers that a function reads from around it stay constants: a step could not hand them in."""
    read = {name for statement in graph.hoisted.values() for name in statement.reads}
    for name in sorted(read & set(graph.parameters)):
        del graph.parameters[name]
        graph.constants[name] = next(one for one in graph.statements if _set_name(one) == name)


def _aliases(graph: Graph) -> list[Doubt]:
    """`b = a` and a later change of one of them: in the notebook both change, as functions only one does."""
    found = []
    for number, statement in enumerate(graph.statements):
        node = statement.node
        if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and number in graph.uses):
            continue
        names = {node.value.id, *statement.binds}
        later = [other for other in range(number + 1, len(graph.statements)) if other in graph.uses
                 and graph.statements[other].changes & names]  # fmt: skip
        if later and len(names) > 1:
            both = "' and '".join(sorted(names))
            found.append(Doubt(graph.statements[later[0]].cell, f"'{both}' are one thing here, and it is changed",
                               "write .copy() where a copy was meant"))  # fmt: skip
    return found


def order_of(parts: Mapping[str, Statement]) -> list[Statement]:
    """Definitions in the order of the page."""
    return sorted(parts.values(), key=lambda one: (one.cell, one.node.lineno))
