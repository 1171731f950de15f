"""Code that lives in a notebook (`__main__`), written out as a module, or refused with the exact fix.

A class or function of a notebook has no module that another process could import. Its source is taken together with
what it refers to: imports, other classes and functions of the notebook, plain constants. Anything else (a model, a data
frame) cannot be written as source, and the error names it.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import symtable
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any

from lockgate.errors import InvalidInput

MODULE = "notebook_code"  # what the written module is called inside the package
_FILE = "write it into a file next to your notebook, for example churn_code.py, and import it from there"


def lives_in_main(thing: Any) -> bool:
    """Whether a class or function was defined in a notebook, a script or a shell."""
    return getattr(thing, "__module__", None) == "__main__"


def source_module(roots: Iterable[Any]) -> str:
    """The source of a module that holds classes and functions of `__main__` and all that they refer to.

    Raises InvalidInput for lambdas, things inside functions, source that is gone, and names that are no code.
    """
    module = _Module(list(roots))
    space = vars(sys.modules["__main__"])
    while module.waiting:
        thing = module.waiting.pop()
        name = _checked_name(thing)
        if name in module.parts:
            continue
        module.parts[name] = text = _source(thing)
        for word in _words(text):
            if word in space and word not in module.parts and word not in module.imports:
                module.refer(word, space[word], name)
    return module.text()


@dataclass
class _Module:
    """A module that is being written: names that it imports, pieces by the name that they define."""

    waiting: list[Any]
    imports: dict[str, str] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)

    def refer(self, word: str, value: Any, user: str) -> None:
        """Make a name known that the code of `user` uses."""
        if isinstance(value, ModuleType):
            self.imports[word] = f"import {value.__name__}" + (
                f" as {word}" if value.__name__ != word else ""
            )
        elif isinstance(value, type | FunctionType) or (callable(value) and hasattr(value, "__qualname__")):
            if lives_in_main(value):
                self.waiting.append(value)
            else:
                home, name = value.__module__, value.__qualname__
                self.imports[word] = f"from {home} import {name}" + (f" as {word}" if name != word else "")
        elif _is_plain(value):
            self.parts[word] = f"{word} = {value!r}\n"
        else:
            raise InvalidInput(
                f"'{user}' uses '{word}', a {type(value).__name__} of your notebook, which cannot be written as code",
                fix=f"make it an attribute of the class that you submit, or a file that the code reads; or {_FILE}",
            )

    def text(self) -> str:
        """The whole module. What runs at import (bases, decorators, defaults) stands above its user."""
        placed: dict[str, str] = {}

        def place(name: str, users: tuple[str, ...] = ()) -> None:
            if name in placed or name in users:
                return
            for word in _words(self.parts[name]):
                if word in self.parts:
                    place(word, (*users, name))
            placed[name] = self.parts[name]

        for name in self.parts:
            place(name)
        return "\n".join([*(self.imports[word] for word in sorted(self.imports)), "", *placed.values()])


def _checked_name(thing: Any) -> str:
    name: str = thing.__qualname__
    if name == "<lambda>":
        raise InvalidInput(
            "a lambda cannot be packaged", got=_where(thing), fix="write it as a function: def name(...): ..."
        )
    if "<locals>" in name:
        raise InvalidInput(
            f"'{name}' is defined inside a function", got=_where(thing), fix="move it to the top level"
        )
    if "." in name:
        raise InvalidInput(f"'{name}' is defined inside a class", fix="move it to the top level")
    return name


def _source(thing: Any) -> str:
    try:
        text = inspect.getsource(thing)
    except (OSError, TypeError):
        text = _class_source(thing) if isinstance(thing, type) else ""
    if not text:
        raise InvalidInput(f"the source of '{thing.__qualname__}' cannot be found", fix=_FILE)
    return textwrap.dedent(text).rstrip() + "\n"


def _class_source(kind: type) -> str:
    """A notebook's class has no file of its own; its methods know the cell that they came from."""
    for value in vars(kind).values():
        if isinstance(value, FunctionType):
            text = "".join(linecache.getlines(value.__code__.co_filename))
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
                    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])
    return ""


def _words(text: str) -> list[str]:
    """Every global name that a piece of code uses; parameters, local names and Python's own are left out."""
    found: set[str] = set()
    tables = [symtable.symtable(text, "notebook", "exec")]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        top = table.get_type() == "module"
        found |= {
            name.get_name()
            for name in table.get_symbols()
            if name.is_referenced() and (not name.is_assigned() if top else name.is_global())
        }
    return sorted(found - set(vars(builtins)))


def _is_plain(value: Any) -> bool:
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False


def _where(thing: Any) -> str:
    code = getattr(thing, "__code__", None)
    return f"{code.co_filename}, line {code.co_firstlineno}" if code else repr(thing)
