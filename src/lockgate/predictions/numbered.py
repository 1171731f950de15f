"""Writers for work of which several may run at once: each under the first number of a name that is free."""

from __future__ import annotations

import itertools
from contextlib import suppress
from pathlib import Path

from lockgate.errors import Conflict
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.personal import Protector


def open_writer(folder: Path, name: str, protector: Protector | None = None) -> SegmentWriter:
    """A writer under the first free of `<name>-0`, `<name>-1`, ..."""
    for number in itertools.count():
        with suppress(Conflict):
            return SegmentWriter(folder, f"{name}-{number}", protector=protector)
    raise AssertionError("counting has no end")
