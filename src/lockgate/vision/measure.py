"""How good a classifier of pictures is: over all, for each class, what it takes for what, and whether that holds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BINS = 15


@dataclass(frozen=True)
class ClassFigures:
    """One class: pictures of it, and shares 0..1; NaN where nothing was there to divide by."""

    name: str
    pictures: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Figures:
    """All figures. `confusion[i, j]`: pictures of class i that were taken for class j."""

    accuracy: float
    balanced_accuracy: float
    log_loss: float
    brier: float
    calibration_error: float
    classes: tuple[ClassFigures, ...]
    confusion: np.ndarray

    def flat(self) -> dict[str, float]:
        """Names and finite numbers, as a run keeps its metrics."""
        named = {
            "accuracy": self.accuracy, "balanced_accuracy": self.balanced_accuracy, "log_loss": self.log_loss,
            "brier": self.brier, "calibration_error": self.calibration_error,
            **{f"recall {one.name}": one.recall for one in self.classes},
            **{f"precision {one.name}": one.precision for one in self.classes},
        }  # fmt: skip
        return {name: float(value) for name, value in named.items() if np.isfinite(value)}


def figures_of(probability: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> Figures:
    """Figures of n answers: `probability` `[n, k]`, `labels` (n,) places in `names`.

    The calibration error is the expected one with 15 bins of equal width of the surest class (Guo et al. 2017, On calibration
    of modern neural networks, equation 3); Brier's score is the sum over classes (Brier 1950).
    """
    count = len(names)
    answers = probability.argmax(axis=1)
    confusion = np.zeros((count, count), dtype=np.int64)
    np.add.at(confusion, (labels, answers), 1)
    right = np.diag(confusion).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = right / confusion.sum(axis=1)
        precision = right / confusion.sum(axis=0)
        f1 = 2 * right / (confusion.sum(axis=1) + confusion.sum(axis=0))
    truth = np.eye(count)[labels]
    own = probability[np.arange(len(labels)), labels].astype(float)
    return Figures(
        accuracy=float((answers == labels).mean()),
        balanced_accuracy=float(np.nanmean(recall)),
        log_loss=float(-np.log(np.maximum(own, 1e-15)).mean()),
        brier=float(((probability - truth) ** 2).sum(axis=1).mean()),
        calibration_error=calibration_error(probability.max(axis=1), answers == labels),
        classes=tuple(
            ClassFigures(
                name,
                int(confusion[place].sum()),
                float(precision[place]),
                float(recall[place]),
                float(f1[place]),
            )
            for place, name in enumerate(names)
        ),
        confusion=confusion,
    )


def calibration_error(sure: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """Mean distance of how sure answers were and how often they were right, by bins of `sure` (n,).

    >>> round(calibration_error(np.array([0.9, 0.9, 0.9, 0.9]), np.array([1, 1, 1, 0])), 3)
    0.15
    """
    place = np.minimum((sure * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    gaps = np.bincount(place, weights=sure.astype(float), minlength=bins) - np.bincount(
        place, weights=right.astype(float), minlength=bins
    )
    return float(np.abs(gaps).sum() / max(1, counts.sum()))


def worst_first(probability: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Pictures in the order of how little their own class was believed in; a wrong label stands at the front, too."""
    return np.argsort(probability[np.arange(len(labels)), labels], kind="stable")
