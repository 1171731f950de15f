"""What workers say of themselves, and when their word no longer counts."""

from __future__ import annotations

from pathlib import Path

from lockgate.clock import SECOND_US
from lockgate.membership import LEASE_S, Loaded, LoadState, Member, Tripped, members, report, retire


def _member(worker: str, beat_us: int) -> Member:
    return Member(
        worker=worker,
        pid=1,
        host="box",
        port=8401,
        started_us=0,
        beat_us=beat_us,
        epoch=4,
        packages={"sha256:1": Loaded(state=LoadState.READY, load_ms=12.5, executor="compiled")},
        tripped=(Tripped(release=3, reason="5 errors in a row", at_us=beat_us),),
        ready=True,
    )


def test_members_are_read_back_as_reported(tmp_path: Path) -> None:
    """Sorted by name, the newest word of each."""
    report(tmp_path, _member("w2", 10))
    report(tmp_path, _member("w1", 10))
    report(tmp_path, _member("w1", 20))
    assert members(tmp_path, now_us=30) == [_member("w1", 20), _member("w2", 10)]


def test_a_lease_runs_out(tmp_path: Path) -> None:
    """Counted up to the very end of the lease, and not one microsecond later."""
    report(tmp_path, _member("w1", 0))
    lease_us = int(LEASE_S * SECOND_US)
    assert len(members(tmp_path, now_us=lease_us)) == 1
    assert members(tmp_path, now_us=lease_us + 1) == []


def test_a_worker_that_stops_in_good_order_is_gone_at_once(tmp_path: Path) -> None:
    """Retiring twice is no mistake, and leaves no litter."""
    report(tmp_path, _member("w1", 0))
    retire(tmp_path, "w1")
    retire(tmp_path, "w1")
    assert members(tmp_path, now_us=1) == []
    assert list(tmp_path.iterdir()) == []


def test_a_half_written_word_is_never_read(tmp_path: Path) -> None:
    """The temporary file of a killed worker is not taken for its word."""
    (tmp_path / ".w1.77").write_bytes(b'{"worker": "w')
    report(tmp_path, _member("w1", 5))
    assert members(tmp_path, now_us=6) == [_member("w1", 5)]
