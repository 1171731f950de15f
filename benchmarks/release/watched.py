"""Labels after promotion: how often the e-detector alarms without harm, and how soon it sees what breaks late."""

from __future__ import annotations

import math

import numpy as np
from benchmarks.gateway.figures import Figure
from benchmarks.release.guarded import PAIR_WEIGHT, plan_of
from benchmarks.release.labelled import DIFFER, WORSE
from benchmarks.release.paths import copies, detector_paths, event_path
from benchmarks.release.scenarios import STAGES

from lockgate.release.counts import WATCH_BATCH
from lockgate.release.guards import GuardName, label_alphas
from lockgate.stats.intervals import wilson

SEED, RUNS, HARMLESS = 20261126, 100, 10_000
LABELS = 40_000  # of requests in the watch, each of which had one
BREAKS = (0, LABELS // 2)  # after so many labels of the watch the new version gets worse
MOST_SHARE = 0.5  # of the labels that an e-process which runs on would take


def figures() -> list[Figure]:
    """False alarms of harmless watches, then delays beside the e-process that would run on without end."""
    guard = next(g for g in plan_of(STAGES, late=True).guards if g.name is GuardName.LABELS)
    whole, part = guard.alpha, label_alphas(guard.alpha, paired=True)[1]
    limit = math.log(LABELS / WATCH_BATCH / part)
    rng = np.random.default_rng(SEED)
    share = wilson(sum(_harmless(limit, rng) for _ in range(HARMLESS // 1_000)), HARMLESS)
    print(
        f"  {HARMLESS:,} harmless watches of {LABELS:,} labels: {share.value:.2%} alarm ({share.low:.2%} to {share.high:.2%}), "
        f"promised {part:.2%}",
        flush=True,
    )
    found = [
        Figure("harmless watches, alarmed by labels", 100 * share.value, 100 * part, "%", at_least=False)
    ]
    for breaks in BREAKS:
        for differ in DIFFER:
            found += _delays(differ, breaks, limit, whole, rng)
    return found


def _delays(differ: float, breaks: int, limit: float, alpha: float, rng: np.random.Generator) -> list[Figure]:
    pairs = _pairs(differ, breaks, rng)
    at = _fires(pairs, limit) - breaks
    alone = (
        np.array([_process(canary, baseline, alpha) for canary, baseline in zip(*pairs, strict=True)])
        - breaks
    )
    when = "from promotion on" if not breaks else f"after {breaks:,} good labels"
    print(
        f"  2 points worse {when}, {differ:.0%} of rows differ: seen after {np.median(at):,.0f} labels (median), nine of ten "
        f"within {np.quantile(at, 0.9, method='higher'):,.0f}; an e-process that runs on: {np.median(alone):,.0f}, "
        f"{np.quantile(alone, 0.9, method='higher'):,.0f}",
        flush=True,
    )
    if not breaks:
        return []
    name = f"broken {when}, {differ:.0%} differ: share of the e-process's labels"
    return [Figure(name, float(np.median(at) / np.median(alone)), MOST_SHARE, "", at_least=False)]


def _harmless(limit: float, rng: np.random.Generator) -> int:
    """How many of a thousand watches of equally good versions alarm."""
    differs = rng.binomial(WATCH_BATCH, DIFFER[1], (1_000, LABELS // WATCH_BATCH))
    canary = rng.binomial(differs, 0.5)
    log_r = detector_paths(canary, differs - canary, PAIR_WEIGHT)
    return int((log_r.max(axis=1) >= limit).sum())


def _pairs(differ: float, breaks: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Watches: callers for whom the new version alone was wrong, and those for whom the old one was, (runs, labels) each."""
    differs = rng.random((RUNS, LABELS)) < differ
    worse = np.full(LABELS, 0.5)
    worse[breaks:] = (differ + WORSE) / 2 / differ
    new = rng.random((RUNS, LABELS)) < worse
    return differs & new, differs & ~new


def _fires(pairs: tuple[np.ndarray, np.ndarray], limit: float) -> np.ndarray:
    """The label at which each watch alarms; infinity for never."""
    canary, baseline = (part.reshape(len(part), -1, WATCH_BATCH).sum(axis=2) for part in pairs)
    over = detector_paths(canary, baseline, PAIR_WEIGHT) >= limit
    return np.where(over.any(axis=1), (over.argmax(axis=1) + 1.0) * WATCH_BATCH, np.inf)


def _process(canary: np.ndarray, baseline: np.ndarray, alpha: float) -> float:
    """The same labels in an e-process with restarts, and all of the guard's alpha."""
    places = np.flatnonzero(canary | baseline)
    weight = np.full(len(places), PAIR_WEIGHT)
    return event_path(places, weight, canary[places], copies(np.zeros(LABELS, dtype=int))).fires(
        math.log(1.0 / alpha)
    )
