"""Bounds that hold at every look: measured, not believed."""

import numpy as np
import pytest

from lockgate.release.shadow_bounds import anytime_share, log_e, rows_until


@pytest.mark.parametrize("share", [0.01, 0.05, 0.5])
def test_bounds_rarely_miss_at_any_look(share: float) -> None:
    """Of 400 runs of 3,000 rows, looked at after every row, at most 5 % (and three standard errors) ever miss the truth."""
    rng, threshold = np.random.default_rng(1), np.log(20)
    hits = np.cumsum(rng.random((400, 3_000)) < share, axis=1)
    rows = np.arange(1, 3_001)
    from_all = np.vectorize(lambda k, n: log_e(k, n, share))(hits[:, ::10], rows[::10])
    missed = (from_all >= threshold).any(axis=1).mean()
    assert missed <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_bounds_hold_the_share_and_shrink() -> None:
    """The bounds hold what was seen, reach 0 and 1 at the ends, and are narrower with more rows."""
    few, many = anytime_share(5, 100), anytime_share(500, 10_000)
    assert few.low < few.value < few.high
    assert many.high - many.low < (few.high - few.low) / 4
    assert anytime_share(0, 50).low == 0.0
    assert anytime_share(50, 50).high == 1.0
    assert (anytime_share(0, 0).low, anytime_share(0, 0).high) == (0.0, 1.0)


def test_the_forecast_of_rows_comes_true() -> None:
    """From 200 rows on, the rows forecast for a share of 2 % against a limit of 5 % are right within a factor of two."""
    rng = np.random.default_rng(2)
    ratios = []
    for _ in range(100):
        drawn = np.cumsum(rng.random(20_000) < 0.02)
        forecast = rows_until(4, 200, 0.05)
        needed = next(n for n in range(201, 20_000, 20) if log_e(drawn[n - 1], n, 0.05) >= np.log(20)) - 200
        assert forecast is not None
        ratios.append(needed / forecast)
    assert 0.5 < float(np.median(ratios)) < 2.0


def test_a_share_at_the_limit_is_never_told() -> None:
    """When the share lies at the limit there is no number of rows that tells; when it is told, none are missing."""
    assert rows_until(499_999, 9_999_999, 0.05) is None or rows_until(499_999, 9_999_999, 0.05) > 10_000_000
    assert rows_until(0, 1_000, 0.05) == 0
