"""The steps of a pipeline by the text of its module, for who asks before anything runs. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from lockgate.pipelines.layout import file_of, is_command
from lockgate.pipelines.plan import GraphStep
from lockgate.pipelines.sources import Sources, parsed


def steps_written(sources: Sources, pipeline: str) -> list[GraphStep]:
    """The steps of a pipeline as its file writes them; none of a command, of one whole function, or of a module that
    makes its steps by decorators."""
    file = file_of(pipeline)
    if is_command(pipeline) or ":" in pipeline or file not in sources.files:
        return []
    found = []
    for node in parsed(sources.files[file], file).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            if node.decorator_list:
                return []
            found.append(GraphStep(node.name, node.name, tuple(_parameters(node.args))))
    return found


def _parameters(arguments: ast.arguments) -> Iterable[str]:
    return (each.arg for each in (*arguments.args, *arguments.kwonlyargs))
