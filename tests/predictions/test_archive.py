"""The archive: exactly once, whatever dies; removed only when nobody needs it."""

import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.db import Database
from lockgate.errors import Conflict
from lockgate.predictions.archive import archive, commit_ended
from lockgate.predictions.compact import compact
from lockgate.predictions.flat import flat, record_of
from lockgate.predictions.log import LogReader, SegmentWriter
from lockgate.predictions.offsets import commit_offsets, register_reader
from lockgate.predictions.record import Attempt, Kind, Offset, Record, blocks_of
from lockgate.predictions.table import TABLE, Archive
from lockgate.predictions.writers import claim
from lockgate.traffic import Role

from .records import scored

DAY_US = 86_400_000_000


def write(home: Home, names: list[str], writer: str = "w") -> None:
    """One ended segment with a record of each name."""
    with SegmentWriter(home.log, writer) as log:
        for name in names:
            log.append([scored(name)])


def archived(home: Home, blobs: Blobs) -> list[str]:
    """Ids of all records in the table."""
    rows = Archive(home.log, blobs).look().rows()
    return [] if rows is None else rows.collect()["id"].to_list()


def test_a_record_survives_the_table_exactly() -> None:
    """Every field of a record, NaN, infinity and float32 included, comes back from its row as it was."""
    record = Record(
        id="1", at_us=5, latency_us=7, model="m", version=2, digest="sha256:x", role=Role.CANARY, assigned=Role.LIVE,
        weight=0.1, epoch=3, release=4, stage=1, forced=True, key="k", inference_id="i", caller="c", status=500, rows=2,
        inputs=blocks_of({"a": np.array([np.nan, np.inf]), "b": np.array([0.1, 3], dtype=np.float32),
                          "s": np.array(["x", None], dtype=object)}),
        outputs=blocks_of({"v": np.ones((2, 3), dtype=np.float16)}), error="boom",
        failed=Attempt(3, "sha256:y", "timeout", "late", 9), of="0", kind=Kind.SHADOW,
    )  # fmt: skip
    plain = Record(id="2", at_us=6, model="m")
    frame = flat([(record, Offset("w/1", 9)), (plain, Offset("w/1", 9))])
    assert [record_of(row) for row in frame.iter_rows(named=True)] == [record, plain]
    assert frame["place"].to_list() == [0, 1]


def test_ended_segments_move_to_the_table(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """An ended segment is committed and its file removed; the open one stays; a second pass does nothing."""
    write(home, ["a", "b"])
    with SegmentWriter(home.log, "w") as log:
        log.append([scored("open", at_us=DAY_US)])
        done = archive(home.log, blobs, sqlite)
        assert len(done.committed) == len(done.removed) == 1
        assert archived(home, blobs) == ["a", "b"]
        assert len(LogReader(home.log).segments()) == 1
        assert archive(home.log, blobs, sqlite).committed == ()
    archive(home.log, blobs, sqlite)
    assert sorted(archived(home, blobs)) == ["a", "b", "open"]
    table = Archive(home.log, blobs).look().table
    assert table is not None
    assert table.metadata().partition_columns == ["model", "day"]


def test_a_file_waits_for_every_registered_reader(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """The file of a committed segment stays until each registered reader is past it, and is not committed twice."""
    write(home, ["a"])
    with sqlite.write() as tx:
        register_reader(tx, "shadow", 1)
    first = archive(home.log, blobs, sqlite)
    (segment,) = first.committed
    assert first.removed == ()
    assert first.held_by == {segment: ["shadow"]}
    with sqlite.write() as tx:
        commit_offsets(tx, "shadow", LogReader(home.log).read({}).offsets, 2)
    second = archive(home.log, blobs, sqlite)
    assert (second.committed, second.removed) == ((), (segment,))
    assert archived(home, blobs) == ["a"]


def test_dead_writers_are_archived_too(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """The segment of a process that was killed and never came back is ended and committed."""
    code = "import os,sys;from pathlib import Path;from lockgate.predictions.log import SegmentWriter as W;"
    code += "from lockgate.predictions.record import Record as R;"
    code += "W(Path(sys.argv[1]),'gone').append([R(id='x',at_us=1,model='m')]);os.kill(os.getpid(),9)"
    killed = subprocess.run([sys.executable, "-c", code, str(home.log)], check=False)
    assert killed.returncode == -signal.SIGKILL
    archive(home.log, blobs, sqlite)
    assert archived(home, blobs) == ["x"]


def test_an_earlier_open_segment_holds_back_the_later_ones(home: Home, blobs: Blobs) -> None:
    """Segments of a writer are committed in order, so that one number says what is archived."""
    write(home, ["a"])
    write(home, ["b"])
    first = sorted((home.log / "w").glob("*.seg"))[0]
    body = first.read_bytes()
    first.write_bytes(body[:-8])  # as if its end mark had not reached the file yet
    assert commit_ended(home.log, blobs) == []
    first.write_bytes(body)
    assert len(commit_ended(home.log, blobs)) == 2


def test_boxes_that_begin_a_table_at_once_share_it(tmp_path: Path) -> None:
    """Whoever is second appends to the first one's table: its id stays, and no box takes it for another archive."""
    for attempt in range(8):
        blobs = Blobs(str(tmp_path / f"store{attempt}"))
        boxes = [Home(tmp_path / f"{name}{attempt}").prepare() for name in ("one", "two")]
        for home in boxes:
            write(home, [home.root.name])
        together = threading.Barrier(len(boxes))
        with ThreadPoolExecutor(len(boxes)) as pool:
            list(pool.map(lambda home: (together.wait(), commit_ended(home.log, blobs)), boxes))  # noqa: B023
        for home in boxes:
            assert sorted(archived(home, blobs)) == sorted(box.root.name for box in boxes)


def test_one_archiver_at_a_time(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """A second archiver of the same log is refused."""
    lock = claim(home.log)
    assert lock is not None
    with pytest.raises(Conflict, match="another process archives"):
        archive(home.log, blobs, sqlite)


def test_compacting_keeps_rows_and_what_is_known_as_archived(
    home: Home, blobs: Blobs, sqlite: Database
) -> None:
    """Small files are joined; no row is lost or doubled, and no segment is committed again."""
    for name in "abc":
        write(home, [name])
        commit_ended(home.log, blobs)
    segments = LogReader(home.log).segments()
    done = compact(Archive(home.log, blobs))
    look = Archive(home.log, blobs).look()
    assert look.table is not None
    assert (done.joined, done.written, len(look.table.file_uris())) == (3, 1, 1)
    assert all(look.holds(segment) for segment in segments)
    assert commit_ended(home.log, blobs) == []
    assert sorted(archived(home, blobs)) == ["a", "b", "c"]


ARCHIVER = textwrap.dedent(
    """
    import sys
    from lockgate.blobs import Blobs
    from lockgate.config import Home
    from lockgate.db import open_database
    from lockgate.predictions.archive import archive
    from pathlib import Path
    home = Home(Path(sys.argv[1]))
    blobs, database = Blobs(str(home.blobs)), open_database(f"sqlite:///{home.database}")
    print("ready", flush=True)
    while True:
        archive(home.log, blobs, database)
    """
)


def test_kill_9_of_the_archiver_neither_doubles_nor_loses(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """An archiver killed at random moments while segments come: in the end each record is in the table once."""
    rng, names = random.Random(3), []
    with SegmentWriter(home.log, "w", segment_bytes=1) as log:
        for _ in range(8):
            process = subprocess.Popen(
                [sys.executable, "-c", ARCHIVER, str(home.root)], stdout=subprocess.PIPE
            )
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            deadline = time.monotonic() + rng.uniform(0.02, 0.3)
            while time.monotonic() < deadline:
                names.append(f"r{len(names)}")
                log.append([scored(names[-1])])
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.stdout.close()
            process.wait()
    archive(home.log, blobs, sqlite)
    assert sorted(archived(home, blobs)) == sorted(names)
    assert LogReader(home.log).segments() == []
    assert Path(f"{blobs.url}/{TABLE}").is_dir()
