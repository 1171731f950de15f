"""What a check may look at: facts, tables, labels, answers, and a way to ask the version about further rows.

Evidence is gathered once (each table is predicted once per version) and never changed; checks read it and compute. What a
check asks beyond goes through `predict`: answered where the model lives, kept by the table's content, within a budget.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any
from zlib import crc32

import numpy as np
import polars as pl

from lockgate.checks.load import LoadStep
from lockgate.checks.values import numbers_of
from lockgate.config import Goal
from lockgate.datasets.classes import class_names
from lockgate.declared import Assumptions, OwnMetric, Ranking, Scenario
from lockgate.errors import Conflict
from lockgate.registry.manifest import Task

CHUNK_ROWS = 4_096
LABEL = "\0label"  # in a table for RELEARNED: what a row teaches; missing where it is asked


class Split(StrEnum):
    """Which part of the data a table is."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class Asked(StrEnum):
    """Which model is asked."""

    VERSION = "version"  # the version that is judged, as it would be served
    ORIGINAL = "original"  # the same, not compiled: the research model in its own environment
    LIVE = "live"  # the live version
    SERVED_JSON = "served_json"  # the version behind a real gateway, asked over HTTP in JSON
    SERVED_BINARY = "served_binary"  # the same, asked with binary tensors
    OTHER_PYTHON = "other_python"  # the research model in an environment of another Python
    RELEARNED = (
        "relearned"  # its own algorithm, trained on the labelled rows of the very table, answering the others
    )
    OUTSIDE = "outside"  # a service of somebody else's that should answer the same


@dataclass(frozen=True, eq=False)
class Answers:
    """A version's answers over n rows.

    `decisions`: class names as text, or floats in regression. `scores`: shape (n,), the probability of the positive
    class where there is one. `probabilities`: shape (n, classes), rows sum to 1; None where the model gives none.
    `further`: what else it answers, by name, each of shape (n,): features that it computed, a reason code.
    """

    decisions: np.ndarray
    scores: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    further: Mapping[str, np.ndarray] = field(default_factory=dict)

    def take(self, rows: np.ndarray) -> Answers:
        """The answers of some rows (indices or truth values)."""
        return Answers(
            self.decisions[rows],
            None if self.scores is None else self.scores[rows],
            None if self.probabilities is None else self.probabilities[rows],
            {name: values[rows] for name, values in self.further.items()},
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Facts:
    """What is known of a version beside its tables; what is absent is empty or None.

    `inputs` are the tables' columns that the model takes, `pictures` those of them that hold JPEG or PNG as base64;
    `classes` the class names in the order of the probability
    columns; `known_at` says for a column which time column tells when it was known; `group` is the column of the subject;
    `costs`: truth -> decision -> cost. `failures` says why answers are lacking, by split, `live` or `previous`; `samples` which
    tables are samples of larger ones, in words with their error, and `whole` how many rows those have in all. `beyond`: further
    ways to ask that are open. `further`: names of outputs beside prediction and probability.
    `learns`: whether its own algorithm can be trained again. `load`: what was measured behind a gateway at rising rates, slowest
    first. `looks`: how many versions of the model, this one among them, were judged on these very rows; 0 where nobody counts.
    `quantile`: which one of the labels the answered numbers are; None: their mean or median.
    """

    task: Task
    inputs: tuple[str, ...]
    pictures: tuple[str, ...] = ()
    name: str = "this version"
    live_name: str | None = None
    failures: Mapping[str, str] = field(default_factory=dict)
    samples: Mapping[str, str] = field(default_factory=dict)
    whole: Mapping[str, int] = field(default_factory=dict)
    target: str | None = None
    time: str | None = None
    key: str | None = None
    group: str | None = None
    classes: tuple[str, ...] | None = None
    positive: str | None = None
    protected: tuple[str, ...] = ()
    slices: tuple[str, ...] = ()
    known_at: Mapping[str, str] = field(default_factory=dict)
    goal: Goal = field(default_factory=Goal)
    assumptions: Assumptions = field(default_factory=Assumptions)
    scenarios: Mapping[str, Scenario] = field(default_factory=dict)
    costs: Mapping[str, Mapping[str, float | str]] = field(default_factory=dict)
    ranking: Ranking | None = None
    quantile: float | None = None
    metrics: Mapping[str, OwnMetric] = field(default_factory=dict)
    compiled: bool = False
    learns: bool = False
    beyond: tuple[Asked, ...] = ()
    further: tuple[str, ...] = ()
    load: tuple[LoadStep, ...] = ()
    looks: int = 0
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seed: int = 0

    @property
    def classifies(self) -> bool:
        """Whether the answers are classes."""
        return self.task is Task.CLASSIFICATION


@dataclass(frozen=True, eq=False, kw_only=True)
class Previous:
    """The version that was validated before: its tables, its answers on *today's* judged table, what its checks kept."""

    name: str
    frames: Mapping[Split, pl.DataFrame] = field(default_factory=dict)
    answers: Mapping[Split, Answers] = field(default_factory=dict)
    kept: Mapping[str, Any] = field(default_factory=dict)


Ask = Callable[[pl.DataFrame, Asked, int], Answers]
AskMetric = Callable[[str, dict[str, np.ndarray], int, np.ndarray | None], np.ndarray]
Keep = Callable[[str, Any], None]
Tell = Callable[[int, int, str], None]


def _forget(_name: str, _value: Any) -> None:
    """Nothing is kept where no validation is recorded."""


def _quiet(_done: int, _of: int, _what: str) -> None:
    """Nobody watches."""


def chance(seed: int, purpose: str) -> np.random.Generator:
    """Chance for one purpose of one validation."""
    return np.random.default_rng([seed, crc32(purpose.encode())])


@dataclass(frozen=True, eq=False, kw_only=True)
class Evidence(Facts):
    """Everything about one version that checks look at.

    Answers on training rows may be of a sample of them: `answered` holds the sample's row numbers then. `history` is the
    recorded past of the model, a row a prediction with its label: inputs, `at_us`, `version`, `score`, `decision`, `label`.
    """

    frames: Mapping[Split, pl.DataFrame]
    answers: Mapping[Split, Answers] = field(default_factory=dict)
    answered: Mapping[Split, np.ndarray] = field(default_factory=dict)
    live: Mapping[Split, Answers] = field(default_factory=dict)
    previous: Previous | None = None
    history: pl.DataFrame | None = None
    ask: Ask | None = None
    ask_metric: AskMetric | None = None
    keep: Keep = _forget
    tell: Tell = _quiet

    def predict(
        self, frame: pl.DataFrame, of: Asked = Asked.VERSION, *, chunk_rows: int = CHUNK_ROWS
    ) -> Answers:
        """A model's answers to any rows: columns as in the tables, further ones are passed over.

        The same rows are answered once for all checks. `chunk_rows`: rows a call. Raises Conflict where no model can be
        asked or the check's budget of rows is spent, InvalidInput when the table does not fit, PredictionFailed.
        """
        if self.ask is None:
            raise Conflict(
                "there is no model to ask here", fix="give the evidence a way to ask: Evidence(ask=...)"
            )
        return self.ask(frame, of, chunk_rows)

    def relearned(self, learn: pl.DataFrame, labels: np.ndarray, judge: pl.DataFrame) -> Answers:
        """Answers to the rows `judge` of the version's own algorithm, untrained and then trained on the rows `learn`.

        `labels` (n,): class names as text, or floats; none is missing. Raises as `predict`; Conflict where it cannot learn.
        """
        taught = learn.with_columns(pl.Series(LABEL, labels.tolist(), strict=False))
        asked = judge.with_columns(pl.lit(None, dtype=taught[LABEL].dtype).alias(LABEL))
        names = [*(name for name in self.inputs if name in learn.columns and name in judge.columns), LABEL]
        return self.predict(
            pl.concat([taught.select(names), asked.select(names)], how="vertical_relaxed"), Asked.RELEARNED
        )

    def own_metric(
        self, name: str, columns: dict[str, np.ndarray], times: int = 0, clusters: np.ndarray | None = None
    ) -> np.ndarray:
        """A metric of the project's own on n rows, followed by that on at most `times` sets of redrawn rows.

        `clusters` (n,): numbers of subjects, which are redrawn whole. The same rows are redrawn the same way, so figures of two
        versions can be compared draw by draw. Raises Conflict where there is none to ask, PredictionFailed.
        """
        if self.ask_metric is None or name not in self.metrics:
            raise Conflict(
                f"the metric '{name}' cannot be asked here", allowed=", ".join(self.metrics) or "none"
            )
        return self.ask_metric(name, columns, times, clusters)

    def random(self, purpose: str) -> np.random.Generator:
        """Chance that repeats: the same seed and purpose give the same draws, whatever ran before."""
        return chance(self.seed, purpose)

    def facts(self) -> Facts:
        """All of it but the tables, answers and ways to ask."""
        return Facts(**{each.name: getattr(self, each.name) for each in fields(Facts)})

    def judged_split(self) -> Split | None:
        """The table that answers are judged on: test, else validation; never the training data."""
        return next((split for split in (Split.TEST, Split.VALIDATION) if split in self.frames), None)

    def seen_split(self) -> Split | None:
        """The table that columns are looked at in: training data, else whatever is there."""
        return next((split for split in Split if split in self.frames), None)

    def truth(self, split: Split) -> np.ndarray | None:
        """The labels of a table, shape (n,): class names as text (None: missing) or floats (NaN: missing)."""
        frame = self.frames.get(split)
        if frame is None or self.target is None or self.target not in frame.columns:
            return None
        if self.classifies:
            return class_names(frame[self.target])
        return numbers_of(frame[self.target])

    def answered_truth(self, split: Split) -> np.ndarray | None:
        """The labels of the rows that were answered: of training rows perhaps a sample."""
        truth, rows = self.truth(split), self.answered.get(split)
        return truth if truth is None or rows is None else truth[rows]
