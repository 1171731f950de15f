"""Part of the performance check: do the probabilities of two classes come true?"""

from __future__ import annotations

import numpy as np

from lockgate.checks.base import figure, split_name
from lockgate.checks.evidence import Split
from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.metrics import Judged
from lockgate.stats.calibration import Reliability, noise_floor, recalibration, reliability

_FEW_ROWS = 200  # ten bins say nothing on fewer


def calibration(check: str, judged: Judged, split: Split, most: float) -> Finding | None:
    """The error beyond what chance gives a calibrated model, and how it comes; None where it cannot be told.

    A warning needs an error of more than `most` beyond chance, and one that a calibrated model would hardly show.
    """
    if judged.truth.dtype != bool or judged.score is None or judged.truth.size < _FEW_ROWS:
        return None
    score = np.asarray(judged.score, dtype=float)
    curve, noise = reliability(judged.truth, score), noise_floor(score)
    gap = max(0.0, curve.error - float(noise.mean()))
    off = gap > most and curve.error > noise[-1]
    return Finding(
        check=check, subject="calibration", status=Status.WARN if off else Status.PASS,
        headline=(f"Probabilities are off by {figure(gap, 'share')} on average beyond chance{_how(judged.truth, score)} "
                  f"({figure(score.mean(), 'share')} said in the mean, {figure(judged.truth.mean(), 'share')} came)." if off
                  else f"Probabilities come true as often as they say, on {split_name(split)}."),
        advice="Calibrate the model (CalibratedClassifierCV), or use its answers for ranking only." if off else "",
        measure=Measure(name="calibration error beyond chance", value=gap, unit="share"),
        threshold=Threshold(at_most=most), table=_table(curve),
        plot=Plot(kind=PlotKind.CALIBRATION, title="What was said and what came",
                  data={"said": list(curve.predicted), "came": list(curve.observed), "rows": list(curve.rows)}),
    )  # fmt: skip


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


def _table(curve: Reliability) -> Table:
    rows = zip(curve.predicted, curve.observed, curve.rows, strict=True)
    return Table(columns=("said", "came", "rows"), shares=("said", "came"),
                 rows=tuple((round(said, 6), round(came, 6), count) for said, came, count in rows))  # fmt: skip
