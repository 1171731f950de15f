"""One loaded package in this worker: its executor, its decoder and its queue; and how a package becomes one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lockgate.blobs import Blobs
from lockgate.errors import LockgateError, PredictionFailed
from lockgate.gateway.batcher import Batcher
from lockgate.gateway.cost import Cost, measure
from lockgate.gateway.decode import Decoder
from lockgate.inference.executor import Executor, ExecutorKind
from lockgate.predictions.record import Columns
from lockgate.registry.example import Example, difference, read_example
from lockgate.registry.package import blob_name
from lockgate.traffic import Arm

GOLDEN_TOLERANCE = (
    1e-5  # absolute and relative: another processor may round the last digits of float32 differently
)
UNKNOWN_COST = Cost(100e-6, 2e-6)  # a package without an example
Opener = Callable[[Path, Arm], Executor]


@dataclass(frozen=True)
class Prepared:
    """A package that was fetched, checked, loaded, compared with its golden answers and warmed."""

    executor: Executor
    decoder: Decoder
    cost: Cost
    load_ms: float
    memory_mb: float


@dataclass(frozen=True)
class Engine:
    """A prepared package with its queue in the event loop."""

    prepared: Prepared
    batcher: Batcher

    @property
    def decoder(self) -> Decoder:
        """Turns what was sent into this version's rows."""
        return self.prepared.decoder

    @property
    def prediction(self) -> str:
        """The output that is the prediction itself."""
        return self.prepared.executor.manifest.answer.prediction


def prepare(arm: Arm, blobs: Blobs, cache: Path, open_package: Opener) -> Prepared:
    """Load one arm's package; blocking, minutes when its environment must be built first.

    Raises NotFound, SealBroken, Unavailable, MissingExtra, and PredictionFailed when the answers are not those that were
    recorded when the version was submitted.
    """
    start, before = time.monotonic(), rss_bytes()
    folder = blobs.fetch_tree(blob_name(arm.digest), cache)
    executor = open_package(folder, arm)
    try:
        example = read_example(folder)
        if example is not None:
            _compare(executor, example)
        cost = _cost(executor, example)
    except BaseException:
        executor.close()
        raise
    grown = rss_bytes() - before
    memory = executor.status().memory_bytes if executor.kind is ExecutorKind.ISOLATED else max(grown, 0)
    return Prepared(
        executor, Decoder(executor.manifest.signature), cost, (time.monotonic() - start) * 1000, memory / 1e6
    )


def rss_bytes() -> int:
    """The memory of this process that is in use now."""
    # as bytes: opening text makes names that the interpreter's cache of attributes holds on to, thousands of them
    return int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _compare(executor: Executor, example: Example) -> None:
    compiled = executor.kind is ExecutorKind.COMPILED and example.compiled is not None
    golden = example.compiled if compiled and example.compiled is not None else example.golden
    try:
        answered = executor.predict(example.inputs)
    except LockgateError as error:
        raise PredictionFailed("the version does not answer its own example", got=error.sentence()) from error
    reason = difference(golden, answered, GOLDEN_TOLERANCE)
    if reason:
        raise PredictionFailed(
            "the version does not answer its example as it did when it was submitted",
            got=reason,
            fix="submit it again from the environment that it will run in",
        )


def _cost(executor: Executor, example: Example | None) -> Cost:
    """What a compiled model costs; calling it also warms it. An isolated one never runs on the loop, so one call is enough."""
    if example is None or not example.inputs or executor.kind is ExecutorKind.ISOLATED:
        return UNKNOWN_COST
    return measure(lambda rows: executor.predict(_resized(example.inputs, rows)))


def _resized(columns: Columns, rows: int) -> Columns:
    return {name: np.resize(array, (rows, *array.shape[1:])) for name, array in columns.items()}
