"""Recorded validations beside the audit log, on real databases of both kinds."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from tests.checks.test_store import FINE, LEAK, record, version

from lockgate.checks.logged import changed_validations, unlike_the_log
from lockgate.checks.store import findings_of
from lockgate.checks.tables import validations
from lockgate.checks.veils import Veiled, note_veil
from lockgate.governance.tables import audit

__all__ = ["version"]  # the fixture


def newest_is(database, version) -> str | None:
    """What the log says of the newest validation."""
    with database.read() as tx:
        return unlike_the_log(tx, version.model, version.number, findings_of(tx, version.digest))


def test_a_row_exchanged_with_its_digest_is_found_by_the_audit_log(database, version):
    """Body and digest replaced together, or a row deleted: the audit log still names what was recorded."""
    first = record(database, version, [LEAK])
    kind = record(database, version, [FINE], at_us=11, required=())
    with database.read() as tx:
        assert changed_validations(tx) == []
    with database.write() as tx:
        body = tx.execute(sa.select(validations.c.body).where(validations.c.id == kind.id)).scalar_one()
        tx.execute(
            sa.update(validations).where(validations.c.id == first.id).values(body=body, digest=kind.digest)
        )
    with database.read() as tx:
        assert changed_validations(tx) == [
            f"validation {first.id} of bikes/1 is not the one that the audit log names"
        ]
    with database.write() as tx:
        tx.execute(sa.delete(validations).where(validations.c.id == kind.id))
    with database.read() as tx:
        assert f"validation {kind.id} is in the audit log and gone from the table" in changed_validations(tx)


def test_the_newest_validation_is_the_one_that_was_recorded_last(database, version):
    """Nothing recorded, one, two: all is well. The newest gone brings back the one before it, which the log does not allow."""
    assert newest_is(database, version) is None
    record(database, version, [FINE], required=())
    assert newest_is(database, version) is None
    last = record(database, version, [LEAK], at_us=11)
    assert newest_is(database, version) is None
    with database.write() as tx:
        tx.execute(sa.delete(validations).where(validations.c.id == last.id))
    assert (
        newest_is(database, version)
        == f"validation {last.id} of bikes/1 is in the audit log and gone from the table"
    )


def test_a_validation_that_nobody_recorded_is_not_taken(database, version):
    """A row put into the table by hand, with a digest that fits its text, is named; so is one exchanged with its digest."""
    good = record(database, version, [FINE], required=())
    bad = record(database, version, [LEAK], at_us=11)
    with database.write() as tx:
        old = tx.execute(sa.select(validations).where(validations.c.id == good.id)).mappings().one()
        tx.execute(
            sa.update(validations)
            .where(validations.c.id == bad.id)
            .values(body=old["body"], digest=old["digest"])
        )
    assert (
        newest_is(database, version)
        == f"validation {bad.id} of bikes/1 is not the one that the audit log names"
    )
    with database.write() as tx:
        tx.execute(sa.insert(validations).values({**old, "id": bad.id + 1}))
    assert (
        newest_is(database, version)
        == f"validation {bad.id + 1} of bikes/1 is not the one that the audit log names"
    )


def test_a_baseline_that_was_veiled_is_no_validation(database, version):
    """The row that says so names the validation whose baseline it was; the newest validation stays the newest."""
    first = record(database, version, [FINE], required=())
    record(database, version, [FINE], required=(), at_us=11)
    with database.write() as tx:
        assert note_veil(tx, first.id, Veiled(baseline="baselines/ab.json"), was=None, at_us=12)
    assert newest_is(database, version) is None
    with database.read() as tx:
        assert changed_validations(tx) == []


@pytest.mark.parametrize("details", ["{}", '{"validation": "first"}', "no JSON"])
def test_a_row_of_the_log_that_names_no_validation_is_a_fault(database, version, details):
    """Edited so, it is said of that row: nothing else ends, neither the proof of the other rows nor a release's guards."""
    good = record(database, version, [FINE], required=())
    with database.write() as tx:
        row = tx.execute(sa.select(audit.c.seq).order_by(audit.c.seq.desc()).limit(1)).scalar_one()
        tx.execute(sa.update(audit).where(audit.c.seq == row).values(details=details))
    said = f"row {row} of the audit log, about bikes/1, does not name its validation any more"
    assert newest_is(database, version) == said
    with database.read() as tx:
        assert changed_validations(tx) == [
            said,
            f"validation {good.id} of bikes/1 is not the one that the audit log names",
        ]
