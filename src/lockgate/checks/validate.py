"""A version's validation: ask it and the live version the same rows, run the suite, say what blocks.

Loading and closing models is the caller's; nothing is recorded here (see `store`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

import numpy as np
import polars as pl

from lockgate.blobs import Blobs
from lockgate.checks.base import Need, could_not_run
from lockgate.checks.evidence import Answers, Evidence, Split, class_names
from lockgate.checks.finding import Finding, block, worst_first
from lockgate.checks.suite import Planned, checks_of, plan_suite, refuse_settings, run_suite
from lockgate.config import ModelConfig
from lockgate.datasets.columns import columns_from, numeric_columns
from lockgate.datasets.dataset import load_dataset
from lockgate.errors import InvalidInput, LockgateError, PredictionFailed
from lockgate.inference.executor import Executor
from lockgate.inference.score import decisions, scores
from lockgate.inference.validate import check_inputs, check_outputs
from lockgate.predictions.record import Columns
from lockgate.registry.manifest import Manifest, Task

Progress = Callable[[str, int, int], None]  # what is done now, done, in all
CHUNK_ROWS = 4_096
CHUNK_DEADLINE_S = 120.0
TRAIN_ROWS = 20_000  # answers on training rows are only compared by their spread
_SEED = 0


def load_frames(blobs: Blobs, data: Mapping[str, str]) -> dict[Split, pl.DataFrame]:
    """The stored tables of a version (split -> digest). Raises InvalidInput for an unknown split."""
    unknown = [name for name in data if name not in set(Split)]
    if unknown:
        raise InvalidInput(
            "there is no such part of the data", got=", ".join(unknown), allowed=", ".join(Split)
        )
    return {Split(name): load_dataset(blobs, digest) for name, digest in data.items()}


def plan(
    manifest: Manifest, frames: Mapping[Split, pl.DataFrame], settings: ModelConfig, suite: str
) -> list[Planned]:
    """What will run and what cannot, before any row is answered. Raises InvalidInput for wrong settings."""
    refuse_settings(settings.checks)
    evidence = _evidence(manifest, frames, settings)
    return [Planned(each.check, each.question, tuple(need for need in each.lacks if need is not Need.ANSWERS))
            for each in plan_suite(evidence, checks_of(suite))]  # fmt: skip


def validate(
    executor: Executor,
    frames: Mapping[Split, pl.DataFrame],
    settings: ModelConfig,
    *,
    suite: str,
    required: Iterable[str] = (),
    live: Executor | None = None,
    live_name: str | None = None,
    progress: Progress | None = None,
) -> list[Finding]:
    """The findings of a suite about a version, worst first, `blocking` set by the checks that the policy requires.

    `suite`: a tier or `quick`. `live`: the live version, asked the same rows. A version that cannot answer leaves the
    checks that need answers "could not run" with the reason. Raises InvalidInput for wrong settings, before anything.
    """
    names = checks_of(suite)
    refuse_settings(settings.checks)
    tell = progress or _silent
    evidence = gather(executor, frames, settings, live=live, live_name=live_name, progress=tell)
    findings = run_suite(
        evidence, names, lambda done, of, name: tell(f"check {name}" if name else "done", done, of)
    )
    if "live" in evidence.failures:
        findings.append(could_not_run(
            "prediction_shift", f"against {live_name or 'live'}",
            f"The live version did not answer these rows: {evidence.failures['live']}.",
            "Give a test table that holds the columns of both versions.",
        ))  # fmt: skip
    return worst_first(block(findings, required))


def gather(
    executor: Executor,
    frames: Mapping[Split, pl.DataFrame],
    settings: ModelConfig,
    *,
    live: Executor | None = None,
    live_name: str | None = None,
    progress: Progress | None = None,
) -> Evidence:
    """Evidence about a version: its answers on every table (training: a sample), the live version's on the judged one."""
    tell = progress or _silent
    base = _evidence(executor.manifest, frames, settings)
    leave_out = _no_inputs(settings)
    answers: dict[Split, Answers] = {}
    failures: dict[str, str] = {}
    for split, frame in frames.items():
        rows = _sample(frame) if split is Split.TRAIN else frame
        try:
            answers[split] = answer_rows(
                executor, rows, leave_out, _telling(tell, f"answers on {split} rows")
            )
        except LockgateError as error:
            failures[split] = error.sentence()
    judged = base.judged_split()
    beside: dict[Split, Answers] = {}
    if live is not None and judged is not None:
        try:
            beside[judged] = answer_rows(
                live, frames[judged], leave_out, _telling(tell, "answers of the live version")
            )
        except LockgateError as error:
            failures["live"] = error.sentence()
    return _evidence(executor.manifest, frames, settings, answers=answers, live=beside, failures=failures,
                     live_name=live_name if live is not None else None)  # fmt: skip


def answer_rows(
    executor: Executor,
    frame: pl.DataFrame,
    leave_out: Collection[str],
    progress: Callable[[int, int], None] | None = None,
) -> Answers:
    """A version's answers to every row of a table, asked in chunks.

    Raises InvalidInput when the table does not fit the signature, PredictionFailed when the model raises or gives what its
    signature does not allow, TimedOut and Unavailable as the executor does.
    """
    manifest = executor.manifest
    columns = columns_from(frame, manifest.signature, leave_out=leave_out)
    check_inputs(manifest.signature, columns)
    parts: list[Columns] = []
    for start in range(0, frame.height, CHUNK_ROWS):
        chunk = {name: array[start : start + CHUNK_ROWS] for name, array in columns.items()}
        rows = min(CHUNK_ROWS, frame.height - start)
        outputs = executor.predict(chunk, deadline_s=CHUNK_DEADLINE_S)
        reason = check_outputs(manifest.signature, outputs, rows, manifest.answer)
        if reason is not None:
            raise PredictionFailed(
                f"an answer breaks the signature: {reason}", got=f"rows {start + 1} to {start + rows}"
            )
        parts.append(outputs)
        if progress is not None:
            progress(start + rows, frame.height)
    return _answers({name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, manifest)


def _answers(outputs: Columns, manifest: Manifest) -> Answers:
    decided = decisions(outputs, manifest)
    if manifest.task is not Task.CLASSIFICATION:
        made = np.asarray(decided, dtype=float)
        return Answers(made, made)
    given = outputs.get(manifest.answer.probability or "")
    # text classes without probabilities have no score
    score = scores(outputs, manifest) if given is not None else None
    wide = given is not None and given.ndim == 2 and given.shape[1] > 1
    return Answers(class_names(decided), score, np.asarray(given, dtype=float) if wide else None)


def _evidence(
    manifest: Manifest,
    frames: Mapping[Split, pl.DataFrame],
    settings: ModelConfig,
    *,
    answers: Mapping[Split, Answers] | None = None,
    live: Mapping[Split, Answers] | None = None,
    failures: Mapping[str, str] | None = None,
    live_name: str | None = None,
) -> Evidence:
    classes = manifest.answer.classes
    names = tuple(str(name) for name in class_names(np.array(classes, dtype=object))) if classes else None
    positive = manifest.answer.positive
    if positive is None and classes and len(classes) == 2:
        positive = classes[1]
    return Evidence(
        task=manifest.task, inputs=_inputs(manifest, frames, settings), frames=dict(frames),
        answers=answers or {}, live=live or {}, live_name=live_name, failures=failures or {},
        target=settings.target, time=settings.time, key=settings.key, classes=names,
        positive=None if positive is None else str(class_names(np.array([positive], dtype=object))[0]),
        protected=settings.protected, slices=settings.slices, known_at=settings.known_at, goal=settings.goal,
        settings=settings.checks,
    )  # fmt: skip


def _inputs(
    manifest: Manifest, frames: Mapping[Split, pl.DataFrame], settings: ModelConfig
) -> tuple[str, ...]:
    """The tables' columns that the model takes: its fields, or all numeric columns for one vector."""
    fields = manifest.signature.inputs
    first = next(iter(frames.values()), None)
    if first is not None and len(fields) == 1 and fields[0].shape and fields[0].name not in first.columns:
        return tuple(numeric_columns(first, _no_inputs(settings)))
    return tuple(field.name for field in fields)


def _no_inputs(settings: ModelConfig) -> set[str]:
    """Columns of a table that are never inputs."""
    named = (settings.target, settings.time, settings.key, *settings.known_at.values())
    return {name for name in named if name is not None}


def _sample(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sample(TRAIN_ROWS, seed=_SEED) if frame.height > TRAIN_ROWS else frame


def _telling(tell: Progress, what: str) -> Callable[[int, int], None]:
    return lambda done, of: tell(what, done, of)


def _silent(_what: str, _done: int, _of: int) -> None:
    """Nobody watches."""
