"""Memory of processes over time, and whether it grows: a slope per hour with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

HOUR_S = 3600.0
STUDENT_95 = 2.0  # Student's t for 30 blocks and more; a little wider below


@dataclass
class Samples:
    """The memory of one process, in MB: private pages and its share of common ones (PSS)."""

    at_s: list[float] = field(default_factory=list)
    mb: list[float] = field(default_factory=list)

    def take(self, at_s: float, pid: int) -> None:
        """One sample; none of a process that is gone."""
        found = pss_mb(pid)
        if found is not None:
            self.at_s.append(at_s)
            self.mb.append(found)

    def slope(self, after_s: float = 0.0, block_s: float = 60.0) -> tuple[float, float]:
        """Growth in MB an hour, and the half-width of its 95 % interval.

        Least squares over the means of blocks (neighbouring samples are not independent). Raises ValueError for fewer than
        four blocks.
        """
        at, mb = np.array(self.at_s), np.array(self.mb)
        at, mb = at[at >= after_s], mb[at >= after_s]
        blocks = ((at - after_s) // block_s).astype(int)
        x = np.array([at[blocks == b].mean() for b in np.unique(blocks)]) / HOUR_S
        y = np.array([mb[blocks == b].mean() for b in np.unique(blocks)])
        if len(x) < 4:
            raise ValueError(f"{len(x)} blocks of {block_s:g} s are too few for a slope")
        spread = ((x - x.mean()) ** 2).sum()
        slope = float(((x - x.mean()) * (y - y.mean())).sum() / spread)
        left = y - y.mean() - slope * (x - x.mean())
        error = math.sqrt(float((left**2).sum()) / (len(x) - 2) / spread)
        return slope, error * (STUDENT_95 + 5 / len(x))


def pss_mb(pid: int) -> float | None:
    """The proportional memory of a process in MB; None when it is gone."""
    try:
        words = Path(f"/proc/{pid}/smaps_rollup").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(words[words.index("Pss:") + 1]) / 1000 if "Pss:" in words else None
