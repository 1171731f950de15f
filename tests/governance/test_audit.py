"""The chain: appended in the caller's transaction, right under concurrency, and any mutation is found."""

from __future__ import annotations

import threading

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.db import Database
from lockgate.errors import InvalidInput
from lockgate.governance.audit import (
    GENESIS,
    AuditRow,
    FaultKind,
    Head,
    append,
    chain,
    find_faults,
    hash_of,
    head,
    rows,
)


def _chain(length: int) -> list[AuditRow]:
    """A chain built by the rules, without a database."""
    built: list[AuditRow] = []
    for seq in range(1, length + 1):
        row = AuditRow(
            seq=seq,
            at_us=1_000 + seq,
            actor=("ada", "bob", "controller")[seq % 3],
            action="release:canary:advanced",
            subject=f"churn/{seq % 4}",
            details=f'{{"weight":0.{seq}}}',
            prev_hash=built[-1].hash if built else GENESIS,
            hash="",
        )
        built.append(msgspec.structs.replace(row, hash=hash_of(row)))
    return built


def _end(built: list[AuditRow]) -> Head:
    return Head(built[-1].seq, built[-1].hash)


@given(st.integers(1, 30))
def test_an_honest_chain_has_no_faults(length: int) -> None:
    """No alarm when nothing is wrong."""
    built = _chain(length)
    assert find_faults(built, _end(built)) == []


@given(st.data())
def test_any_changed_field_of_any_row_is_found(data: st.DataObject) -> None:
    """Change one field of one row to anything else: at least one fault, and the row is named."""
    built = _chain(12)
    place = data.draw(st.integers(0, 11))
    name = data.draw(st.sampled_from(AuditRow.__struct_fields__))
    old = getattr(built[place], name)
    new = data.draw(
        (st.integers(-5, 99) if isinstance(old, int) else st.text(max_size=30)).filter(lambda v: v != old)
    )
    changed = [*built]
    changed[place] = msgspec.structs.replace(built[place], **{name: new})
    faults = find_faults(changed, _end(built))
    assert faults
    assert any(fault.seq in {place + 1, new} for fault in faults)


@given(st.integers(0, 11))
def test_a_removed_row_is_found(place: int) -> None:
    """Take one row out: the gap is named by its number; at the end it is a cut."""
    built = _chain(12)
    faults = find_faults(built[:place] + built[place + 1 :], _end(built))
    assert faults[0].seq == place + 1
    assert faults[0].kind is (FaultKind.CUT_OFF if place == 11 else FaultKind.REMOVED)


@given(st.integers(1, 12))
def test_a_cut_tail_is_found(kept: int) -> None:
    """Cut any number of rows off the end: the head still knows how long the chain was."""
    built = _chain(13)
    faults = find_faults(built[:kept], _end(built))
    assert [(fault.seq, fault.kind) for fault in faults] == [(kept + 1, FaultKind.CUT_OFF)]


@given(st.integers(0, 11), st.integers(0, 11))
def test_swapped_rows_are_found(left: int, right: int) -> None:
    """Swap what two rows say, each keeping its number: found, unless they are the same row."""
    built = _chain(12)
    swapped = [*built]
    swapped[left] = msgspec.structs.replace(built[right], seq=left + 1)
    swapped[right] = msgspec.structs.replace(built[left], seq=right + 1)
    assert bool(find_faults(swapped, _end(built))) is (left != right)


@given(st.integers(0, 10))
def test_a_row_written_anew_with_its_right_hash_breaks_the_link(place: int) -> None:
    """Whoever recomputes one hash has to recompute all that follow."""
    built = _chain(12)
    forged = msgspec.structs.replace(built[place], actor="mallory")
    changed = [*built]
    changed[place] = msgspec.structs.replace(forged, hash=hash_of(forged))
    faults = find_faults(changed, _end(built))
    assert [(fault.seq, fault.kind) for fault in faults] == [(place + 2, FaultKind.REORDERED)]


def test_a_row_too_much_is_found() -> None:
    """A row behind the head that nobody appended."""
    built = _chain(5)
    assert find_faults(built, _end(built[:4]))[0].kind is FaultKind.CHANGED


def test_append_and_read_back(database: Database) -> None:
    """Rows come back as written, newest first, and can be chosen by subject, actor, action and place."""
    with database.write() as tx:
        for number, actor in enumerate(["ada", "bob", "ada"], start=1):
            seq = append(tx, at_us=number, actor=actor, action="release:canary:advanced", subject=f"churn/{number}",
                         details={"weight": 0.1, "guards": ["errors"], "note": "ü"})  # fmt: skip
            assert seq == number
        append(tx, at_us=9, actor="bob", action="people:role:granted", subject="churner")
    with database.read() as tx:
        assert [row.seq for row in rows(tx)] == [4, 3, 2, 1]
        assert rows(tx, subject="churn/2")[0].values == {"weight": 0.1, "guards": ["errors"], "note": "ü"}
        assert [row.seq for row in rows(tx, subject="churn")] == [3, 2, 1]
        assert [row.seq for row in rows(tx, actor="bob")] == [4, 2]
        assert [row.seq for row in rows(tx, action="release:")] == [3, 2, 1]
        assert [row.seq for row in rows(tx, before=3, limit=1)] == [2]
        assert find_faults(chain(tx), head(tx)) == []


def test_a_rolled_back_act_leaves_no_row(database: Database) -> None:
    """Together or not at all, and the next row takes the number."""
    with database.engine.begin() as tx:
        append(tx, at_us=1, actor="ada", action="release:canary:advanced", subject="churn/1")
        tx.rollback()
    with database.write() as tx:
        assert append(tx, at_us=2, actor="ada", action="release:canary:advanced", subject="churn/1") == 1


def test_many_writers_make_one_chain(database: Database) -> None:
    """Eight threads, each transaction with two rows: numbers without gap, links whole."""

    def write(number: int) -> None:
        for turn in range(10):
            with database.write() as tx:
                for part in ("asked", "answered"):
                    append(
                        tx,
                        at_us=turn,
                        actor=f"writer-{number}",
                        action=f"release:test:{part}",
                        subject="churn/1",
                    )

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as tx:
        found = list(chain(tx))
        assert [row.seq for row in found] == list(range(1, 161))
        assert find_faults(found, head(tx)) == []


def test_reading_while_others_write_raises_no_alarm(database: Database) -> None:
    """One consistent snapshot: a chain that grows meanwhile is never taken for a broken one."""
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            with database.write() as tx:
                append(tx, at_us=1, actor="writer", action="release:test:grown", subject="churn/1")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(30):
            with database.read() as tx:
                found = list(chain(tx))
                assert find_faults(found, head(tx)) == []
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("tag", ["advanced", "Release:x", "a:b:c:d", "release:", "release:canary advanced"])
def test_tags_of_another_form_are_refused(database: Database, tag: str) -> None:
    """InvalidInput: tags are source:subject:action."""
    with database.write() as tx, pytest.raises(InvalidInput, match="source:subject:action"):
        append(tx, at_us=1, actor="ada", action=tag, subject="churn/1")
