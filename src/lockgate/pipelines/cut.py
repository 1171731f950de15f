"""Where the test table begins: a run may be told, so that a training judges on the newest rows and learns all before them. Pure.

The pipeline's own `train` and `test` say which rows there are; what is told moves the line between them. So the rows of a test
that a pipeline holds back for months are learned from, where weeks are enough to see which of two versions is better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from lockgate.pipelines.plan import MODEL, GraphStep, Planned

TRAIN, VALIDATION, TEST = "train", "validation", "test"
FRAMES = ("polars.DataFrame", "pandas.DataFrame")  # what can be cut, as results are called


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """Rows whose `time` (a column of both tables) is `since` (ISO, UTC) or later are tested on, the others learned from."""

    time: str
    since: str


def can_cut(steps: Sequence[GraphStep]) -> bool:
    """Whether `train` and `test` are steps that need neither each other nor the model, and the only tables; and whether the model
    learns from `train`: one that reads what stands before it would learn rows that it is tested on.

    >>> train, model = GraphStep("train", "train", ("raw",)), GraphStep("model", "model", ("train",))
    >>> [can_cut([train, GraphStep("test", "test", (need,)), model]) for need in ("raw", "train")]
    [True, False]
    """
    known = {step.name: step for step in steps}
    if not {TRAIN, TEST, MODEL} <= set(known) or VALIDATION in known:
        return False
    if TRAIN not in _behind(MODEL, known):
        return False
    return not {TEST, MODEL} & _behind(TRAIN, known) and not {TRAIN, MODEL} & _behind(TEST, known)


def before_cut(planned: Sequence[Planned]) -> tuple[list[Planned], list[Planned]]:
    """The steps that make both tables, and those that come after the cut; either part in its order."""
    known = {each.step.name: each.step for each in planned}
    first = {TRAIN, TEST} | _behind(TRAIN, known) | _behind(TEST, known)
    return (
        [each for each in planned if each.step.name in first],
        [each for each in planned if each.step.name not in first],
    )


def _behind(name: str, known: Mapping[str, GraphStep]) -> set[str]:
    """Every step that one needs, in turn."""
    waiting, found = list(known[name].needs), set()
    while waiting:
        need = waiting.pop()
        if need in known and need not in found:
            found.add(need)
            waiting += known[need].needs
    return found
