"""The section `tune` of `lockgate.yaml`: what a search may try, what it aims at, and how much it may use."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from lockgate.config_gateway import Count, Positive

Value = str | int | float | bool | None
Span = Annotated[str, Meta(pattern=r"^\s*[0-9]*\.?[0-9]+\s*(s|min|h|d)\s*$")]


class FloatSpace(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="float"):
    """A number between `low` and `high`, both included. `log`: drawn by its logarithm. `when`: only beside these values."""

    low: float
    high: float
    step: float | None = None
    log: bool = False
    when: dict[str, Value | list[Value]] = {}


class IntSpace(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="int"):
    """A whole number between `low` and `high`, both included."""

    low: int
    high: int
    step: Annotated[int, Meta(ge=1)] = 1
    log: bool = False
    when: dict[str, Value | list[Value]] = {}


class ChoiceSpace(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="categorical"
):
    """One of `choices`."""

    choices: tuple[Value, ...]
    when: dict[str, Value | list[Value]] = {}


Dimension = FloatSpace | IntSpace | ChoiceSpace


class Direction(StrEnum):
    """Which way is better."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"


class SamplerName(StrEnum):
    """How the next trial is chosen."""

    TPE = "tpe"  # by what was good before
    RANDOM = "random"
    GRID = "grid"  # every combination once


class PrunerName(StrEnum):
    """Which trials are ended early, by what their steps report."""

    MEDIAN = "median"
    HYPERBAND = "hyperband"
    NONE = "none"


class Aim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One objective. `direction` None: known from the metric's name."""

    metric: Annotated[str, Meta(min_length=1)]
    direction: Direction | None = None


class PastJudge(StrEnum):
    """Who measures a trial on recorded predictions."""

    PIPELINE = "pipeline"  # its step `metrics`
    BACK_TEST = "back_test"  # lockgate, by the figures of the back-test, on what the pipeline answers


class PastAim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Trials are judged on recorded predictions whose labels came, window by window."""

    since: Span = "90d"
    windows: Annotated[int, Meta(ge=1, le=50)] = 4
    by: PastJudge = PastJudge.PIPELINE


class TuneConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything but the space has a default. `space`: by parameter, or the name of a function of the pipeline's file."""

    space: dict[str, Dimension] | str = {}
    aims: tuple[Aim, ...] = ()  # none: the goal's metric
    validation: Annotated[float, Meta(gt=0, lt=1)] = 0.25  # of the training rows, when no table is declared
    folds: Annotated[int, Meta(ge=2, le=20)] | None = None  # cross validation instead
    past: PastAim | None = None  # recorded predictions instead
    sampler: SamplerName = SamplerName.TPE
    pruner: PrunerName = PrunerName.MEDIAN
    seed: Annotated[int, Meta(ge=0, lt=2**32)] = 0
    trials: Count = 50
    time: Span | None = None
    cost: Positive | None = None
    price_per_hour: Positive | None = None  # of one worker
    workers: Count | None = None  # None: a core each
