"""Part of the performance check: do the probabilities come true?

Of two classes the positive one's probability; of more, the confidence in the class that was answered (Guo et al. 2017, On
calibration of modern neural networks, ICML) and each class's own probability (Kull et al. 2019, Beyond temperature scaling,
NeurIPS).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lockgate.checks.base import figure, split_name
from lockgate.checks.evidence import Split
from lockgate.checks.finding import Cell, Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.judged import Judged
from lockgate.stats.calibration import Reliability, noise_floor, recalibration, reliability

_FEW_ROWS = 200  # ten bins say nothing on fewer
_MOST_CLASSES = 20  # further ones are not looked at one by one


@dataclass(frozen=True, eq=False)
class _Said:
    """One probability of n rows beside what came: how far it is off beyond chance, and whether that is more than chance."""

    name: str
    came: np.ndarray
    said: np.ndarray
    curve: Reliability
    gap: float
    off: bool


def calibration(check: str, judged: Judged, names: list[str], split: Split, most: float) -> Finding | None:
    """The error beyond what chance gives a calibrated model, and how it comes; None where it cannot be told.

    A warning needs an error of more than `most` beyond chance, and one that a calibrated model would hardly show. `names`: the
    classes, in the order of the probabilities where there are more than two.
    """
    if judged.truth.size < _FEW_ROWS or judged.truth.dtype.kind == "f":
        return None
    looked = _of_two(judged, most) if judged.truth.dtype == bool else _of_many(judged, names, most)
    if not looked:
        return None
    worst = max(looked, key=lambda each: (each.off, each.gap))
    first = worst if worst.off else looked[0]
    of = f" of {first.name}" if first.name else ""
    return Finding(
        check=check, subject="calibration", status=Status.WARN if first.off else Status.PASS,
        headline=(f"Probabilities{of} are off by {figure(first.gap, 'share')} on average beyond chance"
                  f"{_how(first.came, first.said)} ({figure(first.said.mean(), 'share')} said in the mean, "
                  f"{figure(first.came.mean(), 'share')} came)." if first.off
                  else f"Probabilities come true as often as they say, on {split_name(split)}."),
        advice="Calibrate the model (CalibratedClassifierCV), or use its answers for ranking only." if first.off else "",
        measure=Measure(name="calibration error beyond chance", value=first.gap, unit="share"),
        threshold=Threshold(at_most=most), table=_classes(looked) if len(looked) > 1 else _bins(first.curve),
        plot=Plot(kind=PlotKind.CALIBRATION, title=f"What was said and what came{of}",
                  data={"said": list(first.curve.predicted), "came": list(first.curve.observed),
                        "rows": list(first.curve.rows)}),
    )  # fmt: skip


def _of_two(judged: Judged, most: float) -> list[_Said]:
    if judged.score is None:
        return []
    return [_looked("", judged.truth, np.asarray(judged.score, dtype=float), most)]


def _of_many(judged: Judged, names: list[str], most: float) -> list[_Said]:
    """The confidence first, then every class."""
    if judged.probability is None:
        return []
    wide = np.asarray(judged.probability, dtype=float)
    found = [_looked("the answered class", judged.truth == wide.argmax(axis=1), wide.max(axis=1), most)]
    for place, name in enumerate(names[: min(_MOST_CLASSES, wide.shape[1])]):
        found.append(_looked(f"class {name}", judged.truth == place, wide[:, place], most))
    return found


def _looked(name: str, came: np.ndarray, said: np.ndarray, most: float) -> _Said:
    curve = reliability(came, said)
    # what is within the limit raises no alarm, so a rough floor will do for its figure
    noise = noise_floor(said, times=200 if curve.error > most else 40)
    gap = max(0.0, curve.error - float(noise.mean()))
    return _Said(name, came, said, curve, gap, gap > most and curve.error > noise[-1])


def _how(truth: np.ndarray, score: np.ndarray) -> str:
    """Too high, too low, too extreme, too timid: what the slope and the shift of the log odds are sure of."""
    found = recalibration(truth, score)
    if found is None:
        return ""
    said = []
    if found.shift.high < 0 or found.shift.low > 0:
        said.append("too high" if found.shift.high < 0 else "too low")
    if found.slope.high < 1 or found.slope.low > 1:
        said.append("too extreme" if found.slope.high < 1 else "too timid")
    return f": {' and '.join(said)}" if said else ""


def _bins(curve: Reliability) -> Table:
    rows = zip(curve.predicted, curve.observed, curve.rows, strict=True)
    return Table(columns=("said", "came", "rows"), shares=("said", "came"),
                 rows=tuple((round(said, 6), round(came, 6), count) for said, came, count in rows))  # fmt: skip


def _classes(looked: list[_Said]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            each.name,
            round(float(each.said.mean()), 6),
            round(float(each.came.mean()), 6),
            round(each.gap, 6),
        )
        for each in looked
    ]
    columns = ("probability of", "said", "came", "off beyond chance")
    return Table(columns=columns, shares=columns[1:], rows=tuple(rows))
