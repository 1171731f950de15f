"""How often performance watchers cry wolf, and how soon they see what is there: simulated streams of labelled windows.

    python -m benchmarks.monitor.alarms [--runs 200] [--windows 40]

Each run draws a validation of 2,000, 5,000 or 20,000 rows, then windows of 300 to 3,000 labelled rows, and hands them to the
functions that the watcher calls: calibration, figures, residuals, verdict. Nothing moves, or one thing does half-way.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from lockgate.clock import DAY_US
from lockgate.datasets.sketched import sketch_column
from lockgate.monitor.performance_figures import figures_of
from lockgate.monitor.performance_making import About
from lockgate.monitor.performance_rows import Recipe
from lockgate.monitor.performance_target import target_in
from lockgate.monitor.performance_verdict import judged
from lockgate.monitor.performance_windows import Window, labelled_of, window_of
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.signature import DataType, Field, Signature
from lockgate.stats.expected import calibration_of

INPUTS = 8
VALIDATIONS, SIZES = (2_000, 5_000, 20_000), (300, 3_000)
RECIPE = Recipe(numbers={f"x{place}": tuple(np.linspace(-1.3, 1.3, 9)) for place in range(INPUTS)})
CLASSES = ("bike", "bus", "car", "walk")


@dataclass(frozen=True)
class Moved:
    """What is otherwise than before: `target` shifts who comes, so that labels move and their meaning does not; `concept` is what
    becomes of equal rows: by how much a rate falls, or a third of by how many standard deviations labels lie off."""

    target: float = 0.0
    concept: float = 0.0


def binary(draw: np.random.Generator, rows: int, moved: Moved) -> pl.DataFrame:
    """A score that is a true probability, and a yes with it."""
    inputs, odds = _inputs(draw, rows, moved)
    score = 1 / (1 + np.exp(-(odds - 1.2)))
    came = draw.random(rows) < (score + moved.concept).clip(0, 1)
    return _frame(
        inputs, decision=np.where(score > 0.5, "1", "0"), score=score, label=came.astype(int).astype(str)
    )


def multiclass(draw: np.random.Generator, rows: int, moved: Moved) -> pl.DataFrame:
    """Four classes; the score is the probability of the likeliest."""
    inputs, odds = _inputs(draw, rows, moved)
    logits = np.column_stack([odds, -odds, 0.8 * inputs[:, 2], np.full(rows, -0.5)])
    chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (chance.cumsum(axis=1) > draw.random((rows, 1))).argmax(axis=1)
    decided = chance.argmax(axis=1)
    changed = (truth == decided) & (
        draw.random(rows) < -moved.concept / max(float((truth == decided).mean()), 0.1)
    )
    truth = np.where(changed, (decided + 1 + draw.integers(0, 3, rows)) % 4, truth)
    names = np.array(CLASSES)
    return _frame(inputs, decision=names[decided], score=chance.max(axis=1), label=names[truth])


def regression(draw: np.random.Generator, rows: int, moved: Moved) -> pl.DataFrame:
    """A number with errors whose spread grows with it and whose tails are heavy."""
    inputs, odds = _inputs(draw, rows, moved)
    said = 100 + 20 * odds
    error = draw.standard_t(5, rows) * (5 + 2 * np.abs(odds))
    return _frame(inputs, number=said, label=said + error - 3 * moved.concept * SPREAD)


SUBJECTS = ("worse", "concept", "labels moved")
SPREAD = 8.9  # standard deviation of the regression's errors
EVERY = 4  # windows between two looks
CHANGES = {
    "other rows come, meaning the same": Moved(target=0.3),
    "meaning moves by 3 points, or 0.1 deviations": Moved(concept=-0.03),
    "meaning moves by 8 points, or 0.25": Moved(concept=-0.08),
}
Kind = Callable[[np.random.Generator, int, Moved], pl.DataFrame]
KINDS: dict[str, Kind] = {"two classes": binary, "four classes": multiclass, "regression": regression}


@dataclass(frozen=True)
class Told:
    """One stream: by subject the look at which it was first said, in windows after the change (0: before it)."""

    said: dict[str, int]
    before: frozenset[str]


def run(kind: str, seed: int, windows: int, after: Moved | None = None) -> Told:
    """One stream, looked at every few windows; from half-way on it is `after`, if anything."""
    draw = np.random.default_rng(seed)
    make, manifest = KINDS[kind], manifest_of(kind)
    size = int(draw.integers(*SIZES))
    about = about_of(manifest, make(draw, int(draw.choice(VALIDATIONS)), Moved()))
    labels = target_in(about.labels) if about.labels is not None else None
    made: list[Window] = []
    said: dict[str, int] = {}
    before: set[str] = set()
    for number in range(windows):
        moved = after if after is not None and number >= windows // 2 else Moved()
        times = pl.int_range(size) + number * DAY_US
        rows = make(draw, size, moved).with_columns(at_us=times, label_at_us=times)
        made.append(window_of(rows, (1, number), manifest, {}, known=about.calibration, labels=about.labels))
        if number % EVERY != EVERY - 1:
            continue
        found = judged(("sim", 1), made, promised=about.promised, metric=None, recipe=RECIPE, labels=labels)
        subjects = {each.subject.split(":")[0] for each in found.notices}
        if after is None or number < windows // 2:
            before |= subjects
        for subject in subjects - before - said.keys():
            said[subject] = number + 1 - windows // 2
    return Told(said, frozenset(before))


def false_alarms(runs: int, windows: int) -> Iterator[str]:
    """Streams in which nothing moves: how many of them were ever said to, by subject."""
    yield f"nothing moves, {runs} streams of {windows} windows each: streams with any notice"
    for kind in KINDS:
        told = [run(kind, seed, windows) for seed in range(runs)]
        counts = {subject: sum(subject in each.before for each in told) for subject in SUBJECTS}
        ever = sum(bool(each.before) for each in told)
        yield f"  {kind:<12} {ever:>4} of {runs}  ({', '.join(f'{name} {count}' for name, count in counts.items())})"


def power(runs: int, windows: int) -> Iterator[str]:
    """Streams in which one thing moves half-way: how many were told so, and after how many windows (median)."""
    yield f"one thing moves half-way, {runs} streams of {windows} windows: share told, after how many windows (median)"
    for name, moved in CHANGES.items():
        for kind in KINDS:
            told = [run(kind, 10_000 + seed, windows, moved) for seed in range(runs)]
            parts = []
            for subject in SUBJECTS:
                after = [each.said[subject] for each in told if subject in each.said]
                late = f" after {int(np.median(after))}" if after else ""
                parts.append(f"{subject} {len(after) / runs:.0%}{late}")
            yield f"  {name:<46} {kind:<12} {'; '.join(parts)}"


def main() -> None:
    """Both, as text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--windows", type=int, default=40)
    asked = parser.parse_args()
    began = time.process_time()
    for line in false_alarms(asked.runs, asked.windows):
        print(line, flush=True)
    for line in power(max(asked.runs // 10, 1), asked.windows):
        print(line, flush=True)
    print(f"({time.process_time() - began:.0f} s of processor time)")


def about_of(manifest: Manifest, validation: pl.DataFrame) -> About:
    """What a validation on these rows leaves."""
    labelled = labelled_of(validation, manifest)
    calibration = None
    if manifest.task is Task.CLASSIFICATION:
        came = labelled.truth if labelled.truth.dtype == bool else labelled.truth == labelled.decided
        calibration = calibration_of(validation["score"].to_numpy(), came)
    return About(manifest, calibration, figures_of(labelled), labels=sketch_column(validation["label"]))


def manifest_of(kind: str) -> Manifest:
    """A manifest of a model that nobody opens."""
    outputs = (Field(name="y", datatype=DataType.FP64), Field(name="p", datatype=DataType.FP64))
    answers = {
        "two classes": Answer(prediction="y", probability="p", classes=("0", "1"), positive="1"),
        "four classes": Answer(prediction="y", probability="p", classes=CLASSES),
        "regression": Answer(prediction="y"),
    }
    task = Task.REGRESSION if kind == "regression" else Task.CLASSIFICATION
    return Manifest(
        framework=Framework.ONNX, task=task, signature=Signature(inputs=(), outputs=outputs), answer=answers[kind],
        model_path="model/model.onnx", compiled=Compiled(), python="3.11",
    )  # fmt: skip


def _inputs(draw: np.random.Generator, rows: int, moved: Moved) -> tuple[np.ndarray, np.ndarray]:
    inputs = draw.normal(size=(rows, INPUTS))
    inputs[:, 0] += moved.target
    return inputs, inputs[:, 0] + 0.7 * inputs[:, 1]


def _frame(inputs: np.ndarray, **columns: np.ndarray) -> pl.DataFrame:
    codes = {
        f"c.x{place}": (np.searchsorted(RECIPE.numbers[f"x{place}"], inputs[:, place]) + 1).astype(np.uint8)
        for place in range(INPUTS)
    }
    return pl.DataFrame({"version": np.ones(len(inputs), dtype=np.int64), **columns, **codes})


if __name__ == "__main__":
    main()
