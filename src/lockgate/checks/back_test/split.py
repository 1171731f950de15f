"""Part of the back-test: does a random split of these rows look better than a split in time?"""

from __future__ import annotations

import numpy as np

from lockgate.checks.back_test.past import Past
from lockgate.checks.back_test.reference import retrained
from lockgate.checks.base import figure, measured
from lockgate.checks.evidence import Evidence
from lockgate.checks.finding import Finding, Status, Threshold
from lockgate.checks.metrics import apart
from lockgate.checks.simple import FEWEST_ROWS
from lockgate.stats.clusters import mean_by
from lockgate.stats.intervals import Interval

_JUDGED = 0.25
_MIXED = (
    0.05  # of the learned rows newer than the first judged one: the project's own split is no split in time
)


def random_or_time(check: str, past: Past, least: float, evidence: Evidence) -> Finding | None:
    """The error of a plain model on the newest quarter, learned from the rest, beside that on a quarter drawn by chance.

    A warning where chance looks better by `least` (a share of the error in time, the whole interval) and the project's own
    tables are mixed in time: then its test figures are too good. None where there are too few rows.
    """
    rows = np.flatnonzero(past.window >= 0)
    judged = int(rows.size * _JUDGED)
    if rows.size - judged < FEWEST_ROWS or judged < FEWEST_ROWS:
        return None
    shuffled = evidence.random("random split").permutation(rows)
    newest, drawn = rows[-judged:], shuffled[-judged:]
    later = _errors(past, rows[:-judged], newest)
    mixed = _errors(past, np.sort(shuffled[:-judged]), drawn)
    if later is None or mixed is None or not later.mean():
        return None
    size = float(later.mean())
    gap = apart(mean_by(later, _subjects(past, newest)), mean_by(mixed, _subjects(past, drawn)))
    share = Interval(gap.value / size, gap.low / size, gap.high / size)
    optimistic, own = share.low >= least, _own_split_is_mixed(past)
    looks = f"On a random split a plain model's error looks {figure(abs(share.value), 'share')}"
    words = f"{looks} {'smaller' if share.value > 0 else 'larger'} than on a split in time"
    if optimistic and own:
        words += ": the tables of this version are mixed in time, so its test figures are too good."
    elif optimistic:
        words += ": a random split would be optimistic here; this version's tables are split in time."
    else:
        words += ": a random split is not optimistic here."
    return Finding(
        check=check, subject="random split", status=Status.WARN if optimistic and own else Status.PASS, headline=words,
        advice="Split by time: train on the past, test on what came after." if optimistic and own else "",
        measure=measured("error smaller on a random split", share, "share"),
        threshold=Threshold(at_most=least),
    )  # fmt: skip


def _errors(past: Past, learn: np.ndarray, judge: np.ndarray) -> np.ndarray | None:
    """Per row: absolute error, or the Brier score over all classes."""
    made = retrained(past.matrix, past.labels, learn, judge, past.classes)
    if made is None:
        return None
    if past.classes is None:
        return np.asarray(np.abs(made.decisions - past.labels[judge]))
    hit = np.array([[label == name for name in past.classes] for label in past.labels[judge]], dtype=float)
    given = np.zeros_like(hit) if made.probabilities is None else made.probabilities
    return np.asarray(((given - hit) ** 2).sum(axis=1))


def _subjects(past: Past, rows: np.ndarray) -> np.ndarray | None:
    clusters = past.version.clusters
    return None if clusters is None else clusters[rows]


def _own_split_is_mixed(past: Past) -> bool:
    """Whether learned rows lie in windows after the first judged one."""
    if not past.seen.any() or past.seen.all():
        return False
    first = int(past.window[~past.seen].min())
    return float((past.window[past.seen] > first).mean()) > _MIXED
