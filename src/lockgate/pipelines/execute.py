"""Runs a pipeline's steps in their own process: what is kept is taken, what is not is run and kept at once.

A run that fails or dies leaves the results of its finished steps under their keys, so the next one begins where it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from lockgate.errors import InvalidInput, LockgateError, PredictionFailed
from lockgate.pipelines.cache import Kept, StepCache, require_plain
from lockgate.pipelines.child import Child, Replies, no_room, started, unheard
from lockgate.pipelines.cut import FRAMES, TEST, TRAIN, before_cut, can_cut
from lockgate.pipelines.keys import code_digests, key_of
from lockgate.pipelines.layout import HANDED, LIBRARY, WORK, Order, file_of, first_words, is_command, lay_out
from lockgate.pipelines.place import WORDS
from lockgate.pipelines.plan import METRICS, MODEL, TABLES, From, GraphStep, Planned, plan
from lockgate.pipelines.run import StepRun, StepState

COMMAND, CUT = "command", "cut"
PARITY_ROWS = 300
Told = Callable[[str, int, int], None]  # step, done, in all
BESIDE_KEYS = (From.PARAMETER, From.REPORT)


class _Handed(msgspec.Struct, frozen=True):
    """What the process says that it handed over: names of files, never paths."""

    model: str | None
    entry: str | None
    tables: dict[str, str]
    metrics: dict[str, float]
    answered: int


@dataclass
class Ran:
    """What came of a run, also of one that failed: `steps` so far; `handed`: what the pipeline handed over.

    `ready`: what its process said of itself; `parameters`: all that were used, defaults too.
    `child`: its process, once it was started.
    """

    steps: list[StepRun] = field(default_factory=list)
    ready: dict[str, Any] = field(default_factory=dict)
    handed: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, object] = field(default_factory=dict)
    child: Child | None = None


def execute(
    order: Order, folder: Path, cache: StepCache, ran: Ran, tell: Told, *, replies: Replies = unheard
) -> Path:
    """Run it in `folder`; the folder with what it made (see `inside.handing`). `ran` is filled as it goes.

    `replies` answers what steps report while they run.

    Raises what the pipeline's process said (see `child`), InvalidInput for a graph that cannot be run.
    """
    try:
        words = first_words(order, folder, lay_out(order, folder), cache.folder)
        with started(order.python, words, folder / WORDS, folder / LIBRARY) as child:
            ran.child = child
            ran.ready = child.hear("load")
            return _Execution(order, folder, cache, ran, child, replies).run(tell)
    except OSError as error:
        if isinstance(error, LockgateError):
            raise
        raise no_room(str(error), "the run") from error


@dataclass(frozen=True)
class _Execution:
    """One run of one pipeline in one process. `kept`: results so far, by step."""

    order: Order
    folder: Path
    cache: StepCache
    ran: Ran
    child: Child
    replies: Replies
    kept: dict[str, Kept] = field(default_factory=dict)

    def run(self, tell: Told) -> Path:
        """Every step that is needed, then what they made."""
        planned = self._planned()
        self.ran.parameters = {name: argument.value for each in planned for name, argument in each.arguments.items()
                               if argument.source is From.PARAMETER}  # fmt: skip
        codes = self._codes(planned)
        first, rest = before_cut(planned) if self.order.cut is not None else ([], planned)
        for place, each in enumerate([*first, *rest]):
            if first and place == len(first):
                self._cut()
            tell(each.step.name, place, len(planned) + 1)
            self.kept[each.step.name] = self._one(each, codes[each.step.function])
        tell("handing over", len(planned), len(planned) + 1)
        made = self.folder / WORK / HANDED
        said = self.child.ask("handing over", {
            "do": "hand", "into": str(made), "outputs": self._outputs(), "task": self.order.task, **self._wanted(),
        })  # fmt: skip
        into = made.rename(self.folder / HANDED)  # out of the process's reach before it is opened
        require_plain(into)
        self.ran.handed = _held(said)
        return into

    def _planned(self) -> list[Planned]:
        order = self.order
        steps = [GraphStep(COMMAND, COMMAND, (*order.data, *order.parameters))]
        if not is_command(order.pipeline):
            steps = msgspec.convert(self.ran.ready["graph"], list[GraphStep])
        planned = plan(steps, order.data, order.parameters, order.seed)
        if order.cut is not None and not can_cut([each.step for each in planned]):
            raise InvalidInput(
                "where the test table begins cannot be told to this pipeline", got=f"{order.cut.time} since {order.cut.since}",
                allowed="functions 'train' and 'test' that need neither each other nor the model, and no 'validation'",
                fix="let it keep its own test: retrain: {test_days: own}",
            )  # fmt: skip
        return planned

    def _cut(self) -> None:
        """Draw the line between both tables anew; what comes after reads what came of it."""
        cut, kept = self.order.cut, {name: self.kept[name] for name in (TRAIN, TEST)}
        if cut is None or any(each.said.type not in FRAMES for each in kept.values()):
            raise InvalidInput("'train' and 'test' are no tables that can be cut", allowed=", ".join(FRAMES),
                               got=", ".join(each.said.type for each in kept.values()),
                               fix="let the pipeline keep its own test: retrain: {test_days: own}")  # fmt: skip
        keys = {name: key_of(CUT, step=name, environment=self.order.environment,
                             inputs={role: each.digest for role, each in kept.items()},
                             parameters=msgspec.to_builtins(cut), seed=self.order.seed) for name in kept}  # fmt: skip
        found, seconds, state = (
            {name: self.cache.find(key) for name, key in keys.items()},
            0.0,
            StepState.KEPT,
        )
        if None in found.values():
            into = {name: self.folder / WORK / f"cut-{name}" for name in kept}
            task = {"do": CUT, "into": {name: str(path) for name, path in into.items()}, "time": cut.time, "since": cut.since,
                    "stored": {name: str(each.folder) for name, each in kept.items()}}  # fmt: skip
            seconds, state = float(self.child.ask(CUT, task)["seconds"]), StepState.RAN
            found = {name: self.cache.keep(keys[name], path) for name, path in into.items()}
        for name, each in found.items():
            if each is None:
                raise OSError(f"the result {keys[name][:12]} cannot be read back")
            self.kept[name] = each
            self.ran.steps.append(StepRun(
                name=f"{CUT} {name}", state=state, key=keys[name], digest=each.digest, seconds=seconds, bytes=each.bytes,
                kind=each.said.type, shape=each.said.shape,
            ))  # fmt: skip

    def _codes(self, planned: list[Planned]) -> dict[str, str]:
        functions = {each.step.function for each in planned}
        if is_command(self.order.pipeline):
            return dict.fromkeys(functions, f"{self.order.pipeline} {self.order.sources.digest}")
        return code_digests(self.order.sources, file_of(self.order.pipeline), functions)

    def _one(self, each: Planned, code: str) -> Kept:
        """A step's result: kept from before, or run now and kept."""
        name, key = each.step.name, self._key(each, code)
        found, seconds, state = self.cache.find(key), 0.0, StepState.KEPT
        if found is None:
            into = self.folder / WORK / f"step-{len(self.ran.steps)}"
            task = {"do": "run", "step": name, "into": str(into), "arguments": self._told(each)}
            try:
                seconds = float(self.child.ask(name, task, self.replies)["seconds"])
            except LockgateError:
                self.ran.steps.append(StepRun(name=name, state=StepState.FAILED, key=key))
                raise
            state, found = StepState.RAN, self.cache.keep(key, into)
        self.ran.steps.append(StepRun(name=name, state=state, key=key, digest=found.digest, seconds=seconds,
                                      bytes=found.bytes, kind=found.said.type, shape=found.said.shape))  # fmt: skip
        return found

    def _key(self, each: Planned, code: str) -> str:
        inputs = {need: self.kept[said.name].digest if said.source is From.STEP else self.order.data[said.name].digest
                  for need, said in each.arguments.items() if said.source not in BESIDE_KEYS}  # fmt: skip
        values = {need: said.value for need, said in each.arguments.items() if said.source is From.PARAMETER}
        return key_of(code, step=each.step.name, environment=self.order.environment, inputs=inputs, parameters=values,
                      seed=self.order.seed)  # fmt: skip

    def _told(self, each: Planned) -> Mapping[str, object]:
        """The arguments as the process hears them."""
        told: dict[str, object] = {}
        for need, said in each.arguments.items():
            if said.source is From.STEP:
                told[need] = {"stored": str(self.kept[said.name].folder)}
            elif said.source is From.DATA:
                data = self.order.data[said.name]
                told[need] = {"data": {"path": str(data.path), "kind": data.kind}}
            elif said.source is From.REPORT:
                told[need] = {"report": True}
            else:
                told[need] = {"value": said.value}
        return told

    def _wanted(self) -> dict[str, object]:
        """Which rows are answered: a few of a table that a step made, or those of one that was given."""
        given = {
            name: {"path": str(data.path), "kind": data.kind}
            for name, data in self.order.data.items()
            if name in TABLES
        }
        if self.order.answers is None:
            return {"rows": PARITY_ROWS}
        return {"rows": self.order.answers, "given": given, "label": self.order.label, "whole": True}

    def _outputs(self) -> dict[str, dict[str, str]]:
        """Where the outputs lie: steps of their own names, or items of what the one function returned."""
        names = (MODEL, *TABLES, METRICS)
        if MODEL in self.kept:
            return {name: {"stored": str(self.kept[name].folder)} for name in names if name in self.kept}
        (whole,) = self.kept.values()
        if MODEL in whole.said.items:
            return {
                name: {"stored": str(whole.folder), "item": name}
                for name in names
                if name in whole.said.items
            }
        return {MODEL: {"stored": str(whole.folder)}}


def _held(said: Mapping[str, Any]) -> dict[str, Any]:
    """Words of a process that runs foreign code, held to their types, and names to the folder. Raises PredictionFailed."""
    try:
        handed = msgspec.convert(said, _Handed)
    except msgspec.ValidationError as error:
        raise PredictionFailed("the pipeline's process does not say what it made", got=error) from error
    names = [*handed.tables.values(), *([handed.model] if handed.model is not None else [])]
    strange = [name for name in names if Path(name).name != name or name in ("", "..")]
    strange += sorted(set(handed.tables) - {*TABLES})
    if strange:
        raise PredictionFailed(
            "the pipeline's process names files that it cannot have made", got=", ".join(strange)[:200]
        )
    return {name: getattr(handed, name) for name in _Handed.__struct_fields__}
