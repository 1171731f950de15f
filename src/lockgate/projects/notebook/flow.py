"""What each statement of a notebook reads, binds and changes: the flow of its names from cell to cell. Pure."""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterator
from dataclasses import dataclass

from lockgate.projects.notebook.cells import Cell

# Methods that change the thing they are called on, in the libraries that notebooks use. Others give something new.
CHANGING = frozenset({
    "fit", "fit_transform", "fit_predict", "partial_fit", "append", "extend", "insert", "pop", "remove", "update", "add",
    "setdefault", "clear", "sort", "reverse", "discard", "seed", "set_params", "add_", "load_state_dict", "compile", "train",
})  # fmt: skip
# Methods whose result is looked at. A line that only calls one of them is for the reader of the notebook.
SHOWING = frozenset({
    "head", "tail", "info", "describe", "plot", "hist", "boxplot", "show", "sample", "value_counts", "display", "summary",
    "corr", "nunique", "unique", "isna", "isnull", "sum", "mean", "count", "predict", "predict_proba", "score", "groupby",
    "memory_usage", "glimpse", "print",
})  # fmt: skip
SHOWS = frozenset({"print", "display", "help", "dir", "type", "len"})
_BUILTINS = frozenset(dir(builtins))


@dataclass(frozen=True)
class Statement:
    """One statement at the top of a cell. `text`: its lines with the comments right above it."""

    cell: int
    node: ast.stmt
    text: str
    reads: frozenset[str]
    binds: frozenset[str]
    changes: frozenset[str]

    @property
    def is_import(self) -> bool:
        """Whether it only brings names in."""
        return isinstance(self.node, ast.Import | ast.ImportFrom)

    @property
    def is_definition(self) -> bool:
        """Whether it defines a function or class."""
        return isinstance(self.node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def statements_of(cells: tuple[Cell, ...]) -> list[Statement]:
    """Every statement of the notebook in the order of the page."""
    return [statement for cell in cells for statement in _of_cell(cell)]


def root_of(node: ast.expr) -> str | None:
    """The name that an expression starts from: `df` of `df.loc[1].x`; None where it starts from a call or a literal."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _of_cell(cell: Cell) -> Iterator[Statement]:
    lines = cell.source.splitlines()
    end = 0
    for node in cell.tree.body:
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
        last = node.end_lineno or node.lineno
        shared = first <= end or any(
            other is not node and first <= other.lineno <= last for other in cell.tree.body
        )
        text = (
            ast.unparse(node)
            if shared
            else "\n".join([*_comments(lines[end : first - 1]), *lines[first - 1 : last]])
        )
        end = last
        reads, binds = names_of(node)
        yield Statement(cell.number, node, text, reads, binds, frozenset(_changed(node)) - _own(node))


def _comments(lines: list[str]) -> list[str]:
    """The comments right above a statement."""
    kept: list[str] = []
    for line in reversed(lines):
        if not line.strip().startswith("#"):
            break
        kept.append(line)
    return kept[::-1]


def names_of(node: ast.stmt) -> tuple[frozenset[str], frozenset[str]]:
    """The names that a statement reads from around it and those that it binds."""
    table = symtable.symtable(ast.unparse(node), "<cell>", "exec")
    reads = {name for name in _outer(table, top=True) if name not in _BUILTINS or name in _bound(table)}
    if isinstance(node, ast.AugAssign | ast.If | ast.For | ast.While | ast.Try | ast.With | ast.Match):
        reads |= _bound(table)  # what may be bound, or is bound from what it was, may still be what it was
    return frozenset(reads), frozenset(_bound(table))


def _bound(table: symtable.SymbolTable) -> set[str]:
    return {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()
            or symbol.is_namespace()} - {"lambda", "genexpr", "listcomp", "setcomp", "dictcomp"}  # fmt: skip


def _outer(table: symtable.SymbolTable, *, top: bool = False) -> Iterator[str]:
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (top or symbol.is_global()):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _outer(child)


def _own(node: ast.stmt) -> frozenset[str]:
    """What a definition changes inside itself is no change of the notebook's names until it is called."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return frozenset(found.id for found in ast.walk(node) if isinstance(found, ast.Name))
    return frozenset()


def _changed(node: ast.stmt) -> Iterator[str]:
    """Names whose things are changed in place."""
    for found in ast.walk(node):
        if isinstance(found, ast.Subscript | ast.Attribute) and isinstance(found.ctx, ast.Store | ast.Del):
            yield from filter(None, [root_of(found)])
        elif isinstance(found, ast.Call):
            yield from _by_call(found)
    if (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
    ):
        root = root_of(node.value.func)
        if root is not None and node.value.func.attr not in SHOWING:
            yield root  # a call whose result nobody takes was made for what it does


def _by_call(call: ast.Call) -> Iterator[str]:
    if not isinstance(call.func, ast.Attribute):
        return
    root = root_of(call.func)
    in_place = any(word.arg == "inplace" and isinstance(word.value, ast.Constant) and word.value.value is True
                   for word in call.keywords)  # fmt: skip
    if root is not None and (call.func.attr in CHANGING or in_place):
        yield root


def only_shows(statement: Statement) -> bool:
    """Whether a statement is there for the reader alone: a bare expression, a print, a plot."""
    node = statement.node
    if not isinstance(node, ast.Expr):
        return False
    if isinstance(node.value, ast.Call):
        function = node.value.func
        if isinstance(function, ast.Name):
            return function.id in SHOWS
        return not statement.changes
    return True
