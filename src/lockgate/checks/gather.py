"""Evidence about a version: its answers on every table, the live version's and the previous one's on the judged table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from lockgate.checks.asking import answer_rows
from lockgate.checks.base import sample_said, sampled
from lockgate.checks.evidence import Answers, Evidence, Previous, Split
from lockgate.checks.learner import can_learn
from lockgate.checks.loading import MOST_ROWS
from lockgate.config import ModelConfig
from lockgate.datasets.classes import class_name, class_names
from lockgate.datasets.columns import numeric_columns
from lockgate.errors import InvalidInput, LockgateError
from lockgate.inference.executor import Executor
from lockgate.registry.manifest import Manifest, Task
from lockgate.registry.signature import IMAGE

Progress = Callable[[str, int, int], None]  # what is done now, done, in all
TRAIN_ROWS = 20_000  # answers on training rows are compared, not judged one by one


@dataclass(frozen=True, eq=False)
class Earlier:
    """The version that was validated before, open or not: its tables and what its checks kept."""

    name: str
    executor: Executor | None = None
    frames: Mapping[Split, pl.DataFrame] = field(default_factory=dict)
    kept: Mapping[str, Any] = field(default_factory=dict)


def gather(
    executor: Executor,
    frames: Mapping[Split, pl.DataFrame],
    settings: ModelConfig,
    *,
    whole: Mapping[str, int] | None = None,
    live: Executor | None = None,
    live_name: str | None = None,
    previous: Earlier | None = None,
    history: pl.DataFrame | None = None,
    progress: Progress | None = None,
) -> Evidence:
    """Ask the version, the live one and the previous one; who cannot answer is in `failures` with the reason.

    `whole`: rows of the stored tables that these are samples of (`loading.load_tables`). Larger tables than that loads are
    sampled first, and the sample is what the checks see.
    """
    base = _smaller(evidence_of(executor.manifest, frames, settings, history=history), whole or {})
    asking = _Asking(no_inputs(settings, executor.manifest, frames), progress or _silent, {})
    answers, answered = _answers(base, executor, asking)
    judged = base.judged_split()
    rows = base.frames[judged] if judged else None
    beside = (
        asking.ask(live, rows, "answers of the live version", "live") if live and rows is not None else None
    )
    return replace(
        base, answers=answers, answered=answered, failures=asking.failures,
        live={judged: beside} if judged and beside else {}, live_name=live_name if live is not None else None,
        previous=_previous(previous, judged, rows, asking) if previous else None,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Asking:
    """How models are asked; `failures`: why those that could not answer did not."""

    leave_out: frozenset[str]
    tell: Progress
    failures: dict[str, str]

    def ask(self, model: Executor, rows: pl.DataFrame, what: str, failure: str) -> Answers | None:
        """A model's answers; None where it has none, and `failures[failure]` says why."""
        try:
            made = answer_rows(model, rows, self.leave_out, lambda done, of: self.tell(what, done, of))
            return replace(made, further={})  # judged by nobody, and as wide as the model likes
        except LockgateError as error:
            self.failures[failure] = error.sentence()
            return None


def _answers(
    base: Evidence, executor: Executor, asking: _Asking
) -> tuple[dict[Split, Answers], dict[Split, np.ndarray]]:
    """The version's answers on every table, and the rows that were asked where those are a sample."""
    answers: dict[Split, Answers] = {}
    answered: dict[Split, np.ndarray] = {}
    for split, frame in base.frames.items():
        most = TRAIN_ROWS if split is Split.TRAIN else MOST_ROWS
        drawn = sampled(base, f"answers on {split}", frame.height, most)
        rows = frame[drawn.rows] if drawn.said else frame
        made = asking.ask(executor, rows, f"answers on {split} rows", split)
        if made is not None:
            answers[split] = made
            answered |= {split: drawn.rows} if drawn.said else {}
    return answers, answered


def evidence_of(
    manifest: Manifest,
    frames: Mapping[Split, pl.DataFrame],
    settings: ModelConfig,
    *,
    history: pl.DataFrame | None = None,
) -> Evidence:
    """What is known before any model is asked. Raises InvalidInput for settings that do not suit the model's task."""
    if settings.quantile is not None and (
        manifest.task is not Task.REGRESSION or settings.ranking is not None
    ):
        raise InvalidInput(
            "quantile: only a model that answers numbers has one", got=f"task {manifest.task}", allowed="task: regression",
            fix="take `quantile` out of lockgate.yaml",
        )  # fmt: skip
    classes = manifest.answer.classes
    names = tuple(str(name) for name in class_names(np.array(classes, dtype=object))) if classes else None
    positive = manifest.answer.positive
    if positive is None and classes and len(classes) == 2:
        positive = classes[1]
    return Evidence(
        task=manifest.task, inputs=_inputs(manifest, frames, settings),
        pictures=tuple(field.name for field in manifest.signature.inputs if field.media == IMAGE),
        frames=dict(frames), history=history,
        target=settings.target, time=settings.time, key=settings.key, group=settings.group, ranking=settings.ranking,
        quantile=settings.quantile,
        classes=names,
        positive=None if positive is None else class_name(positive),
        protected=settings.protected, slices=settings.slices, known_at=settings.known_at, goal=settings.goal,
        assumptions=settings.assumptions, scenarios=settings.scenarios, costs=_named(settings.costs), metrics=settings.metrics,
        compiled=manifest.compiled.path is not None, learns=can_learn(manifest), further=_further(manifest),
        settings=settings.checks, seed=settings.seed,
    )  # fmt: skip


def _named(costs: Mapping[str, Mapping[str, float | str]]) -> dict[str, dict[str, float | str]]:
    """Costs by the names that classes have here."""
    return {
        class_name(came): {class_name(said): cost for said, cost in row.items()}
        for came, row in costs.items()
    }


def _further(manifest: Manifest) -> tuple[str, ...]:
    known = (manifest.answer.prediction, manifest.answer.probability)
    return tuple(field.name for field in manifest.signature.outputs if field.name not in known)


def no_inputs(
    settings: ModelConfig, manifest: Manifest, frames: Mapping[Split, pl.DataFrame]
) -> frozenset[str]:
    """Columns of a table that are no inputs, for models that take "all numbers" as one vector.

    Target, time, key and times of knowing never are. Protected columns, slices and the subject may be: they are left out
    where the vector is as wide as the table without them.
    """
    named = (settings.target, settings.time, settings.key, *settings.known_at.values())
    never = frozenset(name for name in named if name is not None)
    frame, fields = next(iter(frames.values()), None), manifest.signature.inputs
    if frame is None or len(fields) != 1 or len(fields[0].shape) != 1 or fields[0].name in frame.columns:
        return never
    query = settings.ranking.query if settings.ranking else None
    doubtful = (*settings.protected, *settings.slices, settings.group, query)
    perhaps = never | {name for name in doubtful if name is not None}
    width = fields[0].shape[0]
    fits = len(numeric_columns(frame, never)) != width and len(numeric_columns(frame, perhaps)) == width
    return perhaps if fits else never


def _inputs(
    manifest: Manifest, frames: Mapping[Split, pl.DataFrame], settings: ModelConfig
) -> tuple[str, ...]:
    """The tables' columns that the model takes: its fields, or all numeric columns for one vector."""
    fields = manifest.signature.inputs
    first = next(iter(frames.values()), None)
    if first is not None and len(fields) == 1 and fields[0].shape and fields[0].name not in first.columns:
        return tuple(numeric_columns(first, no_inputs(settings, manifest, frames)))
    return tuple(field.name for field in fields)


def _smaller(base: Evidence, whole: Mapping[str, int]) -> Evidence:
    """Tables of at most MOST_ROWS rows, and what is said of those that are samples."""
    frames, rows = dict(base.frames), dict(whole)
    for split, frame in base.frames.items():
        drawn = sampled(base, f"rows of {split}", frame.height, MOST_ROWS)
        if drawn.said:
            frames[split], rows[split] = frame[drawn.rows], frame.height
    samples = {name: sample_said(count, frames[Split(name)].height) for name, count in rows.items()}
    return replace(base, frames=frames, samples=samples, whole=rows)


def _previous(earlier: Earlier, judged: Split | None, rows: pl.DataFrame | None, asking: _Asking) -> Previous:
    made = None
    if earlier.executor is not None and rows is not None:
        made = asking.ask(earlier.executor, rows, "answers of the previous version", "previous")
    return Previous(name=earlier.name, frames=earlier.frames, kept=earlier.kept,
                    answers={judged: made} if judged and made else {})  # fmt: skip


def _silent(_what: str, _done: int, _of: int) -> None:
    """Nobody watches."""
