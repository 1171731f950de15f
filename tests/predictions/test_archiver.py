"""The archiver's loop: what fails is told, tried again, and costs no record."""

import threading

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.db import Database
from lockgate.predictions import archiver
from lockgate.predictions.archive import archive
from lockgate.predictions.log import LogReader, SegmentWriter
from lockgate.predictions.query import frame

from .records import scored


def test_an_archive_that_is_away_is_told_and_taken_up_again(
    home: Home, blobs: Blobs, sqlite: Database
) -> None:
    """While the store is away segments stay and it is told why; when it is back they are archived."""
    for name in "ab":
        with SegmentWriter(home.log, "w") as log:
            log.append([scored(name)])
        if name == "a":
            archive(home.log, blobs, sqlite)
            (home.blobs / "archive").rename(home.root / "away")
    stop, told = threading.Event(), []

    def tell(trouble: str | None) -> None:
        told.append(trouble)
        if len(told) == 2:
            assert len(LogReader(home.log).segments()) == 1
            (home.root / "away").rename(home.blobs / "archive")
        if trouble is None:
            stop.set()

    archiver.run(home, blobs, sqlite, stop, every_s=0.01, tell=tell)
    assert "is not in its store" in str(told[0])
    assert told[-1] is None
    assert sorted(frame(home, blobs, "churn")["id"]) == ["a", "b"]
    assert LogReader(home.log).segments() == []
