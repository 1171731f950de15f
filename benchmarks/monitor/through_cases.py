"""T1 and T2 through all of lockgate, time compressed, every label thirty days late (`through.py`).

OMP_NUM_THREADS=1 python -m benchmarks.monitor.through_cases [--only T1 T2]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
from benchmarks.monitor.streams import CAR, package, times_of
from benchmarks.monitor.through import Case, Through, through
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

USED = ("car_age", "km_driven", "price_new", "accident_count", "door_count", "fuel", "transmission")


def loans(start: int = 0, end: int = 50_000) -> Case:
    """T1: two columns and the score move at row 25,000, and from there on the model is right less often."""
    folder = package("nannyml") / "datasets/data"
    past = pl.read_csv(folder / "synthetic_car_loan_reference.csv")
    later = pl.read_csv(folder / "synthetic_car_loan_analysis.csv").join(
        pl.read_csv(folder / "synthetic_car_loan_analysis_target.csv"), on="id", maintain_order="left"
    )[start:end]
    model = _fitted(past[:25_000], CAR, "repaid", HistGradientBoostingClassifier(max_iter=60, random_state=0))
    held = past[25_000:].select(*CAR, "repaid")
    return Case("loans", model, held, later, times_of(later["timestamp"]), "repaid", "classification")


def cars(start: int = 0, end: int = 60_000) -> Case:
    """T2: inputs move at row 30,000, and errors become smaller."""
    folder = package("nannyml") / "datasets/data"
    past = pl.read_csv(folder / "regression_synthetic_reference.csv")
    later = pl.read_csv(folder / "regression_synthetic_analysis.csv").join(
        pl.read_csv(folder / "regression_synthetic_analysis_targets.csv"), on="id", maintain_order="left"
    )[start:end]
    model = _fitted(past[:30_000], USED, "y_true", HistGradientBoostingRegressor(max_iter=60, random_state=0))
    held = past[30_000:].select(*USED, "y_true")
    return Case("cars", model, held, later, times_of(later["timestamp"]), "y_true", "regression")


def told(name: str, done: Through) -> list[str]:
    """What was said, after how many rows, and what became of the release."""
    text = [f"{name}: {done.requests} requests, {done.labels:,} labels, releases {', '.join(done.phases)}"]
    for each in done.opened:
        notice = each.said.notice
        over = "" if each.said.ended_us is None else " (over by the end)"
        text.append(
            f"  row {each.row:,}, {notice.source}: {notice.subject}, {notice.severity}{over}: {notice.words}"
        )
    return text


CASES: dict[str, Callable[[], Case]] = {"T1": loans, "T2": cars}


def main() -> None:
    """Every case that is asked for, in a home of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", choices=sorted(CASES), default=sorted(CASES))
    for name in parser.parse_args().only:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="lockgate-through-") as folder:
            done = through(CASES[name](), Path(folder))
        print("\n".join(told(name, done)))
        print(f"({time.monotonic() - began:.0f} s by the clock)\n", flush=True)


def _fitted(train: pl.DataFrame, inputs: tuple[str, ...], target: str, last: object) -> Pipeline:
    words = [name for name in inputs if train[name].dtype == pl.String]
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    first = make_column_transformer((encoder, words), remainder="passthrough")
    return make_pipeline(first, last).fit(train.select(inputs).to_pandas(), train[target].to_numpy())


if __name__ == "__main__":
    main()
