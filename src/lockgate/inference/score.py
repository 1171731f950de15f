"""What an answer means: the score (a number per row) and the decision (a class or a number per row)."""

from __future__ import annotations

import numpy as np

from lockgate.errors import InvalidInput
from lockgate.predictions.record import Columns
from lockgate.registry.manifest import Manifest


def scores(columns: Columns, manifest: Manifest) -> np.ndarray:
    """The score of each row, float64 of shape (n,).

    Binary classification: the probability of the positive class. More classes: the largest probability. Without
    probabilities, or in regression: the prediction itself. Raises InvalidInput when the prediction is no number.
    """
    answer = manifest.answer
    if answer.probability and answer.probability in columns:
        probability = np.asarray(columns[answer.probability], dtype=np.float64)
        if probability.ndim == 1:
            return probability
        place = _positive_place(manifest, probability.shape[1])
        flat = probability.max(axis=1) if place is None else probability[:, place]
        return np.asarray(flat, dtype=np.float64)
    prediction = columns[answer.prediction]
    if prediction.dtype.kind not in "biuf":
        raise InvalidInput(
            "this model answers names of classes and no probabilities, so it has no score",
            got=f"output '{answer.prediction}'",
            fix="use decisions(), or submit a model with predict_proba",
        )
    return prediction.astype(np.float64).reshape(len(prediction), -1)[:, 0]


def decisions(columns: Columns, manifest: Manifest) -> np.ndarray:
    """The decision of each row, shape (n,): the predicted class, or the number in regression."""
    prediction = columns[manifest.answer.prediction]
    return prediction if prediction.ndim == 1 else prediction.reshape(len(prediction), -1)[:, 0]


def _positive_place(manifest: Manifest, width: int) -> int | None:
    """The probability column that is the score: the positive class, the second of two, else none."""
    classes, positive = manifest.answer.classes, manifest.answer.positive
    if positive is not None and classes and positive in classes:
        return classes.index(positive)
    if width == 1:
        return 0
    return 1 if width == 2 else None
