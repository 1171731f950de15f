"""A module's functions as steps: a parameter names another step, a data set, or a parameter of the run.

Plain functions are read here. A module that uses apache-hamilton's decorators is read by Hamilton itself, so that one
function may be many steps; running and keeping stay lockgate's.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any, get_type_hints

from lockgate.errors import InvalidInput

WHOLE = "pipeline"  # the step of a pipeline that is one function


@dataclass(frozen=True)
class Step:
    """One step. `function`: whose code it is. `defaults`: of parameters, as JSON values."""

    name: str
    call: Callable[..., Any]
    function: str
    needs: list[str]
    defaults: dict[str, Any]
    kinds: Mapping[str, Any] = field(default_factory=dict)
    returns: Any = None

    def kind_of(self, parameter: str) -> Any:
        """The annotation of a parameter; None when it has none."""
        return self.kinds.get(parameter)


def steps_of(module: ModuleType, function: str | None, parameters: Mapping[str, Any]) -> dict[str, Step]:
    """The steps by name, in the order of the file. `function`: the one function that is the whole pipeline."""
    if function is not None:
        found = getattr(module, function, None)
        if not isinstance(found, FunctionType):
            raise InvalidInput(
                f"the pipeline has no function '{function}'", allowed=", ".join(_public(module)) or "none"
            )
        return {WHOLE: step_of(WHOLE, found)}
    if _uses_hamilton(module):
        return _by_hamilton(module, parameters)
    steps = {name: step_of(name, found) for name, found in _public(module).items() if _named_only(found)}
    if not steps:
        raise InvalidInput(
            f"{module.__name__} defines no function",
            fix="write one function for each step; 'model' returns the model",
        )
    return steps


def _public(module: ModuleType) -> dict[str, FunctionType]:
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, FunctionType)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    }


def _named_only(function: FunctionType) -> bool:
    """Whether every parameter can be given by name: `*rows` and `**rest` belong to helpers."""
    kinds = {parameter.kind for parameter in inspect.signature(function).parameters.values()}
    return not kinds & {
        inspect.Parameter.VAR_POSITIONAL,
        inspect.Parameter.VAR_KEYWORD,
        inspect.Parameter.POSITIONAL_ONLY,
    }


def step_of(name: str, function: FunctionType) -> Step:
    """One function as a step."""
    parameters = inspect.signature(function).parameters.values()
    given = [one for one in parameters if one.default is not inspect.Parameter.empty]
    try:
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError):  # a hint that only type checkers can resolve
        hints = dict(function.__annotations__)
    return Step(
        name, function, function.__name__, [one.name for one in parameters],
        {one.name: one.default for one in given if _is_plain(one.default)}, hints, hints.get("return"),
    )  # fmt: skip


def _is_plain(value: object) -> bool:
    try:
        return bool(json.loads(json.dumps(value)) == value)
    except (TypeError, ValueError):
        return False


def _uses_hamilton(module: ModuleType) -> bool:
    """Whether the module itself holds something of Hamilton's."""
    if "hamilton" not in sys.modules:
        return False
    owners = (
        getattr(value, "__module__", None) or getattr(value, "__name__", "")
        for value in vars(module).values()
    )
    return any(str(owner).partition(".")[0] == "hamilton" for owner in owners)


def _by_hamilton(module: ModuleType, parameters: Mapping[str, Any]) -> dict[str, Step]:
    import logging  # noqa: PLC0415 - only for who uses Hamilton

    from hamilton import driver  # noqa: PLC0415

    logging.getLogger("hamilton").setLevel(logging.CRITICAL)  # it prints an invitation with every error
    graph = driver.Builder().with_modules(module).with_config(dict(parameters)).build().graph
    steps = {}
    for node in graph.get_nodes():
        if node.user_defined:
            continue
        owners = node.originating_functions or ()
        function = owners[0].__name__ if owners else node.name
        optional = {name for name, (_, kind) in node.input_types.items() if kind.name == "OPTIONAL"}
        defaults = {
            name: value for name, value in (node.default_parameter_values or {}).items() if _is_plain(value)
        }
        kinds = {name: kind for name, (kind, _) in node.input_types.items()}
        needs = [name for name in node.input_types if name not in optional or name in defaults]
        steps[node.name] = Step(node.name, node.callable, function, needs, defaults, kinds, node.type)
    return steps
