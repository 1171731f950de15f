"""Tables whose truth is known, made by numpy alone, so that every peer's environment makes the very same ones."""

from __future__ import annotations

import numpy as np

COLUMNS, SHIFTED = 60, 3
NUMBERS = ("amount", *(f"n{place}" for place in range(6)))
CHANNELS, COLOURS = ("web", "phone", "shop", "mail", "agent"), ("red", "green", "blue")
SLICE = ("channel", "amount")  # the columns of the planted slice
SLICE_ROWS, TURNED = 10_000, 0.5


def pair(seed: int, by: float, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Two tables of normal numbers, shape (rows, 60) each; the first three columns of the later one lie `by` higher."""
    draw = np.random.default_rng(seed)
    before, after = draw.normal(size=(2, rows, COLUMNS))
    after[:, :SHIFTED] += by
    return before, after


def names(columns: int = COLUMNS) -> list[str]:
    """c0, c1, ..."""
    return [f"c{place}" for place in range(columns)]


def right_and_wrong(named: list[str]) -> tuple[int, int]:
    """How many of the moved columns of `pair` are named, and how many others."""
    moved = set(names(SHIFTED))
    return len(moved & set(named)), len(set(named) - moved)


def sliced(seed: int, turned: float = TURNED, rows: int = SLICE_ROWS) -> tuple[dict[str, np.ndarray], ...]:
    """Training and test columns: seven numbers, three categories, and `y`, which depends on three of them.

    Of the test rows where channel is "phone" and amount above 0.5 (6 % of them) that share of labels is turned round.
    """
    draw = np.random.default_rng(seed)
    train, test = _columns(draw, rows), _columns(draw, rows)
    hit = (test["channel"] == "phone") & (test["amount"] > 0.5) & (draw.random(rows) < turned)
    test["y"] = np.where(hit, 1 - test["y"], test["y"])
    return train, test


def _columns(draw: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    columns: dict[str, np.ndarray] = {name: draw.normal(size=rows) for name in NUMBERS}
    columns |= {"channel": draw.choice(CHANNELS, rows), "colour": draw.choice(COLOURS, rows)}
    columns["size"] = draw.integers(0, 5, rows).astype(float)
    lean = 2.0 * columns["n0"] + columns["n1"] * (columns["channel"] == "web") + columns["n2"]
    columns["y"] = (draw.random(rows) < 1 / (1 + np.exp(-lean))).astype(int)
    return columns


def coded(columns: dict[str, np.ndarray]) -> np.ndarray:
    """What a model takes of `sliced`, shape (rows, 10): categories as numbers."""
    places = {name: float(place) for place, name in enumerate((*CHANNELS, *COLOURS))}
    return np.column_stack([
        np.vectorize(places.get)(values) if values.dtype.kind == "U" else values
        for name, values in columns.items() if name != "y"
    ])  # fmt: skip
