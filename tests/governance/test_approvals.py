"""Approvals: bound to one seal, by people who did not make it, on record, for a time."""

from __future__ import annotations

import threading

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.clock import DAY_US
from lockgate.config import Tier
from lockgate.db import Database
from lockgate.errors import Conflict, Forbidden, InvalidInput, NotFound
from lockgate.governance.approvals import (
    Approval,
    ApprovalState,
    Decision,
    Seal,
    approval_of,
    approvals_of,
    decide,
    get_approval,
    request,
)
from lockgate.governance.audit import rows
from lockgate.governance.people import Person, add_person, grant
from lockgate.governance.permissions import RoleName
from lockgate.governance.policy import DEFAULTS, current_policy, policy_for

from .conftest import Trio

SEAL = Seal(package="sha256:aa", data="sha256:bb", findings="sha256:cc", policy="sha256:dd")


def _ask(database: Database, tier: Tier, *, at_us: int = 10, makers: tuple[str, ...] = ("carl",)) -> Approval:
    with database.write() as tx:
        policy = current_policy(tx, tier)
        return request(
            tx, SEAL, model="churn", version=3, policy=policy, makers=makers, by="carl", at_us=at_us
        )


def _approver(database: Database, trio: Trio, name: str, model: str = "churn") -> Person:
    with database.write() as tx:
        person = add_person(tx, name, by=trio.owner, at_us=5)
        grant(tx, name, RoleName.APPROVER, model, by=trio.owner, at_us=5)
    return person


def test_the_low_tier_is_approved_by_its_policy_on_record(database: Database, trio: Trio) -> None:
    """OK without a person: the actor is the policy, and the audit row says so."""
    found = _ask(database, Tier.LOW)
    assert found.state(11) is ApprovalState.APPROVED
    assert found.waits_for(11) is None
    assert [each.actor for each in found.decisions] == ["policy:low/1"]
    with database.read() as tx:
        assert rows(tx, subject="churn/3")[0].values["by_policy"] is True


def test_owner_colleague_and_stranger(database: Database, trio: Trio) -> None:
    """The author may not although an approver, the stranger may not for want of a role, the owner may."""
    found = _ask(database, Tier.MEDIUM)
    with database.write() as tx:
        grant(tx, "carl", RoleName.APPROVER, "churn", by=trio.owner, at_us=11)
        with pytest.raises(Forbidden, match="carl made churn/3 and cannot decide"):
            decide(tx, found.id, trio.colleague, Decision.APPROVE, "mine", at_us=12)
        with pytest.raises(Forbidden, match="stan may not approve releases"):
            decide(tx, found.id, trio.stranger, Decision.APPROVE, "why not", at_us=12)
        decided = decide(tx, found.id, trio.owner, Decision.APPROVE, "findings are fine", at_us=12)
        row = rows(tx, action="governance:approval:approved")[0]
    assert decided.state(12) is ApprovalState.APPROVED
    assert (row.actor, row.subject, row.values["seal"]) == ("olga", "churn/3", SEAL.digest)


def test_who_submitted_along_cannot_decide_either(database: Database, trio: Trio) -> None:
    """Forbidden for every maker, not just for the author."""
    anna = _approver(database, trio, "anna")
    found = _ask(database, Tier.MEDIUM, makers=("carl", "anna"))
    assert found.waits_for(11) == "1 approver other than anna, carl"
    with database.write() as tx, pytest.raises(Forbidden, match="anna made churn/3"):
        decide(tx, found.id, anna, Decision.APPROVE, "ours", at_us=12)


def test_an_approver_of_another_model_cannot_decide(database: Database, trio: Trio) -> None:
    """Roles are per model."""
    other = _approver(database, trio, "fred", model="fraud")
    found = _ask(database, Tier.MEDIUM)
    with database.write() as tx, pytest.raises(Forbidden, match="on model 'churn'"):
        decide(tx, found.id, other, Decision.APPROVE, "x", at_us=12)


def test_the_high_tier_needs_two_different_people(database: Database, trio: Trio) -> None:
    """The same person twice is one decision; the second person completes it."""
    anna = _approver(database, trio, "anna")
    found = _ask(database, Tier.HIGH)
    with database.write() as tx:
        for at_us in (12, 13):
            once = decide(tx, found.id, trio.owner, Decision.APPROVE, "fine", at_us=at_us)
        assert (once.state(14), once.waits_for(14)) == (ApprovalState.WAITING, "1 approver other than carl")
        assert len(once.decisions) == 1
        assert (
            decide(tx, found.id, anna, Decision.APPROVE, "fine", at_us=15).state(16) is ApprovalState.APPROVED
        )


def test_a_rejection_ends_it_and_nobody_decides_after(database: Database, trio: Trio) -> None:
    """Conflict for a change of mind and for a late approver; asking again opens a new round."""
    anna = _approver(database, trio, "anna")
    found = _ask(database, Tier.HIGH)
    with database.write() as tx:
        assert (
            decide(tx, found.id, trio.owner, Decision.REJECT, "leak", at_us=12).state(12)
            is ApprovalState.REJECTED
        )
        with pytest.raises(Conflict, match="olga rejected churn/3"):
            decide(tx, found.id, trio.owner, Decision.APPROVE, "well", at_us=13)
        with pytest.raises(Conflict, match="is rejected already"):
            decide(tx, found.id, anna, Decision.APPROVE, "fine", at_us=13)
    again = _ask(database, Tier.HIGH, at_us=20)
    assert again.id != found.id
    with database.read() as tx:
        assert [each.id for each in approvals_of(tx, "churn", 3)] == [again.id, found.id]


def test_asking_twice_is_one_request(database: Database, trio: Trio) -> None:
    """Repeating changes nothing while it waits and once it is approved."""
    first = _ask(database, Tier.MEDIUM)
    assert _ask(database, Tier.MEDIUM, at_us=11) == first
    with database.write() as tx:
        decide(tx, first.id, trio.owner, Decision.APPROVE, "fine", at_us=12)
    assert _ask(database, Tier.MEDIUM, at_us=13).id == first.id


def test_an_approval_runs_out(database: Database, trio: Trio) -> None:
    """Approved until the policy's days are over, expired from then on; a new round can be asked for."""
    found = _ask(database, Tier.MEDIUM)
    with database.write() as tx:
        decided = decide(tx, found.id, trio.owner, Decision.APPROVE, "fine", at_us=12)
    end = 12 + DEFAULTS[Tier.MEDIUM].approval_days * DAY_US
    assert decided.state(end - 1) is ApprovalState.APPROVED
    assert decided.state(end) is ApprovalState.EXPIRED
    assert _ask(database, Tier.MEDIUM, at_us=end).id != found.id


def test_a_model_that_tightens_its_policy_waits_for_people(database: Database, trio: Trio) -> None:
    """The low tier with `approvals: 1` of its own is not approved by the policy."""
    with database.write() as tx:
        policy = policy_for(tx, Tier.LOW, {"approvals": 1, "approval_days": 1})
        found = request(
            tx,
            SEAL,
            model="churn",
            version=3,
            policy=policy,
            makers=["carl"],
            by="carl",
            at_us=10,
        )
    assert found.state(11) is ApprovalState.WAITING
    assert found.valid_us == DAY_US


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_decision_needs_a_reason(database: Database, trio: Trio, reason: str) -> None:
    """InvalidInput: silence is no decision."""
    found = _ask(database, Tier.MEDIUM)
    with database.write() as tx, pytest.raises(InvalidInput, match="needs a reason"):
        decide(tx, found.id, trio.owner, Decision.APPROVE, reason, at_us=12)


def test_a_request_that_is_not_there(database: Database, trio: Trio) -> None:
    """NotFound names the number."""
    with database.write() as tx, pytest.raises(NotFound, match="no approval request 7"):
        decide(tx, 7, trio.owner, Decision.APPROVE, "x", at_us=12)


def test_nothing_of_a_failed_transaction_stays(database: Database, trio: Trio) -> None:
    """Request and audit row are committed together or not at all."""
    with database.read() as tx:
        before = len(rows(tx))
    with database.engine.begin() as tx:
        policy = current_policy(tx, Tier.LOW)
        request(tx, SEAL, model="churn", version=3, policy=policy, makers=["carl"], by="carl", at_us=10)
        tx.rollback()
    with database.read() as tx:
        assert approval_of(tx, SEAL) is None
        assert len(rows(tx)) == before


def test_two_approvers_at_once_are_both_on_record(database: Database, trio: Trio) -> None:
    """Real concurrency: no lost decision, no broken chain."""
    anna = _approver(database, trio, "anna")
    found = _ask(database, Tier.HIGH)
    gate = threading.Barrier(2)

    def approve(person: Person) -> None:
        gate.wait()
        with database.write() as tx:
            decide(tx, found.id, person, Decision.APPROVE, "fine", at_us=12)

    threads = [threading.Thread(target=approve, args=(person,)) for person in (anna, trio.owner)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as tx:
        assert get_approval(tx, found.id).state(13) is ApprovalState.APPROVED


_PART = st.sampled_from(["package", "data", "findings", "policy"])


@given(_PART, st.text(max_size=20), st.text(max_size=20))
def test_any_change_of_any_part_is_another_seal(part: str, one: str, other: str) -> None:
    """Digests are equal exactly when all four parts are."""
    left = msgspec.structs.replace(SEAL, **{part: one})
    right = msgspec.structs.replace(SEAL, **{part: other})
    assert (left.digest == right.digest) is (one == other)


def test_parts_cannot_change_places() -> None:
    """The same four digests in another order are another seal."""
    swapped = Seal(package=SEAL.data, data=SEAL.package, findings=SEAL.findings, policy=SEAL.policy)
    assert swapped.digest != SEAL.digest


def test_a_changed_seal_is_not_approved(database: Database, trio: Trio) -> None:
    """The approval of one seal says nothing about the next."""
    _ask(database, Tier.LOW)
    with database.read() as tx:
        assert approval_of(tx, SEAL) is not None
        assert approval_of(tx, msgspec.structs.replace(SEAL, findings="sha256:ce")) is None
