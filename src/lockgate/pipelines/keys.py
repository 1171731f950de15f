"""Under which name a step's result is kept: code, environment, inputs and parameters decide, by their content.

A step's code is the project's other modules and its own module without the functions that nothing in it names. Comments,
docstrings and positions do not count. Code that reaches names in computed ways keeps its module whole.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from lockgate.errors import NotFound
from lockgate.pipelines.sources import Sources, parsed

FORMAT = "lockgate-step-1"
COMPUTED = frozenset(
    {"globals", "locals", "vars", "getattr", "exec", "eval", "__import__", "import_module", "importlib"}
)


def code_digests(sources: Sources, file: str, functions: Iterable[str]) -> dict[str, str]:
    """The digest of each function's code: what running it may run. `file`: where the functions stand. Raises NotFound."""
    if file not in sources.files:
        raise NotFound(f"{file} is not among the code that was sent", allowed=", ".join(sorted(sources.files)[:20]) or None,
                       fix="name the pipeline by its path from the folder of lockgate.yaml")  # fmt: skip
    rest = hashlib.sha256(FORMAT.encode())
    for name in sorted(sources.files):
        if name != file:
            rest.update(f"\n{name} {_content(name, sources.files[name])}".encode())
    tree = parsed(sources.files[file], file)
    _strip(tree)
    return {step: _digest_of_step(tree, step, rest.copy()) for step in set(functions)}


def key_of(
    code: str,
    *,
    step: str,
    environment: str,
    inputs: Mapping[str, str],
    parameters: Mapping[str, object],
    seed: int,
) -> str:
    """The name of a step's result, 64 hex digits. `inputs`: argument -> digest of its value.

    >>> same = dict(step="a", environment="e", inputs={}, seed=0)
    >>> key_of("c", parameters={"x": 1, "y": 2}, **same) == key_of("c", parameters={"y": 2, "x": 1}, **same)
    True
    >>> key_of("c", parameters={"x": 1}, **same) == key_of("c", parameters={"x": 2}, **same)
    False
    """
    said = [FORMAT, code, step, environment, dict(inputs), dict(parameters), seed]
    return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()


def _content(name: str, body: bytes) -> str:
    """A file as what counts of it: a module's tree, any other file's bytes."""
    if name.endswith(".py"):
        tree = parsed(body, name)
        _strip(tree)
        body = ast.dump(tree).encode()
    return hashlib.sha256(body).hexdigest()


def _digest_of_step(tree: ast.Module, step: str, state: hashlib._Hash) -> str:
    kept = _kept(tree, step)
    for statement in tree.body:
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) or statement.name in kept:
            state.update(ast.dump(statement).encode())
    return state.hexdigest()


def _kept(tree: ast.Module, step: str) -> set[str]:
    """Functions whose code counts: the step, what it names in turn, and what the module's own statements name."""
    functions = {
        node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    if _names(tree) & COMPUTED:
        return set(functions)
    waiting = [step]
    for statement in tree.body:
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += _names(statement) & set(functions)
    kept: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in kept or name not in functions:
            continue
        kept.add(name)
        waiting += _names(functions[name]) & set(functions)
    return kept


def _names(node: ast.AST) -> set[str]:
    """Every name that code reads or says as text; a function's own parameters are not the steps that they are called by."""
    own: set[str] = set()
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        arguments = node.args
        own = {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    found: set[str] = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Name) and each.id not in own:
            found.add(each.id)
        elif isinstance(each, ast.Attribute):
            found.add(each.attr)
        elif isinstance(each, ast.alias):
            found |= {each.name, each.name.rpartition(".")[2]}
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            found.add(each.value)
    return found


def _strip(tree: ast.Module) -> None:
    """Take docstrings away, in place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
