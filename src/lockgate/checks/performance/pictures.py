"""Part of the performance check: what its overall finding shows: the ROC curve, or what came beside what was answered."""

from __future__ import annotations

import numpy as np

from lockgate.checks.base import figure
from lockgate.checks.finding import Plot, PlotKind
from lockgate.checks.judged import Judged
from lockgate.stats.distances import ks

_CURVE_POINTS = 200
_HISTOGRAM_BINS = 30


def picture(judged: Judged) -> Plot | None:
    """The ROC curve of two classes, histograms of numbers, None otherwise."""
    if judged.truth.dtype == bool and judged.score is not None:
        return Plot(kind=PlotKind.ROC, title="Right and false alarms at every threshold",
                    data={"curves": [_roc_curve(judged.truth, np.asarray(judged.score))]})  # fmt: skip
    if judged.truth.dtype.kind != "f" or judged.queries is not None:
        return None
    edges = np.histogram_bin_edges(np.concatenate([judged.truth, judged.decision]), bins=_HISTOGRAM_BINS)
    gap = ks(judged.truth, judged.decision).value
    parts = [{"name": name, "counts": np.histogram(values, bins=edges)[0].tolist()}
             for name, values in (("what came", judged.truth), ("what was answered", judged.decision))]  # fmt: skip
    return Plot(kind=PlotKind.HISTOGRAMS, title=f"What came and what was answered (largest gap {figure(gap, 'share')})",
                data={"edges": edges.tolist(), "parts": parts})  # fmt: skip


def _roc_curve(truth: np.ndarray, score: np.ndarray) -> dict[str, object]:
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.diff(score[order], append=np.nan))  # one point per distinct score
    ends = ends[np.linspace(0, ends.size - 1, min(ends.size, _CURVE_POINTS)).astype(int)]
    right, false = np.cumsum(truth[order])[ends], np.cumsum(~truth[order])[ends]
    return {"name": "this version", "x": [0.0, *(false / max(1, (~truth).sum())).tolist()],
            "y": [0.0, *(right / max(1, truth.sum())).tolist()]}  # fmt: skip
