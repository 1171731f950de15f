"""How long records are kept."""

from lockgate.blobs import Blobs
from lockgate.clock import DAY_US
from lockgate.config import Home
from lockgate.db import Database
from lockgate.governance import audit
from lockgate.predictions.archive import archive
from lockgate.predictions.compact import compact
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.query import frame
from lockgate.predictions.retain import Keeping, retain
from lockgate.predictions.table import Archive

from .records import NOON_US, scored


def test_days_that_are_over_go_and_it_is_on_record(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """Whole days of one model go, with a count in the audit log; then their files; other models stay."""
    with SegmentWriter(home.log, "w") as log:
        for day in range(5):
            log.append([scored(f"d{day}", at_us=NOON_US + day * DAY_US)])
        log.append([scored("other", model="fraud")])
    archive(home.log, blobs, sqlite)
    table, now_us = Archive(home.log, blobs), NOON_US + 5 * DAY_US
    for went in (2, 0):
        keeping = Keeping(3.0, "low/2")
        assert retain(table, sqlite, "churn", keeping=keeping, needed_us=None, now_us=now_us) == went
    assert frame(home, blobs, "churn")["id"].to_list() == ["d2", "d3", "d4"]
    assert frame(home, blobs, None)["id"].to_list()[0] == "other"
    with sqlite.read() as tx:
        (row,) = audit.rows(tx, action="log:records")
    assert (row.subject, row.values["records"], row.values["before"]) == ("churn", 2, "2026-03-03")
    assert (row.values["keep_days"], row.values["said_by"]) == (3.0, "low/2")
    assert compact(table, safe_h=0).removed == 2


def test_what_a_running_release_needs_stays(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """Nothing from the moment on that somebody still needs is taken."""
    with SegmentWriter(home.log, "w") as log:
        for day in range(5):
            log.append([scored(f"d{day}", at_us=NOON_US + day * DAY_US)])
    archive(home.log, blobs, sqlite)
    gone = retain(
        Archive(home.log, blobs), sqlite, "churn",
        keeping=Keeping(1, "settings"), needed_us=NOON_US + DAY_US, now_us=NOON_US + 5 * DAY_US,
    )  # fmt: skip
    assert gone == 1
    assert frame(home, blobs, "churn").height == 4
