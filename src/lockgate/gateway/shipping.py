"""The way home of this host's log: ended segments go to the control plane one by one, in the order of each writer."""

from __future__ import annotations

from pathlib import Path

from lockgate.gateway.control import Control
from lockgate.predictions.log import LogReader
from lockgate.predictions.personal import KEYS_SUFFIX
from lockgate.predictions.segment import SUFFIX, is_ended
from lockgate.predictions.writers import end_abandoned

SEGMENT_S = 5.0  # how long a worker of a far host writes one segment: so much later does the control plane see a record


def ship(control: Control, host: str, log: Path) -> int:
    """Hand in every ended segment and take it away; how many went. A writer's later segments wait for its earlier ones.

    The keys of a segment's personal inputs go before it. Raises Unavailable without contact: what is here stays, and
    nothing is handed in twice.
    """
    end_abandoned(log)
    waiting: set[str] = set()
    went = 0
    for segment in LogReader(log).segments():
        writer, path = segment.partition("/")[0], log / f"{segment}{SUFFIX}"
        if writer in waiting or not is_ended(path, segment):
            waiting.add(writer)
            continue
        keys = path.with_suffix(KEYS_SUFFIX)
        if keys.exists():
            control.hand_in_keys(host, segment, keys)
        control.hand_in(host, segment, path)
        keys.unlink(missing_ok=True)
        path.unlink()
        went += 1
    return went
