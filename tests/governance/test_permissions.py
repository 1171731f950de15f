"""The tables of permissions and roles."""

from __future__ import annotations

import re

from lockgate.governance.permissions import ROLES, SENTENCES, Permission, RoleName, roles_with


def test_permissions_are_sorted_and_named_resource_action() -> None:
    """The enum reads as a table of contents."""
    values = [permission.value for permission in Permission]
    assert values == sorted(values)
    assert all(re.fullmatch(r"[a-z]+:[a-z]+", value) for value in values)


def test_every_permission_has_a_sentence_and_a_role() -> None:
    """Nothing is allowed to nobody, and everything can be said in words."""
    assert set(SENTENCES) == set(Permission)
    assert all(roles_with(permission)[-1] is RoleName.ADMIN for permission in Permission)
    assert set(ROLES) == set(RoleName)


def test_who_builds_does_not_approve_and_who_approves_does_not_build() -> None:
    """The separation of duties stands in the table itself."""
    assert Permission.RELEASE_APPROVE not in ROLES[RoleName.BUILDER]
    assert Permission.RELEASE_APPROVE not in ROLES[RoleName.VALIDATOR]
    assert Permission.MODEL_SUBMIT not in ROLES[RoleName.APPROVER]


def test_only_an_admin_writes_rules_and_people() -> None:
    """The rules that bind builders are out of their reach."""
    for permission in (
        Permission.POLICY_WRITE,
        Permission.PERSON_WRITE,
        Permission.MODEL_TIER,
        Permission.MODEL_TRUST,
    ):
        assert roles_with(permission) == [RoleName.ADMIN]


def test_an_application_can_call_and_nothing_else() -> None:
    """A key in a web shop reads no log and no model."""
    assert ROLES[RoleName.CALLER] == {Permission.PREDICTION_CALL}


def test_an_auditor_reads_and_changes_nothing() -> None:
    """Every permission of an auditor ends in read."""
    assert all(permission.endswith(":read") for permission in ROLES[RoleName.AUDITOR])
    assert Permission.AUDIT_READ in ROLES[RoleName.AUDITOR]
