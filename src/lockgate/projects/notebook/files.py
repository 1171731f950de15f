"""The files that a notebook reads: each becomes a data set of the pipeline, and the call reads what the pipeline is given."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lockgate.projects.notebook.cells import Doubt
from lockgate.projects.notebook.flow import Statement
from lockgate.projects.notebook.graph import Graph

_READS = re.compile(
    r"^(read_\w+|scan_\w+|load|loadtxt|genfromtxt|open|imread|ImageFolder|image_dataset_from_directory)$"
)
_ADDRESS = re.compile(r"^[a-z][a-z0-9+.-]*://")
_NOT_DATA = frozenset(
    {
        "read_sql",
        "read_sql_query",
        "read_sql_table",
        "read_clipboard",
        "read_html",
        "read_gbq",
        "read_database",
    }
)
_FRAMES = ("pandas", "polars")


@dataclass(frozen=True)
class DataFile:
    """A file that the notebook reads. `role`: what the pipeline calls it. `whole`: the call says nothing but the file's name."""

    role: str
    said: str
    statement: int
    call: str
    argument: str
    library: str | None
    whole: bool


def files_of(graph: Graph, needed: list[int], taken: set[str]) -> tuple[list[DataFile], list[Doubt]]:
    """The files that the needed statements read, and what cannot be read inside a pipeline."""
    found: list[DataFile] = []
    doubts: list[Doubt] = []
    roles: dict[str, str] = {}
    for number in needed:
        statement = graph.statements[number]
        for call, name in _reading(statement.node):
            said = _literal(graph, call.args[0]) if call.args else None
            doubt = _refused(statement, call, name, said)
            if doubt is not None:
                doubts.append(doubt)
            if said is None or name in _NOT_DATA or _writes(call, name):
                continue
            role = roles.setdefault(said, _role(said, taken | set(roles.values())))
            whole = len(call.args) == 1 and not call.keywords and name in ("read_csv", "read_parquet")
            texts = ast.unparse(call), ast.unparse(call.args[0])
            found.append(DataFile(role, said, number, *texts, _library(graph, call), whole))
    return found, doubts


def _reading(node: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    for found in ast.walk(node):
        if isinstance(found, ast.Call):
            function = found.func
            name = (
                function.attr
                if isinstance(function, ast.Attribute)
                else function.id
                if isinstance(function, ast.Name)
                else ""
            )
            if _READS.match(name):
                yield found, name


def _literal(graph: Graph, node: ast.expr) -> str | None:
    """The text of a literal, of a name that is set once to a text, or of `Path("a") / "b"` and `os.path.join("a", "b")`."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name) and node.id in graph.constants:
        setting = graph.constants[node.id].node
        return _literal(graph, setting.value) if isinstance(setting, ast.Assign) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.Add):
        parts = [_literal(graph, node.left), _literal(graph, node.right)]
        join = "/" if isinstance(node.op, ast.Div) else ""
        return None if None in parts else join.join(part for part in parts if part is not None)
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Path", "pathlib.Path", "os.path.join"):
        said = [_literal(graph, part) for part in node.args]
        return None if None in said or not said else "/".join(part for part in said if part is not None)
    return None


def _refused(statement: Statement, call: ast.Call, name: str, said: str | None) -> Doubt | None:
    text = ast.unparse(call)[:80]
    if name in _NOT_DATA:
        return Doubt(statement.cell, f"'{text}' asks another system, and a pipeline has no network",
                     'lockgate data add NAME --sql "..." --database ADDRESS, then name it under data:')  # fmt: skip
    if said is None and name != "load":
        return Doubt(
            statement.cell,
            f"'{text}' reads a file whose name is computed",
            "name it under data: and take it as a parameter",
        )
    if said is not None and _ADDRESS.match(said):
        return Doubt(statement.cell, f"'{said[:80]}' is not on this machine, and a pipeline has no network",
                     "download it once and put its path under data: in lockgate.yaml")  # fmt: skip
    if _writes(call, name):
        return Doubt(statement.cell, f"'{text}' writes a file", "return the value from a step instead")
    return None


def _writes(call: ast.Call, name: str) -> bool:
    modes = [part.value for part in (*call.args[1:2], *(word.value for word in call.keywords if word.arg == "mode"))
             if isinstance(part, ast.Constant) and isinstance(part.value, str)]  # fmt: skip
    return name == "open" and any(set(mode) & set("wax+") for mode in modes)


def _library(graph: Graph, call: ast.Call) -> str | None:
    root = ast.unparse(call.func).partition(".")[0]
    source = graph.imports.get(root, "")
    return next(
        (library for library in _FRAMES if f"import {library}" in source or f"from {library}" in source), None
    )


def _role(said: str, taken: set[str]) -> str:
    """What the pipeline calls a file: its name as an identifier."""
    word = re.sub(r"\W+", "_", Path(said).stem.lower()).strip("_") or "raw"
    role = f"raw_{word}" if word[0].isdigit() or keyword.iskeyword(word) else word
    role = role if role not in taken else f"{role}_file"
    number, found = 2, role
    while found in taken:
        found, number = f"{role}_{number}", number + 1
    return found
