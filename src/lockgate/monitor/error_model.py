"""How large a regression's errors will be: a small model of their size, learned from labelled predictions.

Boosted trees on the inputs' codes and the answer itself predict a row's absolute error. They are learned on the older rows and
measured on the newer ones; when they are no better there than the plain mean, the plain mean is what is used. The interval
holds the chance of the new rows and what the model was off by on the rows it had not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lockgate.late import late
from lockgate.monitor.performance_figures import Figure

if TYPE_CHECKING:
    import threadpoolctl
    from sklearn import ensemble
else:
    threadpoolctl, ensemble = late("threadpoolctl"), late("sklearn.ensemble")

FEWEST = 3_000  # labelled rows from which it can be learned
MOST = 20_000  # rows that it is learned from, the newest
OLDER = 0.7
BLOCKS = 10  # of the newer rows, by which the model's own error is measured
_Z = 1.959963984540054


@dataclass(frozen=True)
class ErrorModel:
    """`trees` is None where the mean did as well. `spread`: standard deviation of one row's error around what was expected;
    `off`: of the mean of many rows, beyond chance."""

    trees: Any
    mean: float
    spread: float
    off: float
    learned: int

    def expected(self, rows: pl.DataFrame) -> dict[str, Figure]:
        """The mean absolute error that these rows will show."""
        if not rows.height:
            return {}
        said = self.mean if self.trees is None else float(self.trees.predict(_features(rows)).clip(0).mean())
        half = _Z * float(np.sqrt(self.spread**2 / rows.height + self.off**2))
        return {"mae": Figure(said, max(said - half, 0.0), said + half)}


def error_model(rows: pl.DataFrame) -> ErrorModel | None:
    """Learned from ledger rows with a numeric `label`, oldest first; None for too few."""
    rows = rows.tail(MOST)
    if rows.height < FEWEST:
        return None
    error = np.abs(rows["label"].cast(pl.Float64).to_numpy() - rows["number"].to_numpy())
    features, cut = _features(rows), int(OLDER * rows.height)
    trees = ensemble.HistGradientBoostingRegressor(
        max_iter=80, max_leaf_nodes=15, min_samples_leaf=50, early_stopping=False, random_state=0
    )
    with threadpoolctl.threadpool_limits(
        1
    ):  # threads that wait for each other on a busy box take minutes for seconds
        trees.fit(features[:cut], error[:cut])
    said, plain = trees.predict(features[cut:]), np.full(rows.height - cut, error[:cut].mean())
    better = np.mean((error[cut:] - said) ** 2) < np.mean((error[cut:] - plain) ** 2)
    residual = error[cut:] - (said if better else plain)
    blocks = [float(block.mean()) for block in np.array_split(residual, BLOCKS)]
    spread = float(residual.std())
    chance = spread**2 / max(residual.size / BLOCKS, 1)
    off = float(np.sqrt(max(np.mean(np.square(blocks)) - chance, 0.0) + spread**2 / residual.size))
    return ErrorModel(trees if better else None, float(error.mean()), spread, off, rows.height)


def _features(rows: pl.DataFrame) -> np.ndarray:
    codes = [name for name in rows.columns if name.startswith("c.")]
    return rows.select("number", *codes).to_numpy().astype(float)
