"""From functions to an order of steps."""

from __future__ import annotations

import pytest

from lockgate.errors import InvalidInput
from lockgate.pipelines.plan import Argument, From, GraphStep, plan


def step(name: str, *needs: str, **defaults: object) -> GraphStep:
    """A step."""
    return GraphStep(name, name, (*needs, *defaults), defaults)


def test_steps_run_after_those_that_they_need_and_no_others_run() -> None:
    """Outputs decide: a function that none of them needs is a helper."""
    steps = [
        step("metrics", "model", "test"),
        step("model", "train", depth=3),
        step("train", "raw"),
        step("test", "raw"),
        step("spare", "raw"),
    ]
    found = plan(steps, ["raw"], {"depth": 5}, 7)
    assert [each.step.name for each in found] == ["train", "model", "test", "metrics"]
    assert found[1].arguments == {
        "train": Argument(From.STEP, "train"),
        "depth": Argument(From.PARAMETER, "depth", 5),
    }
    assert found[0].arguments == {"raw": Argument(From.DATA, "raw")}


def test_defaults_and_the_seed_fill_what_is_not_given() -> None:
    """A parameter's default, and the run's seed by its name."""
    (found,) = plan([step("model", "seed", depth=3)], [], {}, 7)
    assert {name: said.value for name, said in found.arguments.items()} == {"seed": 7, "depth": 3}


@pytest.mark.parametrize(
    ("steps", "data", "parameters", "words"),
    [
        ([step("fit", "raw")], ["raw"], {}, "no function is called 'model'"),
        ([step("model", "trian")], ["train"], {}, "did you mean 'train'"),
        ([step("model", "a"), step("a", "b"), step("b", "model")], [], {}, "model -> a -> b -> model"),
        ([step("model", "raw", depth=3)], ["raw"], {"dept": 5}, "no step takes 'dept'.*did you mean 'depth'"),
        ([step("model", "raw")], ["raw", "other"], {}, "no step takes 'other'"),
        (
            [step("model", "train"), step("train", "raw")],
            ["raw", "train"],
            {},
            "'train' is given and is a step",
        ),
        ([step("model", "raw")], ["raw"], {"raw": 1}, "a data set and a parameter"),
    ],
)
def test_what_cannot_be_run_is_said(
    steps: list[GraphStep], data: list[str], parameters: dict[str, object], words: str
) -> None:
    """No model, unknown names, circles, slips of the pen: each before anything runs."""
    with pytest.raises(InvalidInput, match=words):
        plan(steps, data, parameters, 0)


def test_tables_beside_the_model_need_no_step() -> None:
    """A test table that no function takes is handed in as it is."""
    assert [each.step.name for each in plan([step("model", "train")], ["train", "test"], {}, 0)] == ["model"]
