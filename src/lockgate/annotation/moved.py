"""Where production has moved to: for each row how much more usual it is now than it was.

A model is trained to tell rows of now from rows of before; where it can, by rows that it has not seen, they lie apart. Source:
Lopez-Paz and Oquab (2017), Revisiting classifier two-sample tests, ICLR.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lockgate.late import late

if TYPE_CHECKING:
    from sklearn import ensemble, metrics, model_selection
else:
    ensemble, metrics = late("sklearn.ensemble"), late("sklearn.metrics")
    model_selection = late("sklearn.model_selection")

MOST = 5_000  # rows of either side that are learned from
_FEWEST = 50
_CLEAR = 0.55  # area under the curve below which nothing has moved that would matter here
_FOLDS = 3


def moved_rows(before: np.ndarray, now: np.ndarray, random: int) -> np.ndarray | None:
    """0 where a row (of `now`, (n, d)) was as usual before, near 1 where it was not seen; None where the two look alike, or
    there is too little of either."""
    if min(len(before), len(now)) < _FEWEST or before.shape[1] == 0:
        return None
    chance = np.random.default_rng(random)
    old = before[chance.permutation(len(before))[:MOST]]
    new = now[chance.permutation(len(now))[:MOST]]
    rows, sides = np.vstack([old, new]), np.repeat([0, 1], [len(old), len(new)])
    model = ensemble.ExtraTreesClassifier(
        60, min_samples_leaf=10, max_depth=12, class_weight="balanced", random_state=random
    )
    folds = model_selection.StratifiedKFold(_FOLDS, shuffle=True, random_state=random)
    told = model_selection.cross_val_predict(model, rows, sides, cv=folds, method="predict_proba")[:, 1]
    if metrics.roc_auc_score(sides, told) < _CLEAR:
        return None
    sure = model.fit(rows, sides).predict_proba(now)[:, 1]
    return np.asarray((2 * sure - 1).clip(0, 1))
