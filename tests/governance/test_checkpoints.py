"""Signed checkpoints: what was cut or rewritten as a whole is found, and no single mutation goes unseen."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable

import msgspec
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate.config import Home
from lockgate.db import Database
from lockgate.errors import SealBroken
from lockgate.governance.audit import GENESIS, AuditRow, FaultKind, append, hash_of
from lockgate.governance.checkpoints import (
    Checkpoint,
    checkpoint,
    checkpoint_file,
    is_signed,
    read_checkpoints,
    sign,
    signing_key,
    verify,
    verify_in,
)
from lockgate.governance.tables import audit, audit_checkpoints, audit_head


def _write(database: Database, count: int) -> None:
    with database.write() as tx:
        for number in range(count):
            append(tx, at_us=number, actor="ada", action="release:canary:advanced", subject=f"churn/{number}",
                   details={"weight": number / 100})  # fmt: skip


def _rewrite(tx: sa.Connection, keep: int) -> None:
    """Forge history as an attacker with the database would: drop the tail, change row 1, recompute every hash."""
    tx.execute(sa.delete(audit).where(audit.c.seq > keep))
    previous = GENESIS
    for found in tx.execute(sa.select(audit).order_by(audit.c.seq)).mappings().all():
        row = AuditRow(**found)
        forged = msgspec.structs.replace(
            row, prev_hash=previous, actor="mallory" if row.seq == 1 else row.actor
        )
        forged = msgspec.structs.replace(forged, hash=hash_of(forged))
        tx.execute(sa.update(audit).where(audit.c.seq == row.seq).values(**msgspec.structs.asdict(forged)))
        previous = forged.hash
    tx.execute(sa.update(audit_head).values(seq=keep, hash=previous))


def test_a_whole_log_verifies(database: Database, home: Home) -> None:
    """OK: rows counted, signed up to the last checkpoint, nothing wrong."""
    assert verify(database, home).faults == ()
    _write(database, 5)
    made = checkpoint(database, home, at_us=100)
    assert made is not None
    _write(database, 2)
    found = verify(database, home)
    assert (found.rows, found.checkpoints, found.signed_to, found.faults) == (7, 1, 5, ())


def test_a_checkpoint_is_made_only_when_something_was_added(database: Database, home: Home) -> None:
    """None when there is nothing new, so a timer may call it as often as it likes."""
    assert checkpoint(database, home, at_us=1) is None
    _write(database, 1)
    assert checkpoint(database, home, at_us=2) is not None
    assert checkpoint(database, home, at_us=3) is None
    assert len(read_checkpoints(checkpoint_file(home))[0]) == 1


def test_the_private_key_is_closed_to_others(home: Home) -> None:
    """Mode 0600, made once."""
    first, second = signing_key(home), signing_key(home)
    assert first.private_bytes_raw() == second.private_bytes_raw()
    assert stat.S_IMODE((home.secrets / "audit-signing.pem").stat().st_mode) == 0o600


def test_many_first_uses_at_once_make_one_key(home: Home) -> None:
    """Real concurrency: everybody signs with the same key."""
    found: list[bytes] = []
    gate = threading.Barrier(6)

    def use() -> None:
        gate.wait()
        found.append(signing_key(home).private_bytes_raw())

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1


def test_a_log_rewritten_as_a_whole_is_found(database: Database, home: Home) -> None:
    """The chain itself is flawless again; the signature of row 5 says otherwise."""
    _write(database, 5)
    checkpoint(database, home, at_us=100)
    with database.write() as tx:
        _rewrite(tx, keep=5)
    faults = verify(database, home).faults
    assert [(fault.seq, fault.kind) for fault in faults] == [(5, FaultKind.REWRITTEN)]


def test_a_tail_cut_with_its_head_is_found(database: Database, home: Home) -> None:
    """Rows, head and the table's checkpoint are gone; the file remembers row 5."""
    _write(database, 5)
    checkpoint(database, home, at_us=100)
    with database.write() as tx:
        _rewrite(tx, keep=3)
        tx.execute(sa.delete(audit_checkpoints))
    kinds = {(fault.seq, fault.kind) for fault in verify(database, home).faults}
    assert (5, FaultKind.CUT_OFF) in kinds


def test_rows_after_a_fault_are_never_signed(database: Database, home: Home) -> None:
    """SealBroken: signing a broken chain would bless it."""
    _write(database, 5)
    with database.write() as tx:
        tx.execute(sa.update(audit).where(audit.c.seq == 3).values(actor="mallory"))
    with pytest.raises(SealBroken, match="row 3 was changed"):
        checkpoint(database, home, at_us=100)
    assert not checkpoint_file(home).exists()


def test_a_checkpoint_signed_with_another_key_is_forged(database: Database, home: Home) -> None:
    """The attacker's own key is not the home's."""
    _write(database, 5)
    checkpoint(database, home, at_us=100)
    with database.write() as tx:
        _rewrite(tx, keep=5)
        last = tx.execute(sa.select(audit_head.c.hash)).scalar_one()
        forged = sign(Ed25519PrivateKey.generate(), Checkpoint(seq=5, hash=last, at_us=100))
        tx.execute(sa.update(audit_checkpoints).values(**msgspec.structs.asdict(forged)))
    checkpoint_file(home).write_bytes(msgspec.json.encode(forged) + b"\n")
    faults = verify(database, home).faults
    assert [(fault.seq, fault.kind) for fault in faults] == [(5, FaultKind.FORGED_CHECKPOINT)]


@pytest.mark.parametrize("place", ["file", "table"])
def test_a_checkpoint_taken_from_one_place_is_missed(database: Database, home: Home, place: str) -> None:
    """Two places: each tells when the other lost something."""
    for turn in range(3):
        _write(database, 2)
        checkpoint(database, home, at_us=turn)
    if place == "file":
        lines = checkpoint_file(home).read_bytes().splitlines(keepends=True)
        checkpoint_file(home).write_bytes(lines[0] + lines[2])
    else:
        with database.write() as tx:
            tx.execute(sa.delete(audit_checkpoints).where(audit_checkpoints.c.seq == 4))
    faults = verify(database, home).faults
    assert [(fault.seq, fault.kind) for fault in faults] == [(4, FaultKind.MISSING_CHECKPOINT)]


def test_a_crash_between_file_and_database_heals(database: Database, home: Home) -> None:
    """The newest line may stand in the file alone; the next checkpoint enters it."""
    _write(database, 2)
    checkpoint(database, home, at_us=1)
    with database.write() as tx:
        tx.execute(sa.delete(audit_checkpoints))
    assert verify(database, home).faults == ()
    _write(database, 1)
    checkpoint(database, home, at_us=2)
    found = verify(database, home)
    assert (found.checkpoints, found.faults) == (2, ())


def test_a_torn_last_line_heals(database: Database, home: Home) -> None:
    """Half a line at the end, as a crash leaves it, is no fault and is cut by the next checkpoint."""
    _write(database, 2)
    checkpoint(database, home, at_us=1)
    with checkpoint_file(home).open("ab") as file:
        file.write(b'{"seq":4,"ha')
    assert verify(database, home).faults == ()
    _write(database, 2)
    checkpoint(database, home, at_us=2)
    assert verify(database, home).faults == ()
    assert [each.seq for each in read_checkpoints(checkpoint_file(home))[0]] == [2, 4]


_FIELDS = ("at_us", "actor", "action", "subject", "details", "prev_hash", "hash", "seq")


def _change(row: int, field: str, text: str) -> Callable[[sa.Connection], None]:
    def act(tx: sa.Connection) -> None:
        value: object = 77 if field in {"at_us", "seq"} else text
        tx.execute(sa.update(audit).where(audit.c.seq == row).values({field: value}))

    return act


def _delete(row: int) -> Callable[[sa.Connection], None]:
    return lambda tx: tx.execute(sa.delete(audit).where(audit.c.seq == row)) and None


def _cut(keep: int) -> Callable[[sa.Connection], None]:
    return lambda tx: _rewrite(tx, keep)


def _swap(left: int, right: int) -> Callable[[sa.Connection], None]:
    def act(tx: sa.Connection) -> None:
        for old, new in ((left, -1), (right, left), (-1, right)):
            tx.execute(sa.update(audit).where(audit.c.seq == old).values(seq=new))

    return act


_ROW = st.integers(1, 8)
_MUTATIONS = st.one_of(
    st.builds(
        _change,
        _ROW,
        st.sampled_from(_FIELDS),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=9),
    ),
    st.builds(_delete, _ROW),
    st.builds(_cut, st.integers(1, 7)),
    st.lists(_ROW, min_size=2, max_size=2, unique=True).map(lambda pair: _swap(*pair)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_MUTATIONS)
def test_any_single_mutation_in_the_database_is_detected(
    database: Database, home: Home, mutate: Callable[[sa.Connection], None]
) -> None:
    """Change any field of any row, delete, swap two, or cut and rewrite the tail: verify names at least one fault."""
    if verify(database, home).rows == 0:
        _write(database, 8)
        checkpoint(database, home, at_us=100)
    with database.engine.begin() as tx:
        mutate(tx)
        faults = verify_in(tx, home).faults
        tx.rollback()  # the next example starts from the whole chain
    assert faults
    assert verify(database, home).faults == ()


def test_a_signature_holds_for_its_own_values_alone() -> None:
    """Any change of number, hash or time breaks it; so does rubbish in its place."""
    key = Ed25519PrivateKey.generate()
    good = sign(key, Checkpoint(seq=4, hash="ab", at_us=9))
    assert is_signed(key.public_key(), good)
    for change in (
        {"seq": 5},
        {"hash": "ac"},
        {"at_us": 8},
        {"signature": "AAAA"},
        {"signature": "no base64!"},
    ):
        assert not is_signed(key.public_key(), msgspec.structs.replace(good, **change))
