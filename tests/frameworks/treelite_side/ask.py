"""What treelite answers: python ask.py FOLDER, for each NAME.{json,txt,joblib} with its rows NAME.npz into NAME.answer.npy."""

from __future__ import annotations

import sys
from pathlib import Path

import joblib
import numpy as np
import treelite


def model_of(path: Path) -> treelite.Model:
    """The model of a file, by whatever wrote it."""
    if path.suffix == ".json":
        return treelite.frontend.load_xgboost_model(str(path))
    if path.suffix == ".txt":
        return treelite.frontend.load_lightgbm_model(str(path))
    return treelite.sklearn.import_model(joblib.load(path))


for path in sorted(Path(sys.argv[1]).iterdir()):
    if path.suffix not in (".json", ".txt", ".joblib"):
        continue
    rows = np.load(path.with_suffix(".npz"))["rows"]
    answers = treelite.gtil.predict(model_of(path), rows, nthread=1)
    np.save(path.with_suffix(".answer.npy"), answers)
