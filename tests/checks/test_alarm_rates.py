"""Short forms of the benchmarks of quality and leakage: honest tables raise no alarm, planted faults are named."""

from __future__ import annotations

import pytest
from benchmarks.checks import leakage, quality


@pytest.mark.parametrize("seed", range(6))
def test_honest_tables_raise_no_alarm(seed):
    """Counts, amounts, shares, codes, tails, categories, plans, slow signals: neither check says anything."""
    assert quality.alarms(quality.table(seed), seed) == []
    assert leakage.alarms(leakage.table(seed), seed) == []


@pytest.mark.parametrize("fault", quality.FAULTS)
def test_each_fault_of_quality_is_named(fault):
    """Planted into an honest table."""
    plant, subject = quality.FAULTS[fault]
    assert any(each.startswith(subject) for each in quality.alarms(plant(quality.table(1)), 1))


@pytest.mark.parametrize("leak", leakage.LEAKS)
def test_each_leak_is_named(leak):
    """Planted into an honest table, one with clock times and one with days."""
    plant, subject = leakage.LEAKS[leak]
    for seed in (1, 2):
        assert any(each.startswith(subject) for each in leakage.alarms(plant(leakage.table(seed)), seed))
