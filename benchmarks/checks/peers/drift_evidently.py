"""evidently's preset for drift of a table, its defaults."""

import json
import os
import sys
import time

import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset

wall, began = time.monotonic(), os.times()
before, after = (pd.read_parquet(path) for path in sys.argv[1:3])
Report([DataDriftPreset()]).run(after, before).dict()
ended = os.times()
print(
    json.dumps(
        {"wall_s": time.monotonic() - wall, "cpu_s": ended.user + ended.system - began.user - began.system}
    )
)
