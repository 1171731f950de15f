"""Keys: shown once, stored as hashes, worthless once revoked; and what the gateway is told of them."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from lockgate.access import key_hash, may_call
from lockgate.db import Database
from lockgate.errors import Forbidden, InvalidInput, NotFound, Unauthorized
from lockgate.governance.keys import (
    Limit,
    access_snapshot,
    create_key,
    limit_key,
    list_keys,
    person_of_key,
    revoke_key,
)
from lockgate.governance.people import PersonKind, add_person, grant, set_active
from lockgate.governance.permissions import RoleName
from lockgate.governance.tables import audit, keys

from .conftest import Trio


def test_a_key_is_its_owner_and_is_stored_nowhere(database: Database, trio: Trio) -> None:
    """OK: the key names its person; neither key table nor audit log holds it."""
    with database.write() as tx:
        key, row = create_key(tx, trio.colleague, label="laptop", by=trio.colleague, at_us=5)
        assert person_of_key(tx, key).id == "carl"
        assert key.startswith(row.prefix)
        everything = str(tx.execute(sa.select(keys)).all()) + str(tx.execute(sa.select(audit)).all())
    assert key not in everything
    assert key[len(row.prefix) :] not in everything


def test_a_revoked_key_is_unauthorized(database: Database, trio: Trio) -> None:
    """Unauthorized: revoked, unknown and empty keys say the same."""
    with database.write() as tx:
        key, row = create_key(tx, trio.colleague, label="laptop", by=trio.colleague, at_us=5)
        revoked = revoke_key(tx, row.id, by=trio.colleague, at_us=6)
        assert revoked.revoked_us == 6
        assert revoke_key(tx, row.id, by=trio.owner, at_us=9).revoked_us == 6
        for wrong in (key, "lg_never", ""):
            with pytest.raises(Unauthorized, match="not known or was revoked"):
                person_of_key(tx, wrong)


def test_keys_of_an_inactive_person_do_not_work(database: Database, trio: Trio) -> None:
    """Deactivating is enough: nobody has to hunt for keys."""
    with database.write() as tx:
        key, _ = create_key(tx, trio.colleague, label="laptop", by=trio.colleague, at_us=5)
        set_active(tx, "carl", False, by=trio.owner, at_us=6)
        with pytest.raises(Unauthorized):
            person_of_key(tx, key)
        assert key_hash(key) not in access_snapshot(tx).callers
        with pytest.raises(NotFound, match="not active"):
            create_key(tx, trio.colleague, label="again", by=trio.owner, at_us=7)


def test_keys_for_others_need_an_admin(database: Database, trio: Trio) -> None:
    """Forbidden: colleague and stranger make and revoke keys for themselves alone."""
    with database.write() as tx:
        _, owners = create_key(tx, trio.owner, label="box", by=trio.owner, at_us=5)
        for person in (trio.colleague, trio.stranger):
            with pytest.raises(Forbidden):
                create_key(tx, trio.owner, label="theft", by=person, at_us=6)
            with pytest.raises(Forbidden):
                revoke_key(tx, owners.id, by=person, at_us=6)
            create_key(tx, person, label="own", by=person, at_us=7)
        create_key(tx, trio.stranger, label="given", by=trio.owner, at_us=8)
        assert [row.label for row in list_keys(tx, "stan")] == ["given", "own"]
        assert len(list_keys(tx)) == 4


def test_an_application_cannot_make_itself_more_keys(database: Database, trio: Trio) -> None:
    """Forbidden: a stolen application key does not breed."""
    with database.write() as tx:
        shop = add_person(tx, "shop", kind=PersonKind.APPLICATION, by=trio.owner, at_us=5)
        create_key(tx, shop, label="production", by=trio.owner, at_us=6)
        with pytest.raises(Forbidden):
            create_key(tx, shop, label="spare", by=shop, at_us=7)


def test_a_key_that_is_not_there(database: Database, trio: Trio) -> None:
    """NotFound names the number."""
    with database.write() as tx, pytest.raises(NotFound, match="no key 99"):
        revoke_key(tx, 99, by=trio.owner, at_us=5)


def test_the_snapshot_holds_valid_keys_of_those_who_may_call(database: Database, trio: Trio) -> None:
    """Owner: all models and the metrics; colleague and shop: churn; viewer: looks, calls nothing; stranger: not in it."""
    with database.write() as tx:
        shop = add_person(tx, "shop", kind=PersonKind.APPLICATION, by=trio.owner, at_us=5)
        viewer = add_person(tx, "vera", by=trio.owner, at_us=5)
        grant(tx, "shop", RoleName.CALLER, "churn", by=trio.owner, at_us=5)
        grant(tx, "vera", RoleName.VIEWER, by=trio.owner, at_us=5)
        people = [trio.owner, trio.colleague, trio.stranger, shop, viewer]
        made = {person.id: create_key(tx, person, label="k", by=trio.owner, at_us=6)[0] for person in people}
        snapshot = access_snapshot(tx)
    found = {caller.person: caller for caller in snapshot.callers.values()}
    assert {name: (c.models, c.reads, c.metrics) for name, c in found.items()} == {
        "olga": (("*",), ("*",), True),
        "carl": (("churn",), ("churn",), False),
        "shop": (("churn",), (), False),
        "vera": ((), ("*",), False),
    }
    assert len({caller.number for caller in found.values()}) == 4
    assert may_call(snapshot, made["shop"], "churn") == "shop"
    with pytest.raises(Forbidden):
        may_call(snapshot, made["shop"], "fraud")
    with pytest.raises(Unauthorized):
        may_call(snapshot, made["stan"], "churn")


def test_a_limit_goes_with_the_key_into_the_snapshot(database: Database, trio: Trio) -> None:
    """An admin makes a key with a limit and changes it; both are on record; a colleague may do neither."""
    with database.write() as tx:
        key, row = create_key(
            tx, trio.colleague, label="app", by=trio.owner, at_us=5, limit=Limit(100.0, 200)
        )
        assert (row.rate_per_s, row.burst) == (100.0, 200)
        caller = access_snapshot(tx).callers[key_hash(key)]
        assert (caller.number, caller.rate_per_s, caller.burst) == (row.id, 100.0, 200)
        assert limit_key(tx, row.id, Limit(0.5), by=trio.owner, at_us=6).rate_per_s == 0.5
        assert access_snapshot(tx).callers[key_hash(key)].burst is None
        with pytest.raises(Forbidden):
            limit_key(tx, row.id, Limit(), by=trio.colleague, at_us=7)
        with pytest.raises(Forbidden):
            create_key(tx, trio.colleague, label="own", by=trio.colleague, at_us=7, limit=Limit(1e5))
        limit_key(tx, row.id, Limit(), by=trio.owner, at_us=8)
        assert access_snapshot(tx).callers[key_hash(key)].rate_per_s is None
        told = tx.execute(sa.select(audit.c.details).where(audit.c.action == "people:key:limited")).scalars()
        assert ["rate_per_s" in details for details in told] == [True, False]


@pytest.mark.parametrize(
    "limit", [Limit(0.0), Limit(-1.0), Limit(float("nan")), Limit(1.0, 0), Limit(None, 5)]
)
def test_a_limit_that_means_nothing_is_refused(database: Database, trio: Trio, limit: Limit) -> None:
    """InvalidInput: nothing at all, less than nothing, a burst without a rate."""
    with database.write() as tx, pytest.raises(InvalidInput):
        create_key(tx, trio.owner, label="x", by=trio.owner, at_us=5, limit=limit)


def test_a_revoked_key_takes_no_limit(database: Database, trio: Trio) -> None:
    """NotFound says where valid keys are listed."""
    with database.write() as tx:
        _, row = create_key(tx, trio.owner, label="x", by=trio.owner, at_us=5)
        revoke_key(tx, row.id, by=trio.owner, at_us=6)
        with pytest.raises(NotFound, match="no valid key"):
            limit_key(tx, row.id, Limit(5.0), by=trio.owner, at_us=7)
