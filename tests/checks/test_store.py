"""Recorded findings, on real databases of both kinds."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from lockgate.checks.finding import Finding, Status, block
from lockgate.checks.store import (
    add_findings,
    findings_of,
    get_validation,
    history_of,
    record_findings,
    waive,
)
from lockgate.checks.tables import validations
from lockgate.clock import DAY_US
from lockgate.config import ModelConfig
from lockgate.errors import Conflict, Forbidden, InvalidInput, NotFound, SealBroken
from lockgate.governance.audit import rows
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task, digest_of
from lockgate.registry.signature import DataType, Field, Signature
from lockgate.registry.store import create_model, record_version

MANIFEST = Manifest(
    framework=Framework.SKLEARN, task=Task.CLASSIFICATION, answer=Answer(prediction="p"), model_path="model/model.pkl",
    signature=Signature(inputs=(Field(name="x", datatype=DataType.FP64),), outputs=(Field(name="p", datatype=DataType.INT64),)),
    compiled=Compiled(reason="not tried"), python="3.11",
)  # fmt: skip
LEAK = Finding(
    check="leakage", subject="casual", status=Status.FAIL, headline="casual + registered is the target"
)
FINE = Finding(check="quality", subject="table", status=Status.PASS, headline="nothing found")
OWN = Finding(check="own test", subject="ages", status=Status.WARN, headline="few rows above 80")


@pytest.fixture
def version(database):
    """A recorded version."""
    with database.write() as tx:
        create_model(tx, "bikes", ModelConfig(), actor="owen", at_us=1)
        return record_version(
            tx, model="bikes", digest=digest_of(MANIFEST), manifest=MANIFEST, author="owen", at_us=2
        )[0]


def record(database, version, findings, at_us=10, required=("leakage",)):
    """Record a suite's findings as the CLI would."""
    with database.write() as tx:
        return record_findings(tx, version, block(findings, required), suite="low", data={"test": "sha256:1"},
                               policy="low/1", author="owen", at_us=at_us)  # fmt: skip


def test_the_newest_counts_and_the_audit_log_knows(database, version):
    """What was recorded comes back worst first, the newest first, and each has its audit row with the digest."""
    first = record(database, version, [FINE, LEAK])
    second = record(database, version, [FINE], at_us=11, required=())
    with database.read() as tx:
        assert findings_of(tx, version.digest) == second
        assert history_of(tx, version.digest, "bikes") == [second, first]
        assert get_validation(tx, first.id).findings[0].check == "leakage"
        logged = [row for row in rows(tx) if row.action == "checks:version:validated"]
    assert [row.subject for row in logged] == ["bikes/1", "bikes/1"]
    assert {digest for row in logged for digest in (first.digest, second.digest) if digest in row.details} == {
        first.digest, second.digest}  # fmt: skip
    assert (first.blocking, second.blocking) == ((first.findings[0],), ())


def test_nothing_recorded_is_none_or_not_found(database, version):
    """A package without findings has none; a number that is not there is NotFound."""
    with database.read() as tx:
        assert findings_of(tx, version.digest) is None
        with pytest.raises(NotFound, match="validation 7"):
            get_validation(tx, 7)


def test_a_version_must_be_in_the_registry(database, version):
    """Findings about an unknown version or another package are refused, and nothing is written."""
    stranger = type(version)("bikes", 2, version.digest, "x", 0, MANIFEST, "", {})
    with pytest.raises(NotFound, match="bikes/2"):
        record(database, stranger, [FINE])
    with database.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(validations)).scalar_one() == 0
        assert not [row for row in rows(tx) if row.action.startswith("checks:")]


def test_a_persons_finding_stays_through_new_runs(database, version):
    """A validator's own finding carries the author, changes the digest, and is carried over; a waiver is not."""
    with pytest.raises(Conflict, match="not validated yet"), database.write() as tx:
        add_findings(tx, version, [OWN], author="vera", at_us=11)
    first = record(database, version, [LEAK])
    with database.write() as tx:
        second = add_findings(tx, version, [OWN], author="vera", at_us=11)
        third = waive(tx, version, "leakage", "known at that time", waivable=["leakage"], by="vera", at_us=12)
    assert len({first.digest, second.digest, third.digest}) == 3
    assert third.blocking == ()
    again = record(database, version, [LEAK], at_us=13)
    assert [(found.check, found.author) for found in again.findings] == [
        ("leakage", None),
        ("own test", "vera"),
    ]
    assert again.waivers == ()
    assert again.blocking[0].check == "leakage"


def test_only_what_the_policy_lets_go_can_be_waived(database, version):
    """Another check, no reason, or nothing that blocks: each is refused with what to do."""
    record(database, version, [LEAK])
    with database.write() as tx:
        with pytest.raises(Forbidden, match="does not let anyone waive 'leakage'"):
            waive(tx, version, "leakage", "hurry", waivable=["quality"], by="vera", at_us=11)
        with pytest.raises(InvalidInput, match="needs a reason"):
            waive(tx, version, "leakage", "  ", waivable=["leakage"], by="vera", at_us=11)
        with pytest.raises(InvalidInput, match="nothing of the check 'quality'"):
            waive(tx, version, "quality", "why", waivable=["quality"], by="vera", at_us=11)


def test_a_waiver_has_an_owner_and_an_end(database, version):
    """Ninety days where none is said; lapsed, the check blocks again and may be waived anew; odd ends are refused."""
    record(database, version, [LEAK])
    with database.write() as tx:
        for until_us in (11, 11 + 367 * DAY_US):
            with pytest.raises(InvalidInput, match="ends in the future"):
                waive(
                    tx, version, "leakage", "r", waivable=["leakage"], by="vera", at_us=11, until_us=until_us
                )
        first = waive(tx, version, "leakage", "r", waivable=["leakage"], by="vera", at_us=11)
        assert (first.waivers[0].owner, first.waivers[0].until_us) == ("vera", 11 + 90 * DAY_US)
        assert first.blocking_at(11 + 90 * DAY_US - 1) == ()
        late = 11 + 90 * DAY_US
        assert [finding.check for finding in first.blocking_at(late)] == ["leakage"]
        again = waive(
            tx,
            version,
            "leakage",
            "r2",
            waivable=["leakage"],
            by="vera",
            at_us=late,
            owner="otto",
            until_us=late + 5,
        )
        assert [(waiver.reason, waiver.owner) for waiver in again.waivers] == [("r2", "otto")]
        assert again.blocking == ()


@pytest.mark.parametrize("change", [{"body": "{}"}, {"version": 1, "package": "sha256:other"}])
def test_a_changed_row_is_noticed(database, version, change):
    """An edited body, or a row moved to another package, is SealBroken when it is read."""
    made = record(database, version, [LEAK])
    with database.write() as tx:
        tx.execute(sa.update(validations).values(**change))
    with database.read() as tx, pytest.raises(SealBroken):
        get_validation(tx, made.id)


def test_two_people_at_once_both_count(database, version):
    """Eight findings added at the same time by eight threads are all in the newest validation."""
    record(database, version, [FINE], required=())

    def add(number: int) -> None:
        with database.write() as tx:
            add_findings(tx, version, [OWN], author=f"vera{number}", at_us=20 + number)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as tx:
        assert len(findings_of(tx, version.digest).findings) == 9
