"""What a pipeline's process asks while it runs: whether a step may go on, and which values a trial has."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lockgate.errors import InvalidInput
from lockgate.pipelines.cache import StepCache
from lockgate.pipelines.child import Stopped, started
from lockgate.pipelines.execute import Ran, execute
from lockgate.pipelines.layout import LIBRARY, Order, first_words, lay_out
from lockgate.pipelines.run import StepState
from lockgate.pipelines.sources import Sources

FLOW = """
def space(trial):
    kind = trial.suggest_categorical("kind", ["a", "b"])
    return {"kind": kind, "rate": trial.suggest_float("rate", 0.1, 1, log=True), "depth": trial.suggest_int("depth", 1, 9)}

def nothing(trial):
    trial.suggest_int("depth", 1, 9)

class Kept:
    def __init__(self, value):
        self.value = value

    def predict(self, rows):
        return [self.value for _ in rows]

def model(report, last: float = 1.0):
    for epoch in range(4):
        try:
            report(epoch, epoch * last)
        except Exception:
            raise RuntimeError("a pipeline that catches everything")
    return Kept(last)

def metrics(model):
    return {"value": model.value}
"""


def order(text: str = FLOW, **parameters: object) -> Order:
    """The pipeline with parameters."""
    return Order(pipeline="flow.py", sources=Sources({"flow.py": text.encode()}), data={}, parameters=parameters, seed=0,
                 python=Path(sys.executable), environment="e", memory_bytes=2 << 30)  # fmt: skip


def test_a_step_that_reports_goes_on_or_is_ended(tmp_path: Path) -> None:
    """Each report is heard; "no" ends the step past every `except Exception`; nothing of it is kept; NaN is refused."""
    heard: list[tuple[int, float]] = []

    def replies(asked: Mapping[str, Any]) -> Mapping[str, object]:
        heard.append((asked["at"], asked["value"]))
        return {"go": len(heard) != 2}

    def run(ran: Ran, given: Order) -> None:
        (tmp_path / "run").mkdir(exist_ok=True)
        execute(given, tmp_path / "run", StepCache(tmp_path / "steps"), ran, lambda *_: None, replies=replies)

    ran = Ran()
    with pytest.raises(Stopped, match=r"ended early.*at 1, with 2"):
        run(ran, order(last=2.0))
    assert (heard, [step.state for step in ran.steps]) == ([(0, 0.0), (1, 2.0)], [StepState.FAILED])
    ran = Ran()
    run(ran, order(last=2.0))
    assert [step.state for step in ran.steps] == [StepState.RAN, StepState.RAN]
    assert (ran.parameters, heard[2:]) == ({"last": 2.0}, [(0, 0.0), (1, 2.0), (2, 4.0), (3, 6.0)])
    with pytest.raises(InvalidInput, match="reported at 0 is no finite number"):
        run(
            Ran(),
            order(
                FLOW.replace("epoch * last", "float('nan')").replace("except Exception", "except KeyError")
            ),
        )


def test_the_projects_own_function_draws_a_trial(tmp_path: Path) -> None:
    """It asks for each value and its table is the trial; one that returns nothing means what it drew; others are refused."""
    asked: list[Mapping[str, Any]] = []
    values = {"kind": "b", "rate": 0.5, "depth": 3}

    def replies(question: Mapping[str, Any]) -> Mapping[str, object]:
        asked.append(question)
        return {"value": values[question["name"]]}

    given = order()
    words = first_words(given, tmp_path, lay_out(given, tmp_path), tmp_path / "steps")
    with started(given.python, words, tmp_path / "words", tmp_path / LIBRARY) as child:
        child.hear("load")
        for name, found in (("space", values), ("nothing", {"depth": 3})):
            said = child.ask("space", {"do": "space", "function": name}, replies)
            assert said["parameters"] == found
        with pytest.raises(InvalidInput, match="no function 'nowhere'"):
            child.ask("space", {"do": "space", "function": "nowhere"}, replies)
    assert asked[1]["dimension"] == {"type": "float", "low": 0.1, "high": 1.0, "step": None, "log": True}
