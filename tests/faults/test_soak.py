"""Load for a while on a whole box: nothing lost, nothing doubled, no error, memory that does not grow."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from tests.faults.memory import Samples, pss_mb
from tests.faults.soak import run


def noisy(slope_mb_per_hour: float) -> Samples:
    """An hour of samples, one every five seconds, with noise of one megabyte."""
    noise = np.random.default_rng(4).normal(size=720)
    at_s = np.arange(720) * 5.0
    return Samples(list(at_s), list(80 + slope_mb_per_hour * at_s / 3600 + noise))


def test_a_slope_is_found_with_its_interval() -> None:
    """Ten megabytes an hour are seen as ten; none as none, within the interval that is given."""
    slope, half = noisy(10.0).slope(300)
    assert abs(slope - 10.0) < half < 1.0
    slope, half = noisy(0.0).slope(300)
    assert abs(slope) < half < 1.0


def test_too_few_samples_give_no_slope() -> None:
    """Three minutes are no trend."""
    with pytest.raises(ValueError, match="too few"):
        Samples([0.0, 60.0, 120.0], [1.0, 1.0, 1.0]).slope()


def test_the_memory_of_a_process_is_read() -> None:
    """This one has some; one that is gone has none."""
    assert (pss_mb(os.getpid()) or 0) > 10
    assert pss_mb(2**22 + 1) is None


@pytest.mark.faults
@pytest.mark.timeout(1200)
def test_five_minutes_at_seventy_percent(tmp_path: Path) -> None:
    """The harness of the hour-long soak, for five minutes."""
    affinity = os.sched_getaffinity(0)
    try:
        found = run(tmp_path, 300, 0.7)
    finally:
        os.sched_setaffinity(0, affinity)
    print(found)
    assert found["errors"] == found["missing"] == found["doubled"] == 0
    assert found["logged"] == found["answered"]
    assert found["exit_status"] == 0
