"""The source of a pipeline's module from the steps of a notebook: the cells' own lines, under `def`."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lockgate.projects.notebook.files import DataFile
from lockgate.projects.notebook.graph import Graph, order_of
from lockgate.projects.notebook.roles import Name, Pair, Roles
from lockgate.projects.notebook.steps import Function, Steps

_TABLE = '''
def _table(inputs, answers, target):
    """Inputs and answers as one table."""
    frame = inputs.copy() if hasattr(inputs, "columns") else pd.DataFrame(inputs).add_prefix("input_")
    frame[target] = np.asarray(answers)
    return frame
'''


@dataclass(frozen=True)
class Source:
    """Everything that the module is written from."""

    graph: Graph
    steps: Steps
    roles: Roles
    files: tuple[DataFile, ...]
    frames: frozenset[str]
    titles: Mapping[int, str | None]
    functions_module: str


def pipeline_text(source: Source, name: str, notebook: str) -> str:
    """The module whose functions are the steps."""
    body = [_function(source, one) for one in source.steps.functions]
    accessors = [
        _accessor(source, one, name)
        for one in source.steps.functions
        if len(one.gives) > 1
        for name in one.gives
    ]
    handed = _handed(source)
    text = "\n\n".join([*body, *accessors, *handed])
    head = _head(source, text)
    intro = f'"""{name}: the steps of {_in_docstring(notebook)}. A parameter names another step, a data set or a setting."""'
    return f"{intro}\n\n{head}\n\n{text.rstrip()}\n" if head else f"{intro}\n\n\n{text.rstrip()}\n"


def functions_text(graph: Graph, notebook: str) -> str | None:
    """The module of the notebook's own functions, classes and constants; None when it has none."""
    parts = order_of({**graph.constants, **graph.hoisted})
    if not parts:
        return None
    used = {name for part in parts for name in part.reads}
    imports = sorted(text for name, text in graph.imports.items() if name in used)
    body = ["\n".join([part.text, ""]) for part in parts]
    lines = [
        f'"""Functions, classes and constants of {_in_docstring(notebook)}."""',
        "",
        *graph.stars,
        *imports,
        "",
        *body,
    ]
    return "\n".join(lines).rstrip() + "\n"


def _head(source: Source, text: str) -> str:
    """The imports that the text needs."""
    graph = source.graph
    words = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    lines = [line for name, line in graph.imports.items() if name in words]
    for word, line in (
        ("pd", "import pandas as pd"),
        ("np", "import numpy as np"),
        ("Path", "from pathlib import Path"),
    ):
        if word in words and word not in graph.imports:
            lines.append(line)
    lines = sorted(set(lines))
    own = sorted(name for name in (*graph.hoisted, *graph.constants) if name in words)
    if own:
        lines.append(f"from {source.functions_module} import {', '.join(own)}")
    return "\n".join([*graph.stars, *lines]) + ("\n" if lines or graph.stars else "")


def _function(source: Source, one: Function) -> str:
    lines = [f'    """{_about(source, one)}"""']
    parameters = []
    for word, name in sorted(one.takes.items()):
        given = source.steps.called[name]
        parameters.append(given)
        if given != word:
            lines.append(f"    {word} = {given}")
    parameters += [f"{name}: {type(source.graph.parameters[name]).__name__}" for name in one.settings]
    texts, roles = [], {}
    for number in one.statements:
        text, used = _statement(source, number)
        texts.append(text)
        roles.update(used)
    parameters += [f"{role}: {kind}" for role, kind in roles.items()]
    lines += [textwrap.indent(text, "    ") for text in texts]
    lines.append(f"    return {_returned(one)}")
    return f"def {one.name}({', '.join(dict.fromkeys(parameters))}):\n" + "\n".join(lines) + "\n"


def _about(source: Source, one: Function) -> str:
    title = source.titles.get(one.cell)
    title = _in_docstring(title).rstrip(".") if title else None
    return f"Cell {one.cell}: {title}." if title else f"Cell {one.cell}."


def _in_docstring(words: str) -> str:
    """Words of somebody else's without what would end a docstring, or is read as an escape in one."""
    return re.sub(r'["\\\x00-\x1f]', "", words)


def _returned(one: Function) -> str:
    if len(one.gives) == 1:
        return one.gives[0].name
    return "{" + ", ".join(f'"{name.name}": {name.name}' for name in one.gives) + "}"


def _statement(source: Source, number: int) -> tuple[str, dict[str, str]]:
    """The statement's text, reading what the pipeline is given in place of files; and those parameters by kind."""
    text, used = source.graph.statements[number].text, {}
    for file in source.files:
        if file.statement != number:
            continue
        frame = file.role in source.frames
        used[file.role] = f"{_alias(source, file.library)}.DataFrame" if frame else "Path"
        text = _replaced(text, file.call if frame else file.argument, file.role)
    return text, used


def _alias(source: Source, library: str | None) -> str:
    """What the notebook calls a library."""
    return next(
        (
            name
            for name, line in source.graph.imports.items()
            if line in (f"import {library} as {name}", f"import {library}")
        ),
        "pd",
    )


def _replaced(text: str, expression: str, word: str) -> str:
    """The text with one expression, as `ast.unparse` writes it, replaced by a word."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.expr) and ast.unparse(node) == expression:
            body = text.encode()
            first, last = (
                _offset(body, node.lineno, node.col_offset),
                _offset(body, node.end_lineno, node.end_col_offset),
            )
            return (body[:first] + word.encode() + body[last:]).decode()
    return text


def _offset(body: bytes, line: int | None, column: int | None) -> int:
    """Where a place that `ast` names, a line from 1 and a column in bytes, lies in the text."""
    return sum(len(before) + 1 for before in body.split(b"\n")[: (line or 1) - 1]) + (column or 0)


def _accessor(source: Source, one: Function, name: Name) -> str:
    return (f"def {source.steps.called[name]}({one.name}):\n"
            f'    """`{name.name}` of {one.name}."""\n'
            f'    return {one.name}["{name.name}"]\n')  # fmt: skip


def _handed(source: Source) -> list[str]:
    """The steps `train`, `test` and `metrics`."""
    roles, found = source.roles, []
    for role, pair, about in (("train", roles.train, "The rows that the model learns from, with their answers."),
                              ("test", roles.test, "The rows that it is judged on.")):  # fmt: skip
        if pair is not None:
            inputs, answers = _called(source, pair)
            takes = ", ".join(dict.fromkeys((inputs, answers)))
            made = f"_table({inputs}, {answers}, {roles.target!r})"
            found.append(f'def {role}({takes}):\n    """{about}"""\n    return {made}\n')
    if roles.metrics:
        found.append(_metrics(source))
    if roles.train or roles.test:
        found.append(_TABLE.strip() + "\n")
    return found


def _called(source: Source, pair: Pair) -> tuple[str, str]:
    return source.steps.called[pair.inputs], source.steps.called[pair.answers]


def _metrics(source: Source) -> str:
    metrics = source.roles.metrics
    reads: Iterable[Name] = dict.fromkeys(name for metric in metrics for name in metric.reads)
    words: dict[str, str] = {}
    for name in reads:
        words.setdefault(name.name, source.steps.called[name])
    settings = [
        name
        for name in source.graph.parameters
        if any(re.search(rf"\b{name}\b", metric.call) for metric in metrics)
    ]
    parameters = [
        *words.values(),
        *(f"{name}: {type(source.graph.parameters[name]).__name__}" for name in settings),
    ]
    lines = [f"    {word} = {given}" for word, given in words.items() if word != given]
    rows = ",\n".join(f'        "{metric.name}": float({metric.call})' for metric in metrics)
    return "\n".join([f"def metrics({', '.join(dict.fromkeys(parameters))}):", '    """The figures of the notebook."""', *lines,
                      "    return {", f"{rows},", "    }", ""])  # fmt: skip
