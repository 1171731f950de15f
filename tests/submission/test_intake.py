"""Large tables are taken without being held whole, and make the very version that they would make whole."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from tests.submission.conftest import Desk

from lockgate.config import ModelConfig
from lockgate.datasets import large
from lockgate.datasets.dataset import load_dataset
from lockgate.errors import InvalidInput
from lockgate.submission import intake
from lockgate.submission.parts import Part, Parts


@pytest.fixture
def handed(tmp_path: Path) -> Parts:
    """A model of two numbers, one of which misses a value in a lone row, and its tables as files."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(3_000, 2)).round(3)
    frame = pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": (x[:, 0] > 0).astype(int)})
    fitted = LogisticRegression().fit(frame.select("a", "b").to_pandas(), frame["y"].to_numpy())
    joblib.dump(fitted, tmp_path / "model.joblib")
    frame.write_parquet(tmp_path / "train.parquet")
    frame.reverse().write_csv(tmp_path / "test.csv")
    files = {"train": tmp_path / "train.parquet", "test": tmp_path / "test.csv"}
    return Parts(
        model=Part.of(tmp_path / "model.joblib"), data={name: Part.of(path) for name, path in files.items()}
    )


def test_in_pieces_or_whole_it_is_the_same_version(
    desk: Desk, handed: Parts, monkeypatch: pytest.MonkeyPatch
):
    """Taken as large files, from which 200 rows stand for all, the package has inputs, proof and data of the one taken whole."""
    settings = ModelConfig(target="y")
    whole = desk.submit(handed, settings=settings).version
    monkeypatch.setattr(large, "LARGE_CELLS", 100)
    monkeypatch.setattr(large, "LARGE_BYTES", 100)
    monkeypatch.setattr(intake, "MOST_ROWS", 200)
    pieces = desk.submit(handed, model="other", settings=settings).version
    assert pieces.manifest.data == whole.manifest.data
    assert pieces.manifest.signature == whole.manifest.signature
    assert pieces.manifest.compiled.parity is not None
    assert load_dataset(desk.rooms.blobs, pieces.manifest.data["test"]).height == 3_000
    assert desk.left_over() == []


def test_data_without_a_known_use_are_refused(desk: Desk, handed: Parts, tmp_path: Path):
    """There are three uses; the error lists them."""
    odd = Parts(model=handed.model, data={"holdout": handed.data["test"]})
    with pytest.raises(InvalidInput, match="train, validation, test"):
        desk.submit(odd)
