"""Part of the back-test: the rows whose time and label are known, with every model's answers, window by window."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
import polars as pl

from lockgate.checks.back_test.reference import Reference, reference
from lockgate.checks.back_test.windows import cut
from lockgate.checks.base import sampled
from lockgate.checks.evidence import Asked, Evidence, Split
from lockgate.checks.judged import Judged, classes_of, judge
from lockgate.checks.matrix import ranked_matrix
from lockgate.checks.metrics import Metric, interval_of, metrics_for
from lockgate.checks.values import times_of
from lockgate.stats.clusters import mean_by
from lockgate.stats.intervals import Interval

MOST_ROWS = 40_000
RETRAINED = "retrained"


@dataclass(frozen=True, eq=False)
class Past:
    """n labelled rows, oldest first. `window`: their window (n,); `seen`: whether the version learned them (n,).

    `retrained` is None where nothing could be learned; its answers count only where `known` (n,) is true.
    """

    rows: str
    said: str
    names: tuple[str, ...]
    window: np.ndarray
    seen: np.ndarray
    metric: Metric
    version: Judged
    live: Judged | None
    retrained: Judged | None
    known: np.ndarray
    matrix: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...] | None
    reference: Reference


@dataclass(frozen=True)
class Window:
    """What was seen in one window. `bias`: answers minus labels, where answers are numbers or probabilities."""

    name: str
    rows: int
    seen: bool
    version: Interval
    spread: float
    bias: Interval | None
    live: float | None
    retrained: float | None


def past_of(
    evidence: Evidence, frame: pl.DataFrame, times: pl.Series, seen: np.ndarray, *, rows: str, unit: str
) -> Past | None:
    """Ask and retrain over a table with labels. None where no row has a time and a label."""
    labelled = frame[str(evidence.target)].is_not_null().to_numpy() & np.isfinite(times_of(times))
    if not labelled.any():
        return None
    places = np.flatnonzero(labelled)
    drawn = sampled(evidence, f"back-test of {rows}", places.size, MOST_ROWS)
    places = places[drawn.rows]
    places = places[np.argsort(times_of(times)[places], kind="stable")]
    kept, pieces = frame[places], cut(times[places], unit)
    whole = replace(evidence, frames={Split.TEST: kept})
    truth = whole.truth(Split.TEST)
    if truth is None or (not evidence.classifies and not np.isfinite(truth).any()):
        return None
    version = judge(whole, Split.TEST, evidence.predict(kept))
    # one that did not answer its rows is named by the validation, and takes nothing of this version's along
    asks = evidence.live_name is not None and "live" not in evidence.failures
    live = judge(whole, Split.TEST, evidence.predict(kept, Asked.LIVE)) if asks else None
    metric = next(iter(metrics_for(whole, version).values()))
    index = version.rows
    window, matrix = pieces.window[index], ranked_matrix(kept, evidence.inputs)[index]
    classes = tuple(classes_of(whole, truth[index])) if evidence.classifies else None
    fresh = reference(evidence, kept[index], matrix, truth=truth[index], window=window, classes=classes)
    again = None
    if fresh.answers is not None:
        again = judge(
            replace(whole, frames={Split.TEST: kept[index]}, classes=classes), Split.TEST, fresh.answers
        )
    return Past(rows, drawn.said, pieces.names, window, seen[places][index], metric, version, live, again, fresh.known,
                matrix, truth[index], classes, fresh)  # fmt: skip


def windows_of(past: Past, fewest: int) -> list[Window]:
    """Every window with enough rows: rows that the version did not learn, or all of them where it learned all (`seen`)."""
    found = []
    count = max(
        1,
        sum(bool(((past.window == place) & ~past.seen).sum() >= fewest) for place in range(len(past.names))),
    )
    wider = NormalDist().inv_cdf(1 - 0.025 / count) / NormalDist().inv_cdf(0.975)
    for place, name in enumerate(past.names):
        inside = past.window == place
        unseen = np.flatnonzero(inside & ~past.seen)
        index = unseen if unseen.size >= fewest else np.flatnonzero(inside)
        if index.size < fewest:
            continue
        window = _window(past, name, index, wider, seen=unseen.size < fewest)
        if np.isfinite(window.version.value):
            found.append(window)
    return found


def rows_in(past: Past, windows: list[Window]) -> np.ndarray:
    """The row numbers that these windows were judged on."""
    places = [past.names.index(window.name) for window in windows]
    return np.flatnonzero(np.isin(past.window, places) & ~past.seen)


def signed(judged: Judged) -> np.ndarray | None:
    """Answers minus labels per row; of two classes probabilities; None where neither is (a ranking, a quantile)."""
    if judged.queries is not None or judged.quantile is not None:  # a quantile is meant to lie on one side
        return None
    if judged.truth.dtype == bool:
        return None if judged.score is None else np.asarray(judged.score, dtype=float) - judged.truth
    return judged.decision - judged.truth if judged.truth.dtype.kind == "f" else None


def _window(past: Past, name: str, index: np.ndarray, wider: float, *, seen: bool) -> Window:
    judged = past.version.take(index)
    errors = signed(judged)
    again = past.retrained
    fresh = again is not None and bool(past.known[index].all())
    numbers = judged.truth.dtype.kind == "f"
    return Window(
        name, index.size, seen, _widened(interval_of(past.metric, judged), wider),
        judged.spread if numbers else 1.0,
        None if errors is None else _widened(mean_by(errors, judged.clusters), wider),
        past.metric.figure(past.live.take(index)) if past.live else None,
        past.metric.figure(again.take(index)) if again is not None and fresh else None,
    )  # fmt: skip


def _widened(found: Interval, by: float) -> Interval:
    """The interval for one of several windows that are all looked at (Bonferroni, on the normal's scale)."""
    low, high = found.value - found.low, found.high - found.value
    return Interval(found.value, found.value - low * by, found.value + high * by)
