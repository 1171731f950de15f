"""deepchecks' full suite on the tables of a folder, its own model of the same kind; prints {"seconds": ...}.

It trains its own gradient boosting, because a model file of another scikit-learn does not load there; training is not timed.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import pandas as pd
from deepchecks.tabular import Dataset
from deepchecks.tabular.suites import full_suite
from sklearn.ensemble import HistGradientBoostingClassifier

warnings.simplefilter("ignore")
folder = Path(sys.argv[1])
train, test = (pd.read_parquet(folder / f"{part}.parquet") for part in ("train", "test"))
inputs = [name for name in train.columns if name != "y"]
model = HistGradientBoostingClassifier(max_iter=100, random_state=0).fit(train[inputs], train["y"])
categories = [name for name in inputs if name.startswith("c")]
sets = [Dataset(frame, label="y", cat_features=categories) for frame in (train, test)]
began = time.monotonic()
result = full_suite().run(*sets, model)
took = time.monotonic() - began
print(json.dumps({"seconds": took, "checks": len(result.results)}))
