"""From functions and their parameters to an order of steps, or to every reason why there is none. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from lockgate.errors import InvalidInput

MODEL, METRICS = "model", "metrics"
TABLES = ("train", "validation", "test")
SEED = "seed"
REPORT = "report"  # what a step tells its search with while it runs
TARGETS = (MODEL, *TABLES, METRICS)


class GraphStep(msgspec.Struct, frozen=True):
    """One step as the pipeline's process described it."""

    name: str
    function: str
    needs: tuple[str, ...] = ()
    defaults: dict[str, object] = {}


class From(StrEnum):
    """Where an argument comes from."""

    STEP = "step"
    DATA = "data"
    PARAMETER = "parameter"
    REPORT = "report"


class Argument(msgspec.Struct, frozen=True):
    """One argument of a step. `name`: of the step or data set; `value`: of a parameter."""

    source: From
    name: str
    value: object = None


class Planned(msgspec.Struct, frozen=True):
    """One step with where its arguments come from."""

    step: GraphStep
    arguments: dict[str, Argument]


@dataclass(frozen=True)
class _Names:
    """Everything that a parameter of a function may name."""

    steps: Mapping[str, GraphStep]
    data: Collection[str]
    parameters: Mapping[str, object]
    seed: int


def plan(
    steps: Sequence[GraphStep], data: Collection[str], parameters: Mapping[str, object], seed: int
) -> list[Planned]:
    """The steps that the outputs need, each after those that it needs, in the order of the file where that is free.

    A parameter of a function is another step's result, the seed, a data set, a parameter of the run, its default, or `report`.
    Raises InvalidInput for a missing model step, unknown names, circles, and parameters that no step takes.
    """
    names = _Names({step.name: step for step in steps}, data, parameters, seed)
    _refuse_twins(names)
    targets = [name for name in TARGETS if name in names.steps] if MODEL in names.steps else _whole(steps)
    order: list[str] = []
    for target in targets:
        _visit(target, names.steps, order, ())
    chosen = [names.steps[name] for name in order]
    planned = [Planned(step, {need: _argument(step, need, names) for need in step.needs}) for step in chosen]
    _refuse_unused(planned, names)
    return planned


def _whole(steps: Sequence[GraphStep]) -> list[str]:
    """The one step of a pipeline that is a single function or command."""
    if len(steps) == 1 and steps[0].name in ("pipeline", "command"):
        return [steps[0].name]
    raise InvalidInput(
        "no function is called 'model', so nothing would be trained", got=", ".join(step.name for step in steps) or "no function",
        fix="call the function that returns the fitted model 'model'; 'train', 'test' and 'metrics' are taken too",
    )  # fmt: skip


def _visit(name: str, known: Mapping[str, GraphStep], order: list[str], above: tuple[str, ...]) -> None:
    if name in above:
        circle = " -> ".join((*above[above.index(name) :], name))
        raise InvalidInput(
            "steps need each other in a circle", got=circle, fix="rename a parameter, or split a step"
        )
    if name in order:
        return
    for need in known[name].needs:
        if need in known:
            _visit(need, known, order, (*above, name))
    order.append(name)


def _argument(step: GraphStep, need: str, names: _Names) -> Argument:
    if need in names.steps:
        return Argument(From.STEP, need)
    if need in names.parameters:
        return Argument(From.PARAMETER, need, names.parameters[need])
    if need in names.data:
        return Argument(From.DATA, need)
    if need == SEED:
        return Argument(From.PARAMETER, need, names.seed)
    if need == REPORT and step.defaults.get(need) is None:
        return Argument(From.REPORT, need)
    if need in step.defaults:
        return Argument(From.PARAMETER, need, step.defaults[need])
    known, data, parameters = names.steps, names.data, names.parameters
    near = difflib.get_close_matches(need, [*known, *data, *parameters], n=1)
    raise InvalidInput(
        f"step '{step.name}' takes '{need}', which is no step, data set or parameter",
        allowed=f"steps: {', '.join(known)}; data: {', '.join(data) or 'none'}; parameters: {', '.join(parameters) or 'none'}",
        fix=f"did you mean '{near[0]}'?" if near
        else f"lockgate.yaml: data: {{{need}: FILE or NAME@3}}, or parameters: {{{need}: VALUE}}, or give it a default",
    )  # fmt: skip


def _refuse_twins(names: _Names) -> None:
    """One name for two things would be decided silently."""
    for name in (*names.parameters, *names.data):
        if name in names.steps or (name in names.parameters and name in names.data):
            other = "a step" if name in names.steps else "a data set and a parameter"
            raise InvalidInput(f"'{name}' is given and is {other}", fix="rename one of the two")


def _refuse_unused(planned: Sequence[Planned], names: _Names) -> None:
    """A parameter or data set that nothing takes is a slip of the pen: the run would not be what it says.

    Tables that are handed in beside the model (`test`) need no step.
    """
    taken = {name for each in planned for name in each.step.needs}
    for name in (*names.parameters, *names.data):
        if name in taken or name in TABLES:
            continue
        near = difflib.get_close_matches(name, taken, n=1)
        raise InvalidInput(
            f"no step takes '{name}'", allowed=", ".join(sorted(taken)) or "no parameter at all",
            fix=f"did you mean '{near[0]}'?" if near else "leave it out, or let a function take it",
        )  # fmt: skip
