"""nannyml's univariate drift, its defaults, the later rows as one chunk."""

import json
import os
import sys
import time

import nannyml
import pandas as pd

wall, began = time.monotonic(), os.times()
before, after = (pd.read_parquet(path) for path in sys.argv[1:3])
calculator = nannyml.UnivariateDriftCalculator(column_names=list(before.columns), chunk_size=len(after))
calculator.fit(before).calculate(after)
ended = os.times()
print(
    json.dumps(
        {"wall_s": time.monotonic() - wall, "cpu_s": ended.user + ended.system - began.user - began.system}
    )
)
