"""What a project declares of a model for its checks: assumptions, scenarios, costs, metrics of its own."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

Scalar = str | int | float | bool | None


class Way(StrEnum):
    """Which way the score must go when an input grows."""

    UP = "up"
    DOWN = "down"


class CommitRule(StrEnum):
    """What must be known of the code that a model is trained on."""

    ANY = "any"
    KNOWN = "known"  # it lies in a repository, with changes or without
    CLEAN = "clean"  # a commit holds all of it


class Assumptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What must hold of the model's answers whatever it is asked.

    `monotonic`: input -> way of the score. `invariant`: inputs that must not change a decision (a name, a row number).
    `range`: the lowest and highest score that can be. `inputs`: input -> its lowest and highest possible value.
    """

    monotonic: dict[str, Way] = {}
    invariant: tuple[str, ...] = ()
    range: tuple[float, float] | None = None
    inputs: dict[str, tuple[float | None, float | None]] = {}


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a scenario does to one column: `set` it, or make it `missing`, else value * `times` + `plus`, kept in `clip`."""

    times: float = 1.0
    plus: float = 0.0
    set: Scalar | msgspec.UnsetType = msgspec.UNSET
    missing: bool = False
    clip: tuple[float | None, float | None] = (None, None)


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A world that may come: columns changed in the rows of `where` (an SQL condition over columns; None: all rows).

    `worse`: how much of the metric may be lost at most; None: the check's default.
    """

    columns: dict[str, Change]
    where: str | None = None
    worse: Annotated[float, Meta(ge=0)] | None = None


class OwnMetric(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A metric of the project's own: `function` is `module:function` in the version's code.

    It takes arrays of n labelled rows, `truth`, `decision` and `score` (None where the model gives none), and of every column
    in `columns` by its name, and returns one number. It runs confined, as the model does.
    """

    function: Annotated[str, Meta(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    columns: tuple[str, ...] = ()
    higher_is_better: bool = True
    unit: str | None = None


class Ranking(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows are ranked by score within their `query` (a column: the search, the user's visit); the first `at` places count.

    The target says how relevant a row is: a class, or a number of at least 0.
    """

    query: str
    at: Annotated[int, Meta(ge=1)] = 10
