"""What comes true, of the rows that came: the labels' own distribution, window by window and month by month. Pure.

Labels may move without the model being at fault: other rows come, or the world changed. So this is told apart from figures
(`performance_verdict.py`) and from what equal answers stand for (`performance_concept.py`): whoever set a threshold, a stock or a
budget by how often something comes true has to know it all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import polars as pl

from lockgate.clock import iso
from lockgate.datasets.classes import class_names
from lockgate.late import late
from lockgate.monitor.performance_figures import Labelled
from lockgate.stats.sketch import NumberSketch, Sketch, WordSketch

if TYPE_CHECKING:
    from scipy import special
else:
    special = late("scipy.special")

OTHER = "other"
MOST_NAMES, RANGES = 20, 8
DIGITS = (4, 6, 9, 12, 17)
LEAST_ROWS = 20


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Labels of a stretch. `shares`: rows by class, or by range of numbers; `each`: rows of one subject, which come true
    together; of numbers their mean and standard deviation."""

    rows: int
    shares: dict[str, int] = {}
    each: float = 1.0
    mean: float | None = None
    spread: float = 0.0

    def share(self, name: str) -> float:
        """Of rows, 0..1."""
        return self.shares.get(name, 0) / self.rows if self.rows else 0.0

    @property
    def error(self) -> float:
        """The standard error of the mean."""
        return self.spread * float(np.sqrt(self.each / max(self.rows, 1)))

    def error_of(self, name: str) -> float:
        """The standard error of a share, half a row added to each side so that none is 0."""
        count = self.rows + 1.0
        share = (self.shares.get(name, 0) + 0.5) / count
        return float(np.sqrt(share * (1 - share) * self.each / count))


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """The labels of the windows that begin in one month (`2026-03`) of one version."""

    version: int
    month: str
    target: Target


def target_of(told: pl.DataFrame, labelled: Labelled, known: Sequence[str], labels: Sketch | None) -> Target:
    """Of labelled ledger rows. `known`: classes that the model knows; `labels`: those of its validation."""
    rows = labelled.truth.size
    each = 1.0 if labelled.subject is None or not rows else rows / (int(labelled.subject.max()) + 1)
    if labelled.truth.dtype.kind == "f":
        values = labelled.truth
        shares = _ranged(values, labels) if isinstance(labels, NumberSketch) else {}
        return Target(
            rows=rows, shares=shares, each=each, mean=float(values.mean()), spread=float(values.std())
        )
    names = Counter(str(name) for name in class_names(told["label"]))
    validated = labels.values if isinstance(labels, WordSketch) else ()
    kept = list(dict.fromkeys([*validated, *known]))  # the validation's first: it is compared by these names
    kept = (kept or [name for name, _ in names.most_common()])[:MOST_NAMES]
    found = {name: names[name] for name in kept}
    return Target(rows=rows, shares=_with_rest(found, rows), each=each)


def target_in(labels: Sketch) -> Target:
    """Of a validation's labels."""
    if isinstance(labels, WordSketch):
        named = dict(zip(labels.values[:MOST_NAMES], labels.counts[:MOST_NAMES], strict=True))
        return Target(rows=labels.rows, shares=_with_rest(named, labels.rows))
    rows = max(labels.rows, 1)
    mean = labels.total / rows
    spread = float(np.sqrt(max(labels.squares / rows - mean**2, 0.0)))
    starts, names = _starts(labels), _names(labels)
    ends = [*starts[1:], len(labels.counts)]
    counts = {
        name: sum(labels.counts[start:end]) for name, start, end in zip(names, starts, ends, strict=True)
    }
    return Target(rows=labels.rows, shares=counts, mean=mean, spread=spread)


def together(found: Sequence[Target]) -> Target | None:
    """Several stretches as one."""
    rows = sum(each.rows for each in found)
    if not rows:
        return None
    shares: Counter[str] = Counter()
    for target in found:
        shares.update(target.shares)
    each = sum(target.each * target.rows for target in found) / rows
    if any(target.mean is None for target in found):
        return Target(rows=rows, shares=dict(shares), each=each)
    means = np.array([target.mean for target in found], dtype=float)
    weights = np.array([target.rows for target in found]) / rows
    mean = float(weights @ means)
    squares = float(weights @ (np.array([target.spread for target in found]) ** 2 + means**2))
    return Target(
        rows=rows,
        shares=dict(shares),
        each=each,
        mean=mean,
        spread=float(np.sqrt(max(squares - mean**2, 0.0))),
    )


def months_of(windows: Iterable[tuple[int, int, Target | None]]) -> tuple[Month, ...]:
    """Windows (version, begin, labels) by version and month, oldest first."""
    found: dict[tuple[int, str], list[Target]] = {}
    for version, since_us, target in windows:
        if target is not None:
            found.setdefault((version, iso(since_us)[:7]), []).append(target)
    months = [(key, whole) for key, each in sorted(found.items()) if (whole := together(each)) is not None]
    return tuple(Month(version=version, month=month, target=whole) for (version, month), whole in months)


def chance_of(hits: float, rows: float, share: float) -> float:
    """Of `hits` or more among `rows`, each with that share (binomial, between whole numbers by the beta function)."""
    if hits <= 0:
        return 1.0
    return float(special.betainc(hits, max(rows - hits, 0.0) + 1, min(max(share, 1e-12), 1.0)))


def _with_rest(named: dict[str, int], rows: int) -> dict[str, int]:
    """With the rows of no name; a class may be called as they are.

    >>> _with_rest({"other": 3, "car": 5}, 10), _with_rest({"car": 5}, 5)
    ({'other': 5, 'car': 5}, {'car': 5})
    """
    left = rows - sum(named.values())
    return named | ({OTHER: named.get(OTHER, 0) + left} if left else {})


def _ranged(values: np.ndarray, labels: NumberSketch) -> dict[str, int]:
    places = np.searchsorted(np.asarray(labels.edges), values, side="right")
    codes = np.searchsorted(np.array(_starts(labels)), places, side="right") - 1
    counts = np.bincount(codes, minlength=len(_names(labels)))
    return dict(zip(_names(labels), counts.tolist(), strict=True))


def _starts(labels: NumberSketch) -> list[int]:
    """The first bins of ranges that hold about as many rows each."""
    ends = np.cumsum(labels.counts) / max(labels.rows, 1)
    wanted = np.searchsorted(ends, np.arange(1, RANGES) / RANGES, side="left") + 1
    return sorted({0, *(int(each) for each in wanted if each < len(labels.counts))})


def _names(labels: NumberSketch) -> list[str]:
    """Ranges by their ends, with as many digits as tell them apart; an edge just above a value is called by that value.

    >>> _names(NumberSketch(edges=(0.0, 5e-324, 2.0), counts=(0, 4, 2, 2)))
    ['up to 0', '0 to 2', '2 and above']
    """
    limits = [labels.edges[start - 1] for start in _starts(labels)[1:]]
    if not limits:
        return ["any"]
    under = [float(np.nextafter(limit, -np.inf)) for limit in limits]
    closed = [value in labels.edges for value in under]
    shown = [value if itself else limit for value, itself, limit in zip(under, closed, limits, strict=True)]
    names: list[str] = []
    for digits in DIGITS:
        inner = [f"{value:.{digits}g}" for value in shown]
        names = [
            f"{'up to' if closed[0] else 'below'} {inner[0]}",
            *(f"{low} to {high}" for low, high in pairwise(inner)),
            f"above {inner[-1]}" if closed[-1] else f"{inner[-1]} and above",
        ]
        if len({*names}) == len(names):
            break
    return names
