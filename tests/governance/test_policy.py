"""Policies: versions, who writes them, and settings that only tighten."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.config import Tier
from lockgate.db import Database
from lockgate.errors import Conflict, Forbidden, InvalidInput
from lockgate.governance.audit import rows
from lockgate.governance.people import grant
from lockgate.governance.permissions import RoleName
from lockgate.governance.policy import (
    DEFAULTS,
    Policy,
    current_policy,
    install_defaults,
    policy_digest,
    policy_for,
    policy_history,
    tighten,
    write_policy,
)

from .conftest import Trio


def test_defaults_ask_more_as_tiers_rise() -> None:
    """0, 1, 2 approvals; the checks of a lower tier are among those of a higher one; only the high tier wants proof."""
    low, medium, high = (DEFAULTS[tier] for tier in Tier)
    assert [low.approvals, medium.approvals, high.approvals] == [0, 1, 2]
    assert set(low.must_pass) <= set(medium.must_pass) <= set(high.must_pass)
    assert [low.proof, medium.proof, high.proof] == [False, False, True]
    assert all(set(policy.waivable) <= set(policy.must_pass) for policy in DEFAULTS.values())


def test_defaults_are_number_one_before_and_after_they_are_written(database: Database) -> None:
    """A home knows its policies from the first moment, and keeps them when lockgate's defaults change."""
    with database.write() as tx:
        unwritten = current_policy(tx, Tier.HIGH)
        install_defaults(tx, at_us=7)
        install_defaults(tx, at_us=8)
        written = current_policy(tx, Tier.HIGH)
        assert len(rows(tx, action="governance:policy")) == 3
    assert (
        (unwritten.name, unwritten.digest)
        == (written.name, written.digest)
        == ("high/1", policy_digest(DEFAULTS[Tier.HIGH]))
    )
    assert written.written_us == 7


def test_only_an_admin_of_everything_writes_policies(database: Database, trio: Trio) -> None:
    """Forbidden for the colleague (even as admin and validator of one model) and for the stranger; OK for the owner."""
    with database.write() as tx:
        for role in (RoleName.ADMIN, RoleName.VALIDATOR):
            grant(tx, "carl", role, "churn", by=trio.owner, at_us=5)
        for person in (trio.colleague, trio.stranger):
            with pytest.raises(Forbidden):
                write_policy(tx, Tier.LOW, Policy(approvals=0), by=person, reason="easier", at_us=6)
        new = write_policy(
            tx, Tier.LOW, Policy(approvals=1), by=trio.owner, reason=" audit finding 4 ", at_us=7
        )
        assert (new.name, new.reason) == ("low/2", "audit finding 4")
        assert current_policy(tx, Tier.LOW) == new
        assert [version.number for version in policy_history(tx, Tier.LOW)] == [2, 1]
        row = rows(tx, subject="low/2")[0]
    assert (row.actor, row.action) == ("olga", "governance:policy:written")
    assert row.values["digest"] == new.digest


def test_a_policy_that_cannot_be_right_is_refused(database: Database, trio: Trio) -> None:
    """InvalidInput: a waiver for a check that is not asked, no reason; Conflict: nothing changed."""
    with database.write() as tx:
        with pytest.raises(InvalidInput, match="only a check that must pass can be waived"):
            write_policy(tx, Tier.LOW, Policy(waivable=("noise",)), by=trio.owner, reason="x", at_us=6)
        with pytest.raises(InvalidInput, match="needs a reason"):
            write_policy(tx, Tier.LOW, Policy(approvals=1), by=trio.owner, reason="  ", at_us=6)
        with pytest.raises(Conflict, match="says the same already"):
            write_policy(tx, Tier.LOW, DEFAULTS[Tier.LOW], by=trio.owner, reason="x", at_us=6)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"approvals": 1}, "approvals"),
        ({"must_pass": ["performance"]}, "must_pass"),
        ({"waivable": ["quality", "leakage"]}, "waivable"),
        ({"approval_days": 31}, "approval_days"),
        ({"independent": False}, "independent"),
        ({"proof": False}, "proof"),
    ],
)
def test_settings_that_loosen_are_forbidden_by_name(settings: dict[str, Any], field: str) -> None:
    """Forbidden names the field, what was asked, and where it can be changed."""
    with pytest.raises(Forbidden, match=f"not loosen '{field}'"):
        tighten(DEFAULTS[Tier.HIGH], settings)


def test_settings_that_tighten_are_taken() -> None:
    """OK: more approvals, more checks, fewer waivers, a shorter life."""
    tight = tighten(
        DEFAULTS[Tier.LOW],
        {
            "approvals": 2,
            "must_pass": ["leakage", "performance", "fairness"],
            "waivable": [],
            "approval_days": 7,
        },
    )
    assert (tight.approvals, tight.waivable, tight.approval_days) == (2, (), 7)
    assert "fairness" in tight.must_pass
    assert policy_digest(tight) != policy_digest(DEFAULTS[Tier.LOW])


def test_what_a_model_asks_beyond_its_tier_outlives_a_new_policy_of_the_tier(
    database: Database, trio: Trio
) -> None:
    """The tier asks for another check and another waiver: the model's own check stays, and no waiver that either refuses."""
    own = {"must_pass": ["leakage", "performance", "fairness"], "waivable": ["leakage"]}
    new = Policy(must_pass=("leakage", "performance", "quality"), waivable=("performance",))
    with database.write() as tx:
        before = policy_for(tx, Tier.LOW, own).policy
        write_policy(tx, Tier.LOW, new, by=trio.owner, reason="tables must be sound", at_us=6)
        after = policy_for(tx, Tier.LOW, own)
    assert (set(before.must_pass), before.waivable) == ({"leakage", "performance", "fairness"}, ("leakage",))
    assert set(after.policy.must_pass) == {"leakage", "performance", "quality", "fairness"}
    assert after.policy.waivable == ()
    assert after.digest == policy_digest(after.policy)


@pytest.mark.parametrize(
    "settings", [{"aprovals": 2}, {"approvals": -1}, {"approvals": "two"}, {"approval_days": 0}]
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    """InvalidInput, with the fields that exist."""
    with pytest.raises(InvalidInput, match="policy settings are wrong"):
        tighten(DEFAULTS[Tier.LOW], settings)


_CHECKS = st.lists(st.sampled_from(["leakage", "performance", "quality", "fairness"]), unique=True).map(tuple)
_POLICIES = st.builds(
    Policy,
    must_pass=_CHECKS,
    waivable=_CHECKS,
    approvals=st.integers(0, 5),
    independent=st.booleans(),
    approval_days=st.integers(1, 366),
    proof=st.booleans(),
)


@given(_POLICIES, _POLICIES)
def test_tighten_never_yields_a_looser_policy(policy: Policy, wanted: Policy) -> None:
    """For any two policies: either refused, or the result is at least as strict in every field."""
    try:
        tight = tighten(policy, msgspec.to_builtins(wanted))
    except Forbidden:
        return
    assert tight == wanted
    assert set(policy.must_pass) <= set(tight.must_pass)
    assert set(tight.waivable) <= set(policy.waivable)
    assert tight.approvals >= policy.approvals
    assert tight.approval_days <= policy.approval_days
    assert tight.independent >= policy.independent
    assert tight.proof >= policy.proof
