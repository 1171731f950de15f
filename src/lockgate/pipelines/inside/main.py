"""The process that runs a pipeline's code: has one order, hears one step at a time, and says what came of each.

It runs in the model's own environment, which need not hold lockgate's libraries: standard library, `lockgate.errors`,
`lockgate.packing` and the walls of `lockgate.runner` only. Messages are JSON, a line each, on two descriptors.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import IO, Any

from lockgate.errors import LockgateError, TrialEnded
from lockgate.pipelines.inside.chance import chance
from lockgate.pipelines.inside.command import run_command
from lockgate.pipelines.inside.cutting import cut
from lockgate.pipelines.inside.environment import distributions
from lockgate.pipelines.inside.handing import hand_over
from lockgate.pipelines.inside.promises import keep_promises, promises_of
from lockgate.pipelines.inside.reporting import Line, Report, Trial
from lockgate.pipelines.inside.steps import Step, steps_of
from lockgate.pipelines.inside.tables import loaded
from lockgate.pipelines.inside.values import read_value, write_value

TRACE_LINES = 12


class Work:
    """One pipeline, loaded."""

    def __init__(self, order: dict[str, Any], line: Line) -> None:
        self.order, self.line = order, line
        self.module: Any = None
        self.steps: dict[str, Step] = {}
        if not order.get("command"):
            sys.path[:0] = order["path"]
            self.module = importlib.import_module(order["module"])
            self.steps = steps_of(self.module, order.get("function"), order["parameters"])

    def graph(self) -> list[dict[str, Any]]:
        """Every step with what it needs, in the order of the file."""
        return [{"name": step.name, "function": step.function, "needs": step.needs, "defaults": step.defaults}
                for step in self.steps.values()]  # fmt: skip

    def run(self, asked: dict[str, Any]) -> dict[str, Any]:
        """One step; its value lies in the folder `into` afterwards."""
        into = Path(asked["into"])
        if self.order.get("command"):
            return run_command(self.order, asked, into)
        step = self.steps[asked["step"]]
        arguments = {name: self._argument(step, name, given) for name, given in asked["arguments"].items()}
        with chance(self.order["seed"]):
            value = step.call(**arguments)
        keep_promises(step.name, promises_of(step), value)
        return write_value(step.name, value, into)

    def space(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The parameters of one trial, by the project's own function."""
        return {"parameters": Trial(self.line).parameters(self.module, asked["function"])}

    def hand(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What the pipeline made, as files to submit."""
        return hand_over(self.module, asked, Path(asked["into"]))

    def _argument(self, step: Step, name: str, given: dict[str, Any]) -> Any:
        if "value" in given:
            return given["value"]
        if "report" in given:
            return Report(self.line)
        if "data" in given:
            return loaded(given["data"], step.kind_of(name), name)
        return read_value(Path(given["stored"]), given.get("item"))


def main(reading: int, writing: int, _life: int, told: int) -> None:
    """Load the pipeline, and do what is asked until the other side closes. This process is confined (see `enter`).

    `told`: a file with the order and what is held. `_life`: stays open, so that this process ends with its owner.
    """
    with os.fdopen(told) as file:
        held = json.load(file)
    with os.fdopen(reading) as asked, os.fdopen(writing, "w") as said:
        order = held["order"]
        work = _tried(said, "load", lambda: Work(order, Line(asked, said)))
        if work is None:
            return
        _say(said, {"say": "ready", "graph": work.graph(), "confined": held["confined"], "unconfined": held["unconfined"],
                    "python": sys.version.split()[0], "distributions": distributions(order.get("libraries", []))})  # fmt: skip
        acts = {"run": work.run, "hand": work.hand, "space": work.space, "cut": cut}
        for line in asked:
            task = json.loads(line)
            began_s = time.monotonic()
            done = _tried(said, task.get("step", task["do"]), lambda: acts[task["do"]](task))  # noqa: B023 - called at once
            if done is not None:
                _say(said, {"say": "done", "seconds": time.monotonic() - began_s, **done})


def _tried(said: IO[str], step: str, act: Any) -> Any:
    try:
        return act()
    except LockgateError as error:
        _say(said, {"say": "refused", "step": step, "error": error.as_json()})
    except TrialEnded as error:
        _say(said, {"say": "stopped", "step": step, "message": str(error)})
    except MemoryError as error:
        _say(said, {"say": "memory", "step": step, "message": str(error)[:500]})
    except OSError as error:
        room = error.errno in (28, 122)  # ENOSPC, EDQUOT
        _say(said, {"say": "room" if room else "raised", "step": step, **_words(error)})
    except BaseException as error:  # noqa: BLE001 - whatever a pipeline raises, SystemExit too, is said
        _say(said, {"say": "memory" if _wants_memory(error) else "raised", "step": step, **_words(error)})
    return None


def _wants_memory(error: BaseException) -> bool:
    """What libraries raise where an allocation fails, each its own."""
    words = f"{type(error).__name__} {error}".lower()
    return any(
        word in words
        for word in (
            "bad_alloc",
            "not enough memory",
            "out of memory",
            "cannot allocate",
            "failed to allocate",
        )
    )


def _words(error: BaseException) -> dict[str, Any]:
    """The exception and where in the project's own files it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename and "/lockgate/" not in frame.filename
           and not frame.filename.startswith((sys.base_prefix, "<"))]  # fmt: skip
    place = f"{Path(own[-1].filename).name}, line {own[-1].lineno}, in {own[-1].name}" if own else ""
    trace = "".join(traceback.format_exception(error)).splitlines()[-TRACE_LINES:]
    return {"type": type(error).__name__, "message": str(error)[:2000], "place": place, "trace": trace}


def _say(said: IO[str], message: dict[str, Any]) -> None:
    sys.stdout.flush()  # what a step printed, before its owner may end this process
    said.write(json.dumps(message, default=str) + "\n")
    said.flush()
