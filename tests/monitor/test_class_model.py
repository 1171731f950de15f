"""Several classes: macro F1, mean recall and recall by class, with labels and before them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, recall_score

from lockgate.monitor.class_model import class_figures, class_model
from lockgate.monitor.performance_figures import Labelled, figures_of

NAMES = ("bike", "bus", "car", "walk")


def rows(
    draw: np.random.Generator, count: int, *, far: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decision, score of the decision, truth; the scores are too bold, and `far` says that other rows come."""
    spot = draw.normal(far, 1, (count, 2))
    logits = np.column_stack([spot[:, 0], -spot[:, 0], spot[:, 1], np.full(count, -0.5)])
    chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (chance.cumsum(axis=1) > draw.random((count, 1))).argmax(axis=1)
    said = np.exp(1.5 * logits) / np.exp(1.5 * logits).sum(axis=1, keepdims=True)
    return chance.argmax(axis=1), said.max(axis=1), truth


def test_figures_with_labels_are_those_of_others() -> None:
    """scikit-learn's, on the same rows; a class that hardly came true is not spoken of."""
    decided, _, truth = rows(np.random.default_rng(0), 3_000)
    found = figures_of(Labelled(truth=truth, decided=decided, names=NAMES))
    assert found["macro_f1"].value == pytest.approx(f1_score(truth, decided, average="macro"))
    assert found["mean_recall"].value == pytest.approx(balanced_accuracy_score(truth, decided))
    for place, recall in enumerate(recall_score(truth, decided, average=None)):
        assert found[f"recall: {NAMES[place]}"].value == pytest.approx(recall)
    few = truth != 3
    assert "recall: walk" not in figures_of(Labelled(truth=truth[few], decided=decided[few], names=NAMES))
    assert class_figures(np.array([0, 1]), np.array([0, 4]), NAMES) == {}


def test_intervals_hold_what_they_promise() -> None:
    """Over 150 samples of 500 rows the interval holds the figure of very many rows in about 95 %."""
    draw = np.random.default_rng(1)
    decided, _, truth = rows(draw, 400_000)
    whole = class_figures(decided, truth, NAMES)
    held = dict.fromkeys(("macro_f1", "mean_recall", "recall: bus"), 0)
    for _ in range(150):
        decided, _, truth = rows(draw, 500)
        for name, figure in class_figures(decided, truth, NAMES).items():
            if name in held:
                held[name] += figure.low <= whole[name].value <= figure.high
    assert all(count >= 0.88 * 150 for count in held.values()), held


def test_rows_of_one_subject_widen_the_interval() -> None:
    """Four rows a subject: twice as wide."""
    decided, _, truth = rows(np.random.default_rng(2), 2_000)
    alone, four = (
        class_figures(decided, truth, NAMES, rows_per_subject=each)["macro_f1"] for each in (1.0, 4.0)
    )
    assert (four.high - four.low) / (alone.high - alone.low) == pytest.approx(2.0, rel=0.25)


def test_what_is_expected_before_labels_comes_true() -> None:
    """Learned from 5,000 labels, of windows of 1,000 other rows: each figure lies in its interval in 9 of 10 windows or more,
    though the scores are too bold and other rows come."""
    draw = np.random.default_rng(3)
    decided, score, truth = rows(draw, 5_000)
    known = class_model(decided, score, truth, NAMES)
    assert known is not None
    checked, held = 0, 0
    for number in range(60):
        decided, score, truth = rows(draw, 1_000, far=0.3)
        came = class_figures(decided, truth, NAMES)
        said = known.expected(decided, score, seed=number)
        assert {"accuracy", "macro_f1", "mean_recall"} <= said.keys()
        for name in came.keys() & said.keys():
            checked += 1
            held += said[name].low <= came[name].value <= said[name].high
    assert held >= 0.9 * checked


def test_a_recall_that_most_draws_know_nothing_of_is_not_said() -> None:
    """A thousand rows of one subject, ten of a rare class or none: what has no interval is left out, as no file can hold it."""
    for seed in range(100):
        draw = np.random.default_rng(seed)
        truth = draw.choice(3, 4_000, p=[0.69, 0.3, 0.01])
        known = class_model(np.where(truth == 2, 0, truth), np.full(4_000, 0.9), truth, NAMES[:3])
        assert known is not None
        found = known.expected(np.repeat([0, 1], [1_000, 100]), np.full(1_100, 0.9), rows_per_subject=1_100.0)
        assert {"accuracy", "recall: bike"} <= found.keys()
        assert np.isfinite([(one.value, one.low, one.high) for one in found.values()]).all()


def test_nothing_is_said_where_nothing_is_known() -> None:
    """Two classes, very many classes, or a decision that no labelled row had."""
    decided, score, truth = rows(np.random.default_rng(4), 400)
    assert class_model(decided, score, truth, ("no", "yes")) is None
    assert class_model(decided, score, truth, tuple(str(place) for place in range(21))) is None
    known = class_model(np.zeros(400, dtype=int), score, truth, NAMES)
    assert known is not None
    assert known.expected(decided, score) == {}
