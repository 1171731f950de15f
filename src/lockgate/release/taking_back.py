"""What is taken back from counts: evidence of a stage whose split was broken, times of a clock that was ahead."""

from __future__ import annotations

from lockgate.release.counts import Counts, StageCounts
from lockgate.release.guards import LATE


def void(counts: Counts, stage: int, seq: int) -> None:
    """Drop the evidence of a stage whose split was broken; both the guards and the split guard begin anew."""
    counts.guards = {
        name: process.void(stage)
        for name, process in counts.guards.items()
        if name not in LATE  # what labels say comes anew, from a look that knows of this
    }
    counts.labelled, counts.losses, counts.watched_labels, counts.business = 0, None, None, {}
    counts.label_means = {}
    if stage in counts.stages:
        counts.stages[stage] = StageCounts(weight=counts.stages[stage].weight)
    counts.stage_keys, counts.pair_refused, counts.pair_errors = set(), 0, 0
    counts.voided = seq


def set_back(counts: Counts, now_us: int) -> None:
    """Take no record to be newer than now: its clock was ahead. What was counted stays, as nothing of it hangs on times."""
    counts.newest_us = min(counts.newest_us, now_us)
    counts.shadow_us = min(counts.shadow_us, now_us)
    counts.first_us = min(counts.first_us, now_us)
