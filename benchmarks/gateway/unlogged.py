"""A gateway worker that writes no log: for the price of the log, and for nothing else."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lockgate.gateway.worker import main
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.record import Offset, Record


def forget(_writer: SegmentWriter, _records: Sequence[Record], _read: Sequence[Offset] = ()) -> Offset:
    """Write nothing."""
    return Offset("", 0)


if __name__ == "__main__":
    for method in ("append", "write"):  # what commits records, with or without bringing them on to the disk
        setattr(SegmentWriter, method, forget)
    sys.exit(main(sys.argv[1:]))
