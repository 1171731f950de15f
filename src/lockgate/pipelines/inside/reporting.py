"""What a pipeline's code asks of its owner while it runs: may this go on, and which value shall a parameter have?

A step that takes a parameter `report` is given a `Report`: `report(epoch, accuracy)`. In a search it may end the step; in an
ordinary run it does nothing. A function that declares a search's space is given a `Trial`, with the words of Optuna's own.
"""

from __future__ import annotations

import json
import math
from types import ModuleType
from typing import IO, Any

from lockgate.errors import InvalidInput, TrialEnded


class Line:
    """The way to the owner: a question out, an answer in."""

    def __init__(self, hears: IO[str], says: IO[str]) -> None:
        self._hears, self._says = hears, says

    def wonder(self, **question: object) -> dict[str, Any]:
        """Ask and wait for the answer. Raises SystemExit when the owner is gone."""
        self._says.write(json.dumps({"say": "wonders", **question}) + "\n")
        self._says.flush()
        line = self._hears.readline()
        if not line:
            raise SystemExit(0)
        answer: dict[str, Any] = json.loads(line)
        return answer


class Report:
    """Tells the search how good the model is so far."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def __call__(self, at: int, value: float) -> None:
        """`at`: how far it is (epoch, trees), growing; `value`: of the search's metric. Raises InvalidInput, TrialEnded."""
        number = float(value)
        if not math.isfinite(number):
            raise InvalidInput(f"what was reported at {at} is no finite number", got=number,
                               fix="see what the step divides by; a training that diverges wants a smaller rate")  # fmt: skip
        if not self._line.wonder(about="report", at=int(at), value=number).get("go", True):
            raise TrialEnded(f"at {at}, with {number:g}")


class Trial:
    """Draws the values of one trial: `suggest_float`, `suggest_int`, `suggest_categorical`."""

    def __init__(self, line: Line) -> None:
        self._line, self._drawn = line, {}  # type: tuple[Line, dict[str, Any]]

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number between `low` and `high`, both included."""
        dimension = {"type": "float", "low": float(low), "high": float(high), "step": step, "log": log}
        return float(self._draw(name, dimension))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number between `low` and `high`, both included."""
        return int(
            self._draw(name, {"type": "int", "low": int(low), "high": int(high), "step": step, "log": log})
        )

    def suggest_categorical(self, name: str, choices: list[Any] | tuple[Any, ...]) -> Any:
        """One of `choices`: text, numbers, true, false or None."""
        return self._draw(name, {"type": "categorical", "choices": list(choices)})

    def parameters(self, module: ModuleType | None, name: str) -> dict[str, Any]:
        """What the project's function `name` returns, else what it drew. Raises InvalidInput."""
        function = getattr(module, name, None)
        if not callable(function):
            fix = f"define {name}(trial) in the pipeline's file, or declare the space in lockgate.yaml"
            raise InvalidInput(f"the pipeline has no function '{name}' for the search's space", fix=fix)
        given = function(self)
        if given is None:
            return self._drawn
        if not isinstance(given, dict):
            raise InvalidInput(
                f"the function '{name}' returns a table of parameters, or nothing", got=type(given).__name__
            )
        return given

    def _draw(self, name: str, dimension: dict[str, Any]) -> Any:
        answer = self._line.wonder(about="suggest", name=name, dimension=dimension)
        if "refused" in answer:
            raise InvalidInput(str(answer["refused"]))
        self._drawn[name] = answer["value"]
        return answer["value"]
