"""Part of the leakage check: long texts that share most of their words.

Each text has a signature: for some ways to hash words, the least hash of its words. Two texts agree in one of these as often as
the share of words that they have in common (minhash: Broder 1997, On the resemblance and containment of documents).
"""

from __future__ import annotations

import numpy as np
import polars as pl

SEEDS = 24
_A_BAND = 2  # least hashes that must agree before two texts are compared
_ALIKE = 0.8
_FEWEST_WORDS = 5.0
_OWN = 0.5  # of the rows: text that repeats more often is a category


def is_text(series: pl.Series) -> bool:
    """Whether a column holds sentences, most of them once."""
    there = series.drop_nulls() if series.dtype == pl.String else series.head(0)
    if not len(there) or there.n_unique() < _OWN * len(there):
        return False
    return float(there.str.count_matches(r"\S+").mean() or 0.0) >= _FEWEST_WORDS  # type: ignore[arg-type]


def signatures(series: pl.Series) -> np.ndarray:
    """The least hashes of each text's words, shape (n, SEEDS); missing and empty texts share one signature."""
    words = series.str.to_lowercase().str.extract_all(r"\w+")
    frame = pl.DataFrame({"row": np.arange(len(series)), "word": words}).explode("word")
    least = [pl.col("word").hash(seed=seed).min().alias(str(seed)) for seed in range(SEEDS)]
    made = frame.group_by("row").agg(least).sort("row")
    return made.drop("row").to_numpy().astype(np.uint64).view(np.int64)


def band(signed: np.ndarray, number: int) -> np.ndarray:
    """A number (n,) that two texts share when they agree in the least hashes of that band."""
    first = number * _A_BAND % SEEDS
    made = np.zeros(len(signed), dtype=np.int64)
    for place in range(first, first + _A_BAND):
        made = made * 1_000_003 ^ signed[:, place]
    return made


def alike(signed: np.ndarray, one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Whether pairs of texts (row numbers) share at least four fifths of their words, as far as signatures tell."""
    return np.asarray((signed[one] == signed[two]).mean(axis=1) >= _ALIKE)
