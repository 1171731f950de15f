"""What stands in for operators that graphs do not have; the networks themselves are held in `test_training.py`."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lockgate.vision.traceable import pooling


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_pooling_is_a_mean_over_each_cell(cells: int, made: int, seed: int) -> None:
    """As adaptive pooling is defined, window by window: more, fewer and as many cells as came in."""
    values = np.random.default_rng(seed).normal(size=cells)
    ends = [(int(np.floor(i * cells / made)), int(np.ceil((i + 1) * cells / made))) for i in range(made)]
    means = [values[first:end].mean() for first, end in ends]
    assert np.allclose(pooling(cells, made) @ values, means)
