"""Straight scipy: two samples of Kolmogorov and Smirnov for numbers, chi-square for words, a test a column."""

import json
import os
import sys
import time

import numpy as np
import pandas as pd
from scipy import stats

wall, began = time.monotonic(), os.times()
before, after = (pd.read_parquet(path) for path in sys.argv[1:3])
for name in before.columns:
    if before[name].dtype == object:
        both = pd.concat([each[name].value_counts() for each in (before, after)], axis=1).fillna(0)
        stats.chi2_contingency(both.to_numpy().T)
    else:
        stats.ks_2samp(np.asarray(before[name]), np.asarray(after[name]), method="asymp")
ended = os.times()
print(
    json.dumps(
        {"wall_s": time.monotonic() - wall, "cpu_s": ended.user + ended.system - began.user - began.system}
    )
)
