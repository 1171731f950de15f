"""The section `monitor` of a model: how its rows are cut when drift is looked for."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from msgspec import Meta

FEWEST_ROWS = 100  # of a chunk: the distance of fewer is chance
MOST_ROWS = 1_000_000_000  # nobody waits for the end of more
MOST_HOURS = 366 * 24
HOURS = {"h": 1, "d": 24, "w": 168}
_CHUNK = r"^\s*([1-9]\d*)\s*(rows|h|hours?|d|days?|w|weeks?)\s*$"
_ALLOWED = (
    f"6 hours, 1 day, 2 weeks, 10000 rows ({FEWEST_ROWS} or more), a year or {MOST_ROWS:,} rows at most"
)


class MonitorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a model is watched. `chunk`: the rows that are judged together: at least so long (`6 hours`, `1 day`, `2 weeks`), or
    at least so many (`10000 rows`); None: 500 rows and a day."""

    chunk: (
        Annotated[str, Meta(extra_json_schema={"pattern": _CHUNK, "examples": ["1 day", "10000 rows"]})]
        | None
    ) = None

    def __post_init__(self) -> None:
        """Raise ValueError for a chunk that cannot be read, holds too few rows, or hardly ever ends."""
        rows, hours = self.cut
        if self.chunk is not None and not (FEWEST_ROWS <= rows <= MOST_ROWS or 0 < hours <= MOST_HOURS):
            raise ValueError(f"'{self.chunk}' is no chunk; allowed: {_ALLOWED}")

    @property
    def cut(self) -> tuple[int, int]:
        """How many rows a chunk has at least, and how many hours; 0 where nothing is asked."""
        found = re.match(_CHUNK, self.chunk or "")
        if found is None:
            return 0, 0
        count, unit = int(found[1]), found[2]
        return (count, 0) if unit == "rows" else (0, count * HOURS[unit[0]])
