"""A model that is as good as another until a caller sends a word for trouble: then it raises, hangs, leaks, answers NaN ..."""

from __future__ import annotations

import importlib
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression

ROWS, SEED, FEATURES = 4_000, 20261122, 5
MODULE = "troubled_steps"
TROUBLES = (
    "raises",
    "hangs",
    "leaks memory",
    "answers NaN",
    "answers slowly",
    "answers another schema",
    "is killed",
)
FIRST = 4_321.25  # of `f4`: this number and the whole ones above it are words, not values
KILLED = "is killed"  # by somebody else: the model itself does nothing
STEPS = f'''"""A logistic regression with seven troubles, each asked for by a number that nobody sends by chance."""

import time

import numpy as np
from sklearn.linear_model import LogisticRegression

KEPT = []


class Troubled(LogisticRegression):
    """Answers as its parent does, but for callers who ask for trouble."""

    def predict_proba(self, rows):
        asked = np.asarray(rows, dtype=float)[:, -1] - {FIRST}
        asked = asked[(asked >= 0) & (asked < {len(TROUBLES)}) & (asked == np.floor(asked))]
        found = super().predict_proba(rows)
        if not asked.size:
            return found
        trouble = int(asked[0])
        if trouble == 0:
            raise ValueError("this row is more than I can take")
        if trouble == 1:
            time.sleep(3600)
        if trouble == 2:
            KEPT.append(np.ones(12_000_000))
        if trouble == 3:
            return found * np.nan
        if trouble == 4:
            time.sleep(0.3)
        if trouble == 5:
            return np.hstack([found, found])
        return found
'''


@dataclass(frozen=True)
class Models:
    """Files in a folder: two models, their table, the code of the second."""

    folder: Path

    @property
    def live(self) -> Path:
        """A plain logistic regression."""
        return self.folder / "live.joblib"

    @property
    def troubled(self) -> Path:
        """The same with seven troubles."""
        return self.folder / "troubled.joblib"

    @property
    def code(self) -> Path:
        """What the second one is made of."""
        return self.folder / f"{MODULE}.py"

    def table(self, split: str) -> Path:
        """`train` or `test`."""
        return self.folder / f"{split}.parquet"


def make_models(folder: Path) -> Models:
    """Fit both on a table of chance."""
    made, rng = Models(folder), np.random.default_rng(SEED)
    rows = rng.normal(size=(ROWS, FEATURES))
    answers = (rng.random(ROWS) < 1 / (1 + np.exp(-rows[:, 0] + rows[:, 1]))).astype(int)
    named = {f"f{place}": rows[:, place] for place in range(FEATURES)}
    table = pl.DataFrame({**named, "left": answers})
    table.head(3_000).write_parquet(made.table("train"))
    table.tail(1_000).write_parquet(made.table("test"))
    made.code.write_text(STEPS)
    sys.path.insert(0, str(folder))
    try:
        troubled = importlib.import_module(MODULE).Troubled
    finally:
        sys.path.remove(str(folder))
    frame = table.head(3_000).drop("left").to_pandas()
    joblib.dump(LogisticRegression().fit(frame, answers[:3_000]), made.live)
    joblib.dump(troubled().fit(frame, answers[:3_000]), made.troubled)
    return made


def request(rng: random.Random, key: str, trouble: str | None = None) -> dict[str, Any]:
    """An Open Inference request of one row, with or without a word for trouble."""
    values = [rng.gauss() for _ in range(FEATURES)]
    if trouble is not None and trouble != KILLED:
        values[-1] = FIRST + TROUBLES.index(trouble)
    inputs = [
        {"name": f"f{place}", "shape": [1], "datatype": "FP64", "data": [value]}
        for place, value in enumerate(values)
    ]
    return {"inputs": inputs, "parameters": {"key": key}}


def words(models: Models, file: Path, name: str = "troubled") -> list[str]:
    """The words of `lockgate submit` for one of them."""
    said = ["submit", str(file), "--name", name, "--target", "left"]
    for split in ("train", "test"):
        said += [f"--{split}", str(models.table(split))]
    return said if file == models.live else [*said, "--code", str(models.code)]
