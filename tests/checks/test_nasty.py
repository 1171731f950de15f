"""Columns that break: short form of `benchmarks/checks/nasty.py`, and the runs of that benchmark."""

from __future__ import annotations

import pytest
from benchmarks.checks.nasty import FAULTS, Fault, own
from benchmarks.checks.run import Run


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_broken_column_is_named_for_what_it_is(fault: Fault):
    """The right finding and no crash, no other column named in these tables; what is no change is left in peace."""
    assert [own(fault, seed) for seed in range(2)] == [["right"]] * 2


def test_a_run_that_was_broken_off_goes_on(tmp_path):
    """What was measured is kept until the run has ended; parts may be measured again; the next run begins anew."""
    counts = {"value": 0}

    def measure() -> dict[str, int]:
        counts["value"] += 1
        return dict(counts)

    run = Run(folder=tmp_path / "results")
    for _ in range(2):
        run.begin(None)
        assert run.measured("drift.lockgate", measure) == {"value": 1}
    run.measured("growth.500", measure)
    run.begin(("drift",))
    assert run.measured("drift.lockgate", measure) == {"value": 3}
    assert run.measured("growth.500", measure) == {"value": 2}
    run.end()
    run.begin(None)
    assert run.measured("growth.500", measure) == {"value": 4}
