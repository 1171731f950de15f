"""alibi-detect's TabularDrift: Kolmogorov and Smirnov or chi-square a column, corrected by Bonferroni."""

import json
import os
import sys
import time

import numpy as np
import pandas as pd
from alibi_detect.cd import TabularDrift

wall, began = time.monotonic(), os.times()
before, after = (pd.read_parquet(path) for path in sys.argv[1:3])
words = {place: None for place, name in enumerate(before.columns) if before[name].dtype == object}
codes = [frame.apply(lambda each: each if each.dtype != object else each.map(ord)).to_numpy(np.float32)
         for frame in (before, after)]  # fmt: skip
TabularDrift(codes[0], p_val=0.05, categories_per_feature=words).predict(codes[1])
ended = os.times()
print(
    json.dumps(
        {"wall_s": time.monotonic() - wall, "cpu_s": ended.user + ended.system - began.user - began.system}
    )
)
