"""Pipelines written with apache-hamilton's decorators: its graph, our keys."""

from __future__ import annotations

from tests.pipelines.test_execute import Bench, bench, states

from lockgate.pipelines.run import StepState

__all__ = ["bench"]
TEXT = """
from hamilton.function_modifiers import parameterize, value

def scale(factor: float) -> float:
    return helper(factor)

@parameterize(small={"times": value(1)}, large={"times": value(10)})
def sized(scale: float, times: int) -> float:
    return scale * times

def model(small: float, large: float) -> object:
    return len

def metrics(small: float, large: float) -> dict:
    return {"small": small, "large": large}

def helper(factor: float) -> float:
    return factor + 1
"""


def test_one_function_is_many_steps_and_a_helper_that_changes_is_seen(bench: Bench) -> None:
    """`parameterize` makes two steps; changing what a step calls runs it again, where Hamilton's own cache gave the old value."""
    first = bench.run(bench.order(TEXT, parameters={"factor": 2.0}))
    assert first.handed["metrics"] == {"small": 3.0, "large": 30.0}
    assert {"small", "large"} <= set(states(first))
    assert set(states(bench.run(bench.order(TEXT, parameters={"factor": 2.0}))).values()) == {StepState.KEPT}
    changed = bench.run(bench.order(TEXT.replace("factor + 1", "factor + 2"), parameters={"factor": 2.0}))
    assert changed.handed["metrics"] == {"small": 4.0, "large": 40.0}
