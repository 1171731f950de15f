"""People, grants and `require`, with owner, colleague and stranger, on both databases."""

from __future__ import annotations

import threading

import pytest

from lockgate.clock import FakeClock
from lockgate.db import Database
from lockgate.errors import Conflict, Forbidden, InvalidInput, NotFound
from lockgate.governance.audit import rows
from lockgate.governance.people import (
    Person,
    PersonKind,
    add_person,
    bootstrap,
    find_person,
    grant,
    grants_of,
    list_people,
    may,
    models_with,
    require,
    revoke,
    set_active,
)
from lockgate.governance.permissions import Permission, RoleName

from .conftest import Trio


def test_bootstrap_makes_the_account_admin_once(database: Database, clock: FakeClock) -> None:
    """OK: the first start makes the owner admin, later starts find the same person and write nothing."""
    with database.write() as tx:
        first = bootstrap(tx, "olga", at_us=1)
        written = len(rows(tx))
        assert bootstrap(tx, "olga", at_us=2) == first
        assert len(rows(tx)) == written
        require(tx, first, Permission.POLICY_WRITE)


def test_bootstrap_by_another_account_is_refused(database: Database, trio: Trio) -> None:
    """NotFound: a home that has people takes in nobody by itself."""
    with database.write() as tx, pytest.raises(NotFound, match="no person 'mallory'"):
        bootstrap(tx, "mallory", at_us=3)


@pytest.mark.parametrize(
    ("who", "permission", "model", "allowed"),
    [
        ("olga", Permission.RELEASE_APPROVE, "churn", True),
        ("olga", Permission.POLICY_WRITE, "*", True),
        ("carl", Permission.MODEL_SUBMIT, "churn", True),
        ("carl", Permission.RELEASE_ROLLBACK, "churn", True),
        ("carl", Permission.MODEL_SUBMIT, "fraud", False),
        ("carl", Permission.MODEL_SUBMIT, "*", False),
        ("carl", Permission.RELEASE_APPROVE, "churn", False),
        ("stan", Permission.MODEL_READ, "churn", False),
        ("stan", Permission.PREDICTION_CALL, "churn", False),
    ],
)
def test_may_and_require_agree(
    database: Database, trio: Trio, who: str, permission: Permission, model: str, allowed: bool
) -> None:
    """One question, two forms: `may` answers, `require` raises."""
    with database.read() as tx:
        person = find_person(tx, who)
        assert person is not None
        assert may(tx, person, permission, model) is allowed
        if allowed:
            require(tx, person, permission, model)
        else:
            with pytest.raises(Forbidden):
                require(tx, person, permission, model)


def test_forbidden_says_who_lacks_what_and_who_can_help(database: Database, trio: Trio) -> None:
    """The sentence names person, permission, model, own roles, roles that would do, and the command for the admin."""
    with database.read() as tx, pytest.raises(Forbidden) as caught:
        require(tx, trio.colleague, Permission.RELEASE_APPROVE, "churn")
    said = caught.value
    assert said.what == "carl may not approve releases (release:approve) on model 'churn'"
    assert said.got == "carl is builder on model 'churn'"
    assert said.allowed == "approver, admin"
    assert said.fix == "ask olga: lockgate grant carl approver --model churn"


def test_only_who_may_write_people_adds_and_grants(database: Database, trio: Trio) -> None:
    """Forbidden: colleague and stranger neither add people nor grant themselves a role."""
    for person in (trio.colleague, trio.stranger):
        with database.write() as tx, pytest.raises(Forbidden):
            add_person(tx, "newcomer", by=person, at_us=5)
        with database.write() as tx, pytest.raises(Forbidden):
            grant(tx, person.id, RoleName.ADMIN, "churn", by=person, at_us=5)


def test_an_admin_of_one_model_grants_there_and_nowhere_else(database: Database, trio: Trio) -> None:
    """Admin of churn: grants on churn, not on fraud and not on everything."""
    with database.write() as tx:
        grant(tx, "carl", RoleName.ADMIN, "churn", by=trio.owner, at_us=5)
        grant(tx, "stan", RoleName.VIEWER, "churn", by=trio.colleague, at_us=6)
        assert may(tx, trio.stranger, Permission.MODEL_READ, "churn")
        for model in ("fraud", "*"):
            with pytest.raises(Forbidden):
                grant(tx, "stan", RoleName.VIEWER, model, by=trio.colleague, at_us=7)


def test_granting_twice_is_one_grant_and_one_audit_row(database: Database, trio: Trio) -> None:
    """Repeating a grant changes nothing."""
    with database.write() as tx:
        before = len(rows(tx))
        for at_us in (5, 6):
            grant(tx, "stan", RoleName.VIEWER, "churn", by=trio.owner, at_us=at_us)
        assert len(grants_of(tx, "stan")) == 1
        assert len(rows(tx)) == before + 1


def test_revoke_takes_the_right_away_at_once(database: Database, trio: Trio) -> None:
    """OK, then NotFound for a role that is not held."""
    with database.write() as tx:
        revoke(tx, "carl", RoleName.BUILDER, "churn", by=trio.owner, at_us=5)
        assert not may(tx, trio.colleague, Permission.MODEL_SUBMIT, "churn")
        with pytest.raises(NotFound, match="does not have the role builder"):
            revoke(tx, "carl", RoleName.BUILDER, "churn", by=trio.owner, at_us=6)


def test_the_last_admin_stays(database: Database, trio: Trio) -> None:
    """Conflict: neither revoked nor deactivated while nobody else is admin; afterwards both work."""
    with database.write() as tx:
        with pytest.raises(Conflict, match="last admin"):
            revoke(tx, "olga", RoleName.ADMIN, by=trio.owner, at_us=5)
        with pytest.raises(Conflict, match="last admin"):
            set_active(tx, "olga", False, by=trio.owner, at_us=5)
        grant(tx, "carl", RoleName.ADMIN, by=trio.owner, at_us=6)
        set_active(tx, "olga", False, by=trio.colleague, at_us=7)
        with pytest.raises(Conflict, match="last admin"):
            revoke(tx, "carl", RoleName.ADMIN, by=trio.colleague, at_us=8)


def test_two_admins_who_remove_each_other_leave_one(database: Database, trio: Trio) -> None:
    """Real concurrency: exactly one of the two succeeds."""
    with database.write() as tx:
        grant(tx, "carl", RoleName.ADMIN, by=trio.owner, at_us=5)
    outcomes: list[str] = []
    gate = threading.Barrier(2)

    def remove(by: Person, other: str) -> None:
        gate.wait()
        try:
            with database.write() as tx:
                revoke(tx, other, RoleName.ADMIN, by=by, at_us=6)
            outcomes.append("removed")
        except (Conflict, Forbidden):
            outcomes.append("refused")

    pair = [(trio.owner, "carl"), (trio.colleague, "olga")]
    threads = [threading.Thread(target=remove, args=each) for each in pair]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused", "removed"]


def test_an_inactive_person_may_nothing(database: Database, trio: Trio) -> None:
    """The state on record counts, not the value that somebody still holds."""
    with database.write() as tx:
        set_active(tx, "carl", False, by=trio.owner, at_us=5)
        assert not may(tx, trio.colleague, Permission.MODEL_READ, "churn")
        with pytest.raises(Forbidden, match="not an active person"):
            require(tx, trio.colleague, Permission.MODEL_READ, "churn")
        set_active(tx, "carl", True, by=trio.owner, at_us=6)
        require(tx, trio.colleague, Permission.MODEL_READ, "churn")


@pytest.mark.parametrize("name", ["", "-x", "a b", "policy:low/1", "controller", "a" * 65, "ä", "x\n"])
def test_names_that_nobody_can_have(database: Database, trio: Trio, name: str) -> None:
    """InvalidInput: empty, odd, too long, or the name of a part of lockgate."""
    with database.write() as tx, pytest.raises(InvalidInput, match="cannot be called so"):
        add_person(tx, name, by=trio.owner, at_us=5)


def test_the_same_name_twice_is_a_conflict(database: Database, trio: Trio) -> None:
    """Conflict: the audit log names people, so names are theirs for ever."""
    with database.write() as tx, pytest.raises(Conflict, match="'carl' already"):
        add_person(tx, "carl", kind=PersonKind.APPLICATION, by=trio.owner, at_us=5)
    with database.read() as tx:
        assert [person.id for person in list_people(tx)] == ["carl", "olga", "stan"]


def test_models_with_lists_where_a_right_holds(database: Database, trio: Trio) -> None:
    """All for the owner, one for the colleague, none for the stranger."""
    with database.read() as tx:
        answers = [
            models_with(tx, person, Permission.MODEL_READ)
            for person in (trio.owner, trio.colleague, trio.stranger)
        ]
    assert answers == [("*",), ("churn",), ()]


def test_every_act_is_audited(database: Database, trio: Trio) -> None:
    """The log tells who gave whom which role on what."""
    with database.read() as tx:
        last = rows(tx, subject="carl")[0]
    assert (last.actor, last.action, last.values) == (
        "olga",
        "people:role:granted",
        {"role": "builder", "model": "churn"},
    )
