"""The log: rolling, tailing, full disks, many processes, kill -9."""

import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from lockgate.clock import FakeClock
from lockgate.config_gateway import Durability
from lockgate.errors import Conflict
from lockgate.predictions.log import LogReader, SegmentWriter
from lockgate.predictions.numbered import open_writer
from lockgate.predictions.record import Offset, Record
from lockgate.predictions.segment import is_ended
from lockgate.predictions.writers import end_abandoned

KILLS, MANY_KILLS = 8, 300


def record(name: str, **fields: object) -> Record:
    """A record with an id."""
    return Record(id=name, at_us=1, model="churn", **fields)


def read_all(folder: Path) -> list[str]:
    """Ids of every record in the log."""
    return [found.id for found, _ in LogReader(folder).read({}, 10**9).records]


def segments(folder: Path, writer: str) -> list[Path]:
    """A writer's files, oldest first."""
    return sorted((folder / writer).glob("*.seg"))


def test_what_was_appended_is_read_with_its_place(tmp_path: Path) -> None:
    """A record is read back equal, with the offset that append returned."""
    one, two = record("1", key="k", status=500, error="boom"), record("2")
    with SegmentWriter(tmp_path, "w") as writer:
        places = [writer.append([one]), writer.append([two])]
        batch = LogReader(tmp_path).read({})
    assert batch.records == [(one, places[0]), (two, places[1])]
    assert batch.offsets == {places[1].segment: places[1].position}


def test_a_reader_goes_on_where_it_was(tmp_path: Path) -> None:
    """Each read returns only what came since, in whole frames, at most `limit` records or one frame more."""
    reader = LogReader(tmp_path)
    with SegmentWriter(tmp_path, "w") as writer:
        for name in "abc":
            writer.append([record(name + "1"), record(name + "2")])
        first = reader.read({}, limit=3)
        second = reader.read(first.offsets, limit=3)
        assert [found.id for found, _ in first.records] == ["a1", "a2", "b1", "b2"]
        assert [found.id for found, _ in second.records] == ["c1", "c2"]
        assert reader.read(second.offsets).records == []
        assert reader.backlog_bytes(second.offsets) == 0
        assert reader.backlog_bytes({}) > 0
        writer.append([record("d")])
        assert [found.id for found, _ in reader.read(second.offsets).records] == ["d"]


def test_a_reader_may_start_at_the_end(tmp_path: Path) -> None:
    """`ends` names the place after everything that is there."""
    reader = LogReader(tmp_path)
    with SegmentWriter(tmp_path, "w", segment_bytes=1) as writer:
        writer.append([record("old")])
        writer.append([record("also old")])
        ends = reader.ends()
        writer.append([record("new")])
    assert [found.id for found, _ in reader.read(ends).records] == ["new"]


def test_one_reader_may_be_asked_with_other_offsets(tmp_path: Path) -> None:
    """A reader remembers nothing that hides records from a caller who starts again at the beginning."""
    with SegmentWriter(tmp_path, "w") as writer:
        writer.append([record("1")])
    reader = LogReader(tmp_path)
    done = reader.read({}).offsets
    assert reader.read(done).records == []
    assert [found.id for found, _ in reader.read({}).records] == ["1"]


def test_segments_roll_by_size_and_by_age(tmp_path: Path) -> None:
    """A segment that is large or old enough is ended; nothing is lost at the border."""
    clock = FakeClock()
    with SegmentWriter(tmp_path, "w", segment_bytes=100, segment_s=60, clock=clock) as writer:
        for number in range(6):
            writer.append([record(str(number), key="x" * 150)])
        assert len(segments(tmp_path, "w")) == 6
        clock.sleep(61)
        writer.roll_if_due()
        assert all(is_ended(path, f"w/{path.stem}") for path in segments(tmp_path, "w"))
    assert read_all(tmp_path) == [str(number) for number in range(6)]


def test_offsets_are_committed_with_the_records(tmp_path: Path) -> None:
    """The frame of a reader that writes holds where it has read up to."""
    read = [Offset("other/1", 77)]
    with SegmentWriter(tmp_path, "shadow") as writer:
        place = writer.append([record("answer", of="q")], read=read)
    frames = list(LogReader(tmp_path).frames_of(place.segment))
    assert frames[0].read == read


def test_numbers_grow_even_when_the_clock_steps_back(tmp_path: Path) -> None:
    """A writer whose segments are gone and whose clock was set back makes later names all the same."""
    with SegmentWriter(tmp_path, "w", clock=FakeClock(2_000_000)) as writer:
        first = writer.append([record("1")]).segment
    for path in segments(tmp_path, "w"):
        path.unlink()
    with SegmentWriter(tmp_path, "w", clock=FakeClock(1_000_000)) as writer:
        assert writer.append([record("2")]).segment[:19] > first[:19]


def test_a_clock_that_steps_back_ends_the_segment(tmp_path: Path) -> None:
    """Else it would stay open, and out of the archive, until the clock is back where it was."""
    clock = FakeClock()
    with SegmentWriter(tmp_path, "w", clock=clock) as writer:
        first = writer.append([record("1")]).segment
        assert writer.append([record("2")]).segment == first
        clock.sleep(-86_400)
        second = writer.append([record("3")]).segment
        assert second > first
        assert writer.append([record("4")]).segment == second


def test_several_runs_of_one_work_write_side_by_side(tmp_path: Path) -> None:
    """Each run takes the first free name, so that folders do not pile up."""
    with open_writer(tmp_path, "batch") as one, open_writer(tmp_path, "batch") as two:
        assert one.append([record("1")]).segment.startswith("batch-0/")
        assert two.append([record("2")]).segment.startswith("batch-1/")
    with open_writer(tmp_path, "batch") as again:
        assert again.append([record("3")]).segment.startswith("batch-0/")


def test_a_closed_writer_says_so(tmp_path: Path) -> None:
    """Appending after close is refused, not written without the lock."""
    writer = SegmentWriter(tmp_path, "w")
    writer.close()
    with pytest.raises(Conflict, match="the log of 'w' is closed"):
        writer.append([record("1")])


def test_two_processes_cannot_write_under_one_name(tmp_path: Path) -> None:
    """The second writer of a name is refused while the first lives, and welcome afterwards."""
    with SegmentWriter(tmp_path, "w"), pytest.raises(Conflict, match="another process writes the log as 'w'"):
        SegmentWriter(tmp_path, "w")
    with SegmentWriter(tmp_path, "w") as writer:
        writer.append([record("1")])
    assert read_all(tmp_path) == ["1"]


def test_power_durability_syncs_for_many_threads_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every append returns only after a sync that covers it; threads that wait together share one."""
    synced: list[int] = []
    real, expected_bytes = os.fdatasync, [0]

    def counted(handle: int) -> None:
        real(handle)
        size = os.fstat(handle).st_size
        deadline_s = (
            time.monotonic() + 60
        )  # a slow disk: who comes meanwhile, here all, waits for the next sync
        while os.fstat(handle).st_size < expected_bytes[0] and time.monotonic() < deadline_s:
            time.sleep(0.001)
        synced.append(size)

    monkeypatch.setattr(os, "fdatasync", counted)
    late: list[Offset] = []
    together = threading.Barrier(8)

    def work(writer: SegmentWriter, name: str) -> None:
        for number in range(20):
            if together.wait(60) == 0:
                expected_bytes[0] = first + frame * 8 * (number + 1)
            together.wait(60)
            place = writer.append([record(f"{name}{number:02}")])
            if max(synced) < place.position:
                late.append(place)

    with SegmentWriter(tmp_path, "w", durability=Durability.POWER) as writer:
        before = writer.append([record("y00")]).position
        first = writer.append([record("z00")]).position
        frame = first - before
        threads = [threading.Thread(target=work, args=(writer, name)) for name in "abcdefgh"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert late == []
    assert len(synced) < 8 * 20 / 2
    assert len(set(read_all(tmp_path))) == 162


def test_a_full_disk_leaves_valid_segments(tmp_path: Path) -> None:
    """When a write does not fit, append raises, nothing of the frame stays, and later writes are valid again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with SegmentWriter(tmp_path, "w") as writer:
        writer.append([record("before")])
        size = segments(tmp_path, "w")[0].stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, hard))
        try:
            for _ in range(3):
                with pytest.raises(OSError, match="File too large"):
                    writer.append([record("lost", error="x" * 500)])
                assert segments(tmp_path, "w")[0].stat().st_size == size
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        writer.append([record("after")])
    assert read_all(tmp_path) == ["before", "after"]


def test_a_writer_starts_on_a_full_disk(tmp_path: Path) -> None:
    """With no room to end what a killed writer left, the next one starts all the same and ends it when there is room."""
    child = os.fork()
    if child == 0:
        SegmentWriter(tmp_path, "w").append([record("left")])
        os._exit(0)
    os.waitpid(child, 0)
    (left,) = segments(tmp_path, "w")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (left.stat().st_size, hard))
    try:
        writer = SegmentWriter(tmp_path, "w")
        with pytest.raises(OSError, match="File too large"):
            writer.append([record("lost", error="x" * 500)])
        assert not is_ended(left, f"w/{left.stem}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    writer.append([record("after")])
    writer.roll()
    writer.append([record("more")])
    writer.close()
    assert is_ended(left, f"w/{left.stem}")
    assert sorted(read_all(tmp_path)) == ["after", "left", "more"]


WRITER = textwrap.dedent(
    """
    import os, sys, itertools
    from pathlib import Path
    from lockgate.predictions.log import SegmentWriter
    from lockgate.predictions.record import Record
    writer = SegmentWriter(Path(sys.argv[1]), sys.argv[2], segment_bytes=int(sys.argv[3]))
    count = int(sys.argv[4]) if len(sys.argv) > 4 else None
    for n in itertools.count() if count is None else range(count):
        ids = [f"{os.getpid()}-{n}-{m}" for m in range(n % 4 + 1)]
        writer.append([Record(id=i, at_us=n, model="m", error="e" * (n % 700)) for i in ids])
        os.write(1, ("".join(f"{i}\\n" for i in ids)).encode())
    if count is not None:
        writer.close()
    """
)


def start_writer(
    folder: Path, name: str, segment_bytes: int, count: int | None = None
) -> subprocess.Popen[bytes]:
    """A process that appends and then tells each id on its standard output."""
    arguments = [str(folder), name, str(segment_bytes), *([] if count is None else [str(count)])]
    return subprocess.Popen([sys.executable, "-c", WRITER, *arguments], stdout=subprocess.PIPE)


@pytest.mark.parametrize(
    "kills", [KILLS, pytest.param(MANY_KILLS, marks=[pytest.mark.faults, pytest.mark.timeout(900)])]
)
def test_nothing_told_is_missing_after_kill_9(tmp_path: Path, kills: int) -> None:
    """A writer killed at random moments, again and again: what it had told is in the log, once, and all is readable."""
    rng, told = random.Random(5), []
    reader, tailed, offsets = LogReader(tmp_path), [], {}
    for _ in range(kills):
        process = start_writer(tmp_path, "w", 20_000)
        assert process.stdout is not None
        told.append(process.stdout.readline().decode().strip())
        time.sleep(rng.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().decode()
        told.extend(rest[: rest.rfind("\n") + 1].split())
        process.stdout.close()
        process.wait()
        batch = reader.read(offsets, 10**9)
        tailed.extend(found.id for found, _ in batch.records)
        offsets = batch.offsets
    assert end_abandoned(tmp_path) == ["w"]
    batch = reader.read(offsets, 10**9)
    tailed.extend(found.id for found, _ in batch.records)
    whole = read_all(tmp_path)
    assert len(told) > kills
    assert len(whole) == len(set(whole))
    assert set(told) <= set(whole)
    assert sorted(tailed) == sorted(whole)
    assert batch.damage == []
    assert all(is_ended(path, f"w/{path.stem}") for path in segments(tmp_path, "w"))


def test_readers_beside_writers_see_every_record_once(tmp_path: Path) -> None:
    """Three writing processes and a tailing reader: each record is seen once, in its writer's order."""
    processes = [start_writer(tmp_path, f"w{n}", 30_000, count=1_200) for n in range(3)]
    for process in processes:
        threading.Thread(target=process.communicate, daemon=True).start()
    reader, offsets, seen = LogReader(tmp_path), {}, []
    quiet = 0
    while quiet < 3:
        running = any(process.poll() is None for process in processes)
        batch = reader.read(offsets, 500)
        offsets = batch.offsets
        seen.extend(found.id for found, _ in batch.records)
        assert batch.damage == []
        quiet = 0 if running or batch.records else quiet + 1
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert len(seen) == len(set(seen)) == 3 * 3_000
    for process in processes:
        mine = [tuple(map(int, name.split("-")[1:])) for name in seen if name.startswith(f"{process.pid}-")]
        assert mine == sorted(mine)
