"""deepchecks' check of drift by feature, every row (its default looks at a sample)."""

import json
import os
import sys
import time

import pandas as pd
from deepchecks.tabular import Dataset
from deepchecks.tabular.checks import FeatureDrift

wall, began = time.monotonic(), os.times()
before, after = (pd.read_parquet(path) for path in sys.argv[1:3])
words = [name for name in before.columns if before[name].dtype == object]
FeatureDrift(n_samples=len(before)).run(
    Dataset(before, cat_features=words), Dataset(after, cat_features=words)
)
ended = os.times()
print(
    json.dumps(
        {"wall_s": time.monotonic() - wall, "cpu_s": ended.user + ended.system - began.user - began.system}
    )
)
